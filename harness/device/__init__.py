"""Devices: a profile compiled once into a read plan, pollers, health and confirmation."""
