"""Devices with a Redfish service."""
