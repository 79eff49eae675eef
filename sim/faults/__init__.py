"""Faults on purpose: servers and proxies that misbehave as a script says."""
