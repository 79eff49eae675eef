"""Hardware-in-the-loop acceptance test and burn-in of liquid-cooled AI racks."""

__version__ = "0.1.0"
