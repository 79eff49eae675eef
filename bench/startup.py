"""CPU time that `harness --help` costs, against `python -c pass` and `import click`. Goal: <= 0.2 s in all.

python bench/startup.py
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys

ROUNDS = 10
CASES = {
    "python": ["-c", "pass"],
    "import click": ["-c", "import click"],
    "harness --help": ["-c", "from harness.cli.main import main; main()", "--help"],
    "harness --version": ["-c", "from harness.cli.main import main; main()", "--version"],
    "harness run --help": ["-c", "from harness.cli.main import main; main()", "run", "--help"],
}


def cpu_seconds(arguments: list[str]) -> float:
    """The least CPU time (user and system, s) of some runs of this interpreter."""
    best = float("inf")
    for _ in range(ROUNDS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, env=dict(os.environ))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return round(best, 3)


if __name__ == "__main__":
    print(json.dumps({name: cpu_seconds(arguments) for name, arguments in CASES.items()}))
