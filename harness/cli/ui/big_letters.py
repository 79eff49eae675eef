"""Letters five rows high: a verdict is read from three metres away."""

from __future__ import annotations

_GLYPHS = {
    " ": ("  ", "  ", "  ", "  ", "  "),
    "A": ("████", "█  █", "████", "█  █", "█  █"),
    "B": ("███ ", "█  █", "███ ", "█  █", "███ "),
    "C": ("████", "█   ", "█   ", "█   ", "████"),
    "D": ("███ ", "█  █", "█  █", "█  █", "███ "),
    "E": ("████", "█   ", "███ ", "█   ", "████"),
    "F": ("████", "█   ", "███ ", "█   ", "█   "),
    "G": ("████", "█   ", "█ ██", "█  █", "████"),
    "I": ("█", "█", "█", "█", "█"),
    "L": ("█   ", "█   ", "█   ", "█   ", "████"),
    "N": ("█   █", "██  █", "█ █ █", "█  ██", "█   █"),
    "O": ("████", "█  █", "█  █", "█  █", "████"),
    "P": ("████", "█  █", "████", "█   ", "█   "),
    "R": ("███ ", "█  █", "███ ", "█ █ ", "█  █"),
    "S": ("████", "█   ", "████", "   █", "████"),
    "T": ("█████", "  █  ", "  █  ", "  █  ", "  █  "),
    "U": ("█  █", "█  █", "█  █", "█  █", "████"),
    "V": ("█   █", "█   █", "█   █", " █ █ ", "  █  "),
}
ROWS = 5


def big(word: str, width: int) -> list[str]:
    """The word in letters five rows high; the word itself on one line when it has a letter too many for `width`."""
    if any(char not in _GLYPHS for char in word):
        return [word]
    rows = ["  ".join(_GLYPHS[char][row] for char in word) for row in range(ROWS)]
    return rows if max(map(len, rows)) <= width else [word]
