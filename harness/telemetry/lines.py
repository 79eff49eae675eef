"""InfluxDB line protocol: entries of the journal as bytes, the same bytes every time.

```
cdu,device=cdu,run=...,serial=RACK-0001,station=line-3 flow=81.2,leak=0.0,pump__q=7i 1767225600000000000
```

One line a frame. A field is written only for a GOOD value, always as a float, so that its type never changes; a value
that is not GOOD is absent and its quality code stands in `<signal>__q` (integer, see `harness.quantity.Quality`). Text
goes to `<signal>__text`, and a text has no number beside it. A point is identified by measurement, tags and stamp, so
sending the same bytes again changes nothing.

No field has the name of a tag: a database that finds `serial` among the fields looks for it there, and `WHERE serial =
'RACK-0001'` finds nothing any more. A signal of such a name is written as `<signal>__value`.

Source: the InfluxDB line protocol reference. Measurement: escape comma, space. Tags and field keys: comma, equals,
space. Field strings: quote and backslash. A newline ends a line and cannot be escaped in a name, so it becomes a
space. A backslash in a name is literal to InfluxDB and an escape to VictoriaMetrics, and at the end of a name it would
swallow the separator, so it becomes a slash. A double quote in a name is literal to one and opens a text to the
other, so it becomes a single one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from harness.telemetry.rows import DeviceSchema, Entry, StoredEvent, StoredFrame, to_json

MAX_TEXT = 16_384
"""Longest text in a field, characters (InfluxDB's own limit is 64 KiB)."""

QUALITY_SUFFIX = "__q"
TEXT_SUFFIX = "__text"
VALUE_SUFFIX = "__value"
TAGS = ("run", "serial", "station", "engineering", "device", "kind")
"""What lines may be tagged with; with `time`, the names that no field has."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]")


def _single_line(text: str) -> str:
    return _CONTROL.sub(" ", text)


def _name(text: str, special: str) -> str:
    plain = _single_line(text).replace("\\", "/").replace('"', "'")
    return "".join("\\" + letter if letter in special else letter for letter in plain)


def escape_measurement(text: str) -> str:
    """A measurement name: commas and spaces escaped, control characters turned into spaces."""
    return _name(text, ", ")


def escape_key(text: str) -> str:
    """A tag key, tag value or field key: commas, equals signs and spaces escaped."""
    return _name(text, ",= ")


def quote(text: str) -> str:
    """A field string in quotes; long text is cut."""
    return '"' + _single_line(text[:MAX_TEXT]).replace("\\", "\\\\").replace('"', '\\"') + '"'


class LineWriter:
    """Builds lines for the frames and events of one run. Names are escaped once a device, not once a line."""

    def __init__(self, tags: Mapping[str, str]) -> None:
        self._tags = dict(tags)
        self._heads: dict[int, tuple[str, list[str], list[str]]] = {}
        self._event_heads: dict[str, str] = {}

    def line(self, entry: Entry) -> bytes | None:
        """One line without its newline, or None when the entry has nothing to say (a device without signals)."""
        return self._frame(entry) if isinstance(entry, StoredFrame) else self._event(entry)

    def _head(self, measurement: str, extra: Mapping[str, str]) -> str:
        # Tags sorted by key, as the reference advises; an empty value is not allowed in the protocol.
        tags = sorted({**self._tags, **extra}.items())
        pairs = [f",{escape_key(key)}={escape_key(text)}" for key, text in tags if text.strip()]
        return escape_measurement(measurement) + "".join(pairs) + " "

    def _known(self, schema: DeviceSchema) -> tuple[str, list[str], list[str]]:
        prefix = schema.name + "."
        names = [escape_key(info.name.removeprefix(prefix)) for info in schema.signals]
        fields = [name + VALUE_SUFFIX if name in (*TAGS, "time") else name for name in names]
        known = self._heads[schema.id] = (self._head(schema.measurement, {"device": schema.name}), names, fields)
        return known

    def _frame(self, stored: StoredFrame) -> bytes | None:
        head, names, keys = self._heads.get(stored.schema.id) or self._known(stored.schema)
        frame = stored.frame
        fields: list[str] = []
        values = frame.values.tolist()
        for index in frame.texts:  # records of before wrote the number 0 beside the texts of some devices
            if 0 <= index < len(values):
                values[index] = math.nan
        for name, key, value, quality in zip(names, keys, values, frame.qualities.tolist(), strict=True):
            if quality:
                fields.append(f"{name}{QUALITY_SUFFIX}={quality}i")
            elif value - value == 0.0:  # finite: NaN and infinities do not exist in line protocol
                fields.append(f"{key}={value!r}")
        for index, text in frame.texts.items():
            if 0 <= index < len(names) and not frame.qualities[index]:
                fields.append(f"{names[index]}{TEXT_SUFFIX}={quote(text)}")
        if not fields:
            return None
        return f"{head}{','.join(fields)} {frame.wall_ns}".encode()

    def _event(self, event: StoredEvent) -> bytes:
        head = self._event_heads.get(event.kind)
        if head is None:
            head = self._event_heads[event.kind] = self._head("event", {"kind": event.kind})
        return f"{head}data={quote(to_json(event.data))},seq={event.seq}i {event.wall_ns}".encode()
