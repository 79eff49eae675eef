"""Parts that are there against a bill of materials. Pure; there is no uncertainty: a text is the right one or not.

Serial numbers of all parts of a rack are compared with each other: two of one number are a wrong label, a wrong
reading, or one part that is counted twice. Texts that makers leave in empty memory (all `0`, `F`, `N/A`...) are none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase


class Kind(Enum):
    """What is wrong with a part."""

    MISSING = "missing"
    UNEXPECTED = "unexpected"
    WRONG_MODEL = "wrong model"
    WRONG_FIRMWARE = "wrong firmware"
    NO_SERIAL = "no serial number"
    WRONG_SERIAL = "wrong serial number"
    DUPLICATE_SERIAL = "duplicate serial number"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the bill has of a kind of part; what it does not say is None or empty."""

    count: int | None = None
    places: tuple[str, ...] = ()
    """Where each of them belongs: slot, name of a row."""
    models: tuple[str, ...] = ()
    firmwares: tuple[str, ...] = ()
    serial: str | None = None
    """A pattern with `*` and `?`: each has a serial number, and it is such a one."""


@dataclass(frozen=True, slots=True)
class Item:
    """One part that is there, and what it says of itself; None: it does not say."""

    place: str
    model: str | None = None
    firmware: str | None = None
    serial: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: of which kind of part, where."""

    kind: Kind
    part: str
    place: str
    text: str

    def __str__(self) -> str:
        return self.text


def is_serial(text: str | None) -> bool:
    """Whether a text is a serial number, not what an empty memory holds."""
    bare = (text or "").strip().strip("-._ /").upper()
    return bool(bare) and len(set(bare)) > 1 and bare not in _EMPTY


_EMPTY = frozenset({"N/A", "NA", "NONE", "NULL", "UNKNOWN", "TO BE FILLED BY O.E.M", "DEFAULT STRING", "SERIAL"})


def compare(bill: Mapping[str, Wanted], there: Mapping[str, Sequence[Item]]) -> list[Finding]:
    """Everything that is wrong, in the order of the bill; serial numbers that are there twice at last."""
    found: list[Finding] = []
    for part, wanted in bill.items():
        items = there.get(part, ())
        found.extend(_number(part, wanted, items))
        for item in items:
            found.extend(_texts(part, wanted, item))
    return [*found, *_twice(bill, there)]


def _number(part: str, wanted: Wanted, items: Sequence[Item]) -> Iterator[Finding]:
    places = [item.place for item in items]
    for place in wanted.places:
        if place not in places:
            yield Finding(Kind.MISSING, part, place, f"missing: {part}, {place}")
    for place in places if wanted.places else ():
        if place not in wanted.places:
            yield Finding(Kind.UNEXPECTED, part, place, f"unexpected: {part}, {place}, which the bill does not have")
    if wanted.count is None and not wanted.places and not items:
        yield Finding(Kind.MISSING, part, "", f"missing: {part}, none is there")
    if wanted.count is None or len(items) == wanted.count:
        return
    kind = Kind.MISSING if len(items) < wanted.count else Kind.UNEXPECTED
    yield Finding(kind, part, "", f"{kind.value}: {part}, {len(items)} are there, the bill has {wanted.count}")


def _texts(part: str, wanted: Wanted, item: Item) -> Iterator[Finding]:
    where = f"{part}, {item.place}" if item.place else part
    for kind, is_text, accepted in (
        (Kind.WRONG_MODEL, item.model, wanted.models),
        (Kind.WRONG_FIRMWARE, item.firmware, wanted.firmwares),
    ):
        if accepted and (is_text or "") not in accepted:
            text = f"{kind.value}: {where} has {is_text or 'none'!r}, the bill has {' or '.join(accepted)}"
            yield Finding(kind, part, item.place, text)
    if wanted.serial is None:
        return
    if not is_serial(item.serial):
        text = f"no serial number: {where} says {item.serial or 'nothing'!r}"
        yield Finding(Kind.NO_SERIAL, part, item.place, text)
    elif not fnmatchcase((item.serial or "").strip(), wanted.serial):
        text = f"wrong serial number: {where} has {item.serial!r}, the bill has {wanted.serial}"
        yield Finding(Kind.WRONG_SERIAL, part, item.place, text)


def _twice(bill: Mapping[str, Wanted], there: Mapping[str, Sequence[Item]]) -> Iterator[Finding]:
    first: dict[str, str] = {}
    for part in bill:
        for item in there.get(part, ()):
            where = f"{part}, {item.place}" if item.place else part
            serial = (item.serial or "").strip()
            if not is_serial(serial):
                continue
            if serial in first:
                text = f"duplicate serial number: {serial!r} of {first[serial]} and of {where}"
                yield Finding(Kind.DUPLICATE_SERIAL, part, item.place, text)
            first.setdefault(serial, where)
