"""Cases: what a device answered, and what must come out of it, as a folder beside the profile that reads it.

    drivers/<class>/<model>/cases/<what went wrong>/
        walk.txt | registers.txt | talk.txt | resources.json      what the device answers, by its protocol
        expected.yaml                                             what the harness makes of it

`find_cases` finds those of every installed profile, `check_case` serves what the file says, opens and reads it through
the harness' own client and device, and says what differs. docs/reference/cases.md describes the files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.device.registry import known_profiles

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Case:
    """One folder of cases of one profile."""

    profile: str
    path: Path
    """The file of the profile."""
    folder: Path

    def __str__(self) -> str:
        return f"{self.profile}/{self.folder.name}"


def find_cases() -> list[Case]:
    """Every case beside an installed profile, those of other packages too."""
    return [
        Case(name, path, folder)
        for name, path in known_profiles().items()
        for folder in sorted((path.parent / "cases").glob("*"))
        if folder.is_dir()
    ]


def strays() -> list[Path]:
    """What lies beside a profile and is part of no case: nobody would run it. A profile's folder has `profile.yaml`,
    files that it names, and `cases/` with a folder for each case."""
    found: list[Path] = []
    for path in known_profiles().values():
        cases = path.parent / "cases"
        found += [each for each in cases.glob("*") if not each.is_dir()]
        expected = (each for each in path.parent.rglob("expected.yaml") if each.parent.parent != cases)
        found += [each for each in expected if each.parent != cases]
    return sorted(found)
