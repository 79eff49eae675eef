"""Devices on SNMP: rows of tables, scales, and the traps that they send."""
