"""The runner: flow of frames and commands, interlocks, safe state."""
