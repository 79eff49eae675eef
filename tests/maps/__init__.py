"""Modbus profiles held against public register maps: no table that only its own twin has judged.

The maps (facebook/openbmc rackmon; openbmc/phosphor-modbus, Apache-2.0) are no part of the project: they are looked
for in ../shared/maps, or in $HARNESS_MAPS. They are read here by code of its own (`registers`), neither by the
importers of the harness nor by anything that knows a profile; a profile is read by `points`; `compare` says where the
two differ, and `explained.yaml` why a difference is right. `python -m tests.maps` writes docs/reference/maps.md.
"""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("HARNESS_MAPS", ROOT.parent / "shared" / "maps"))
PAGE = ROOT / "docs" / "reference" / "maps.md"
REASON = "the public register maps are not on this machine"


def available() -> bool:
    """Whether the maps are here."""
    return FOLDER.is_dir()


def map_names() -> list[str]:
    """Every map that is here, as `judged_by` names it."""
    return sorted(str(path.relative_to(FOLDER).with_suffix("")) for path in FOLDER.glob("*/*.json"))
