"""The record of a run: its folder, its result, its manifest, and the proof that they belong together."""
