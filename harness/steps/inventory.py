"""Inventory: the parts that devices show, against a bill of materials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from harness.analysis.inventory import Finding, Item, Kind, Wanted, compare
from harness.api import (
    BadValueError,
    Catalog,
    Check,
    DeviceError,
    InputFile,
    LocatedError,
    Model,
    Name,
    Params,
    ResolvedLimit,
    StepContext,
    StepFailedError,
    StrictText,
    step,
)

Texts = tuple[StrictText, ...]


class Columns(Model):
    """Which column of a repetition, of texts, tells what of a part."""

    name: Name | None = None
    """Where or what it is; without it rows are told by their number."""
    model: Name | None = None
    firmware: Name | None = None
    serial: Name | None = None

    @property
    def given(self) -> dict[str, str]:
        """What is told -> by which column."""
        return {key: column for key in type(self).model_fields if (column := getattr(self, key)) is not None}


class Part(Model):
    """A kind of part: where it is seen, and what must be seen of it."""

    device: Name | None = None
    """A device of the station: what it says of itself (model, firmware, serial number)."""
    rows: StrictText | None = None
    """A repetition of a device, `tray1.software`: each row that it has is a part."""
    flags: StrictText | None = None
    """A signal whose flags say which parts are there, `pmm1.modules_present`."""
    columns: Columns = Columns()
    """Of `rows`."""
    count: Annotated[int, Field(ge=0, le=10_000)] | None = None
    """How many there must be."""
    places: Texts = ()
    """Names of the rows, or flags, that must be there, and no others."""
    model: Texts = ()
    """Models that are accepted."""
    firmware: Texts = ()
    """Versions that are accepted."""
    serial: StrictText | None = None
    """What a serial number looks like, with `*` and `?`: then each must have one."""

    @model_validator(mode="after")
    def _one_source(self) -> Part:
        given = [key for key in ("device", "rows", "flags") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError("give one of device, rows and flags: where the part is seen")
        for key, where in (("count", "rows or flags"), ("places", "rows or flags")):
            if self.device is not None and key in self.model_fields_set:
                raise LocatedError(f"a device is one part; `{key}` is for {where}", key)
        for key in ("model", "firmware", "serial"):
            if key not in self.model_fields_set:
                continue
            if self.flags is not None:
                raise LocatedError(f"flags tell which parts are there, not their {key}", key)
            if self.rows is not None and getattr(self.columns, key) is None:
                raise LocatedError(f"no column tells it: name it under `columns`, `{key}: ...`", key)
        if self.rows is None and "columns" in self.model_fields_set:
            raise LocatedError("`columns` is for rows", "columns")
        if self.rows is not None and not self.columns.given:
            raise LocatedError("give a column of texts that says something of each row: `columns: {name: ...}`", "rows")
        if self.rows is not None and self.places and self.columns.name is None:
            raise LocatedError("no column tells the names: give `columns: {name: ...}`", "places")
        return self


class BillOfMaterials(Model):
    """What parts a rack consists of."""

    schema_version: Annotated[Literal[1], Field(alias="schema")]
    bill: StrictText
    """Name of the bill of materials."""
    version: StrictText
    parts: Annotated[dict[StrictText, Part], Field(min_length=1)]


class Inventory(Params):
    """Parameters of `inventory`."""

    bill: InputFile[BillOfMaterials]
    """The bill of materials: a file beside the plan."""

    @property
    def measures(self) -> tuple[str, ...]:
        """The parts."""
        return tuple(self.bill.content.parts)

    def planned_seconds(self, _catalog: Catalog) -> float:
        """One look."""
        return 2.0

    def check_against(self, catalog: Catalog, _limits: Mapping[str, Any]) -> None:
        """What the bill names must be there."""
        for name, part in self.bill.content.parts.items():
            if part.device is not None and part.device not in catalog.expansions:
                message = f"unknown device {part.device!r}{catalog.guesses.hint(part.device, catalog.expansions)}"
                raise self.bill.wrong(message, "parts", name, "device")
            if part.flags is not None:
                info = catalog.signals.get(part.flags)
                if info is None or not info.flags:
                    raise self.bill.wrong(f"{part.flags} is no signal that shows flags", "parts", name, "flags")
                for index, place in enumerate(part.places):
                    if place not in info.flags.values():
                        message = f"{part.flags} has no flag {place!r}, but {', '.join(info.flags.values())}"
                        raise self.bill.wrong(message, "parts", name, "places", index)
            if part.rows is not None:
                _check_rows(self.bill, name, part, catalog)


def _check_rows(bill: InputFile[BillOfMaterials], name: str, part: Part, catalog: Catalog) -> None:
    if not any(bank.rpartition(".")[0] == part.rows for bank in catalog.banks):
        raise bill.wrong(f"{part.rows} is no repetition of a device", "parts", name, "rows")
    for key, column in part.columns.given.items():
        signals = catalog.find_signals(f"{part.rows}.{column}")
        if not signals or not catalog.signals[signals[0]].is_text:
            raise bill.wrong(f"{part.rows}.{column} is no column of texts", "parts", name, "columns", key)


@step("inventory", version=1)
async def inventory(ctx: StepContext, p: Inventory) -> None:
    """Compare the parts that are there with a bill of materials; whatever differs is named."""
    bill = p.bill.content
    wanted = {
        name: Wanted(part.count, part.places, part.model, part.firmware, part.serial)
        for name, part in bill.parts.items()
    }
    await ctx.refresh(part.flags for part in bill.parts.values() if part.flags is not None)
    there = {name: _items(ctx, part) for name, part in bill.parts.items()}
    for name, items in there.items():
        for item in items:
            ctx.tell(f"{name}: {_said(item)}")
    found = compare(wanted, there)
    for each in found:
        ctx.tell(str(each))
    of_station = [each for each in found if _role(ctx, bill.parts[each.part]) == "station"]
    if of_station:
        hint = "bring the station up to date, or accept it in the bill"
        raise DeviceError(_few(of_station), operation="inventory", hint=hint)
    source = f"bill of materials {bill.bill} {bill.version}"
    none_wrong = ResolvedLimit(Check(high=0.0, shown="<= 0"), provenance=source, on_fail="stop")
    parts = sum(map(len, there.values()))
    ctx.measure(f"{ctx.title}: number wrong", "", float(len(found)), none_wrong, samples=max(1, parts))
    if found:
        missing = any(each.kind in (Kind.MISSING, Kind.UNEXPECTED) for each in found)
        hint = "look whether all parts are seated" if missing else "look at the part, and at its label"
        raise StepFailedError(_few(found), hint=hint)


def _role(ctx: StepContext, part: Part) -> str:
    device = part.device or (part.rows or part.flags or "").partition(".")[0]
    return ctx.devices[device].role


def _items(ctx: StepContext, part: Part) -> list[Item]:
    if part.device is not None:
        identity = ctx.devices[part.device].identity
        return [Item("", identity.get("model"), identity.get("firmware"), identity.get("serial"))]
    if part.flags is not None:
        reading = ctx.observe(part.flags)
        if not reading.is_good:
            raise BadValueError(f"{part.flags} cannot be read: {reading.quality.word}", operation="inventory")
        flags = ctx.info(part.flags).flags or {}
        return [Item(word) for bit, word in flags.items() if int(reading.value) >> int(bit) & 1]
    columns = part.columns.given
    signals = (name for column in columns.values() for name in ctx.signals(f"{part.rows}.{column}"))
    rows = dict.fromkeys(name.rpartition(".")[0] for name in signals)
    return [_row(ctx, row, columns) for row in rows]


def _row(ctx: StepContext, row: str, columns: Mapping[str, str]) -> Item:
    said: dict[str, str] = {}
    for key, column in columns.items():
        for signal in ctx.signals(f"{row}.{column}"):
            reading = ctx.observe(signal)
            if not reading.is_good:
                raise BadValueError(f"{signal} cannot be read: {reading.quality.word}", operation="inventory")
            said[key] = reading.text
    return Item(said.get("name") or row, said.get("model"), said.get("firmware"), said.get("serial"))


def _said(item: Item) -> str:
    words = (("model", item.model), ("firmware", item.firmware), ("serial number", item.serial))
    said = [f"{key} {text}" for key, text in words if text]
    return ", ".join([*([item.place] if item.place else []), *said]) or "there"


def _few(found: Sequence[Finding]) -> str:
    more = f"; and {len(found) - 3} more" if len(found) > 3 else ""
    return "; ".join(str(each) for each in found[:3]) + more
