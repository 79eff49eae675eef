"""Hardware-in-the-loop acceptance test and burn-in of liquid-cooled AI racks."""

from harness.version import __version__

__all__ = ["__version__"]
