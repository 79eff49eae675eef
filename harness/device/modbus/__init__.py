"""Devices on Modbus: reading spans of registers, writing them, and what a device refuses."""
