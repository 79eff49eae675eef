"""The separate process that applies the safe state when the runner dies or freezes."""
