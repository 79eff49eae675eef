"""Limits: evaluation, debounce, windows, derived signals and verdicts as pure functions."""
