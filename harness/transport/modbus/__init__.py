"""Modbus client: pymodbus' codecs underneath, every check of a reply ours, on the raw bytes."""

from harness.transport.modbus.client import ModbusClient
from harness.transport.modbus.frames import EXCEPTIONS
from harness.transport.modbus.pool import ModbusPool

__all__ = ["EXCEPTIONS", "ModbusClient", "ModbusPool"]
