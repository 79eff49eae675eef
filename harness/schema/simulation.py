"""Which simulated rack stands behind a station."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.schema.fields import Model, StrictText

BUILT_IN_SIMULATOR = "builtin"


class Simulation(Model):
    """Which simulated rack stands behind the devices under `--simulate`."""

    simulator: StrictText = BUILT_IN_SIMULATOR
    """Which simulator plays it, by its name among the installed ones (`harness doctor` lists them)."""
    rack: Literal["30kW", "60kW", "132kW", "250kW", "600kW", "psu"] = "132kW"
    """The class of the rack; `psu`: a bench with one power supply of 5.5 kW and an electronic load, no rack."""
    seed: int = 1
    spread: Annotated[float, Field(ge=0, le=1)] = 1.0
    """How much racks and sensors differ from seed to seed. 0: every seed is the same perfect rack with perfectly
    calibrated sensors; 1: as such racks and instruments do (docs/adr/0019-a-rack-of-its-own.md)."""
    feeds: dict[str, tuple[Annotated[int, Field(ge=0)], ...]] = Field(default_factory=dict)
    """PDU: the shelf (from 1) on each of its outlets, in their order; 0: nothing, as on outlets beyond the list. Left
    out, PDUs with no more outlets together than the rack has shelves share these out in the order of the station's
    devices; else outlet n of each PDU feeds shelf n, and a shelf hangs on all feeds."""
    batteries: Annotated[int, Field(ge=0, le=64)] | None = None
    """Battery shelves on the rack's bus, each as strong as one of its power shelves for 240 s. Left out: as many as
    carry the full load (four of 132 kW) when a device of the station shows a battery, else none."""
