"""Telemetry: the run journal (the truth), the outbox to InfluxDB (a copy), and reading back."""
