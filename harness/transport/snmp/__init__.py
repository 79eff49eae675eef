"""SNMP 2c and 3, the strict client side (see docs/adr/0003-snmp-codec.md)."""

from __future__ import annotations

from harness.transport.snmp.client import PreparedGet, SnmpClient
from harness.transport.snmp.types import Kind, SnmpCounters, SnmpCredentials, VarBind

__all__ = ["Kind", "PreparedGet", "SnmpClient", "SnmpCounters", "SnmpCredentials", "VarBind"]
