"""The commands, one module each; `harness.cli.main` names them."""
