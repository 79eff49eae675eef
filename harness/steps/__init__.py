"""The built-in steps, one module a family; each is named by an entry point of group `harness.steps`."""
