"""The simulator's own SNMP agent (v1, v2c, v3), with a codec that shares nothing with the harness's client."""

from __future__ import annotations

from sim.servers.snmp.mib import MibView, TableView
from sim.servers.snmp.responder import SnmpResponder
from sim.servers.snmp.usm import Auth, Priv, Users, UsmUser
from sim.servers.snmp.values import Value

__all__ = [
    "Auth",
    "MibView",
    "Priv",
    "SnmpResponder",
    "TableView",
    "Users",
    "UsmUser",
    "Value",
]
