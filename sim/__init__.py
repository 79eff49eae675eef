"""Simulated rack devices: own protocol servers, physics and faults. Never imports `harness.transport`."""
