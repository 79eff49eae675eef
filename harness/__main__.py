"""`python -m harness` is the command `harness`, also where the folder of commands is not on the path."""

from __future__ import annotations

from harness.cli.main import main

if __name__ == "__main__":
    main()
