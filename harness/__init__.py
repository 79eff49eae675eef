"""Hardware-in-the-loop acceptance test and burn-in of liquid-cooled AI racks."""

from typing import TYPE_CHECKING, Any

from harness.version import __version__

if TYPE_CHECKING:
    from harness.rack import AsyncRack, Rack, open_station, simulated_rack

__all__ = ["AsyncRack", "Rack", "__version__", "open_station", "simulated_rack"]


def __getattr__(name: str) -> Any:
    """The Python face, imported when it is asked for: `import harness` costs nothing."""
    if name in __all__:
        from harness import rack

        return getattr(rack, name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
