"""Hardware-in-the-loop acceptance test and burn-in of liquid-cooled AI racks."""

from typing import TYPE_CHECKING, Any

from harness.version import __version__

if TYPE_CHECKING:
    from harness.rack import AsyncRack, Rack, open_station, simulated_rack, virtual_time
    from harness.record.opened import Record, open_record

__all__ = [
    "AsyncRack",
    "Rack",
    "Record",
    "__version__",
    "open_record",
    "open_station",
    "simulated_rack",
    "virtual_time",
]
_OF_RECORDS = ("Record", "open_record")


def __getattr__(name: str) -> Any:
    """The Python face, imported when it is asked for: `import harness` costs nothing."""
    if name in _OF_RECORDS:
        from harness.record import opened

        return getattr(opened, name)
    if name in __all__:
        from harness import rack

        return getattr(rack, name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
