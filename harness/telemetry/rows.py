"""What the rows of a journal look like: tables, packing, checksums. Shared by the writer and the reader.

```
frame  seq | device | wall_ns | mono | blob                                            | crc
                                       float64[n] LE, uint8[n] qualities, texts (JSON)
event  seq | wall_ns | mono | kind | data (JSON)                                       | crc
```

`seq` is one sequence over both tables without gaps, so that a missing row is noticed. `crc` is CRC-32 over everything
else in the row: SQLite's pages carry no checksum, so without it a flipped bit would be a measurement.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.quantity import Frame
from harness.utf8 import utf8

APPLICATION_ID = 0x48524A31
"""`HRJ1` in the SQLite header: this file is a run journal and nothing else."""

USER_VERSION = 1
"""Version of the tables below."""

TABLES = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE device(id INTEGER PRIMARY KEY, name TEXT NOT NULL, measurement TEXT NOT NULL, schema TEXT NOT NULL,
                    crc INTEGER NOT NULL);
CREATE TABLE frame(seq INTEGER PRIMARY KEY, device INTEGER NOT NULL, wall_ns INTEGER NOT NULL, mono REAL NOT NULL,
                   blob BLOB NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE event(seq INTEGER PRIMARY KEY, wall_ns INTEGER NOT NULL, mono REAL NOT NULL, kind TEXT NOT NULL,
                   data TEXT NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE outbox(sink TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE dead(sink TEXT NOT NULL, seq INTEGER NOT NULL, line BLOB NOT NULL, reason TEXT NOT NULL);
"""

FRAME_COLUMNS = "seq, device, wall_ns, mono, blob, crc"
EVENT_COLUMNS = "seq, wall_ns, mono, kind, data, crc"

_MOST_PACKED = 1000
_HEAD = struct.Struct("<qqqd")

FrameRow = tuple[int, int, int, float, bytes, int]
EventRow = tuple[int, int, float, str, str, int]


@dataclass(frozen=True, slots=True)
class SignalInfo:
    """What the journal says about one signal of a device: its name, canonical unit, and the words of its codes."""

    name: str
    unit: str = ""
    labels: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeviceSchema:
    """The signals of a device in the order of its frames. `measurement` is its class, e.g. `pdu`."""

    id: int
    name: str
    signals: tuple[SignalInfo, ...]
    measurement: str = "rack"

    def full_name(self, index: int) -> str:
        """The name of a signal with its device, e.g. `cdu.supply_temperature`."""
        name = self.signals[index].name
        return name if name.startswith(f"{self.name}.") else f"{self.name}.{name}"


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """A frame as the journal holds it, checksum verified."""

    seq: int
    frame: Frame
    schema: DeviceSchema


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as the journal holds it, checksum verified."""

    seq: int
    wall_ns: int
    mono: float
    kind: str
    data: Mapping[str, Any]


Entry = StoredFrame | StoredEvent


class DamagedRowError(ValueError):
    """A row does not match its checksum, or its schema: it is quarantined, never believed."""


def to_json(value: Any) -> str:
    """JSON without NaN (they become null), the same text for the same value every time."""
    return json.dumps(_finite(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if value - value == 0.0 else None
    if isinstance(value, str):
        return utf8(value)
    if isinstance(value, Mapping):
        return {utf8(str(key)): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items: Iterable[Any] = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        return [_finite(item) for item in items]
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return _finite(value.item())
    if isinstance(value, np.ndarray):
        return _finite(value.tolist())
    return utf8(str(value))


def pack_values(frame: Frame) -> bytes:
    """The blob of a frame: values, qualities, and texts when there are any."""
    blob = frame.values.astype("<f8", copy=False).tobytes() + frame.qualities.astype("u1", copy=False).tobytes()
    if frame.texts:
        blob += _texts_json(frame.device, frame.texts)
    return blob


_packed: dict[str, tuple[Mapping[int, str], dict[int, str], bytes]] = {}
"""Device -> its texts when they were packed last, what they were, and how that is packed: they hardly ever change."""


def _texts_json(device: str, texts: Mapping[int, str]) -> bytes:
    known = _packed.get(device)
    if known is not None and known[0] is texts and known[1] == texts:
        return known[2]
    packed = to_json(texts).encode()
    if len(_packed) >= _MOST_PACKED:
        _packed.clear()
    _packed[device] = texts, dict(texts), packed
    return packed


def frame_crc(seq: int, device: int, wall_ns: int, mono: float, blob: bytes) -> int:
    """CRC-32 over a row of the frame table."""
    return zlib.crc32(blob, zlib.crc32(_HEAD.pack(seq, device, wall_ns, mono)))


def event_crc(seq: int, wall_ns: int, mono: float, kind: str, data: str) -> int:
    """CRC-32 over a row of the event table."""
    return zlib.crc32(f"{kind}\0{data}".encode(), zlib.crc32(_HEAD.pack(seq, -1, wall_ns, mono)))


def text_crc(*parts: str) -> int:
    """CRC-32 over texts (meta and device rows)."""
    return zlib.crc32("\0".join(parts).encode())


def pack_schema(signals: Sequence[SignalInfo]) -> str:
    """The schema of a device as JSON: list of {signal, unit, labels?}."""
    rows = []
    for info in signals:
        row: dict[str, Any] = {"signal": info.name, "unit": info.unit}
        if info.labels:
            row["labels"] = {str(code): word for code, word in info.labels.items()}
        rows.append(row)
    return to_json(rows)


def unpack_device(row: Sequence[Any]) -> DeviceSchema:
    """A row (id, name, measurement, schema, crc) of the device table."""
    try:
        identifier, name, measurement, schema, crc = row
        if text_crc(str(identifier), name, measurement, schema) != crc:
            raise DamagedRowError(f"device {name!r}: checksum does not match")
        signals = tuple(
            SignalInfo(
                item["signal"],
                item["unit"],
                {int(code): word for code, word in item.get("labels", {}).items()},
            )
            for item in json.loads(schema)
        )
        return DeviceSchema(identifier, name, signals, measurement)
    except (TypeError, KeyError, AttributeError, UnicodeError, json.JSONDecodeError) as error:
        raise DamagedRowError(f"device row {row[:1]}: {error}") from error


def unpack_frame(row: Sequence[Any], devices: Mapping[int, DeviceSchema]) -> StoredFrame:
    """Check and decode a row of the frame table; DamagedRowError when anything about it does not fit."""
    try:
        seq, device, wall_ns, mono, blob, crc = row
        if frame_crc(seq, device, wall_ns, mono, blob) != crc:
            raise DamagedRowError(f"frame {seq}: checksum does not match")
        schema = devices.get(device)
        if schema is None:
            raise DamagedRowError(f"frame {seq}: the description of its device is missing or damaged")
        count = len(schema.signals)
        values = np.frombuffer(blob, "<f8", count).astype(np.float64, copy=False)
        qualities = np.frombuffer(blob, np.uint8, count, count * 8)
        texts = {int(key): text for key, text in json.loads(blob[count * 9 :]).items()} if len(blob) > count * 9 else {}
    except DamagedRowError:
        raise
    except (TypeError, ValueError, AttributeError, OverflowError, struct.error) as error:
        raise DamagedRowError(f"frame {row[:1]}: {error}") from error
    return StoredFrame(seq, Frame(schema.name, wall_ns, mono, values, qualities, texts), schema)


def unpack_event(row: Sequence[Any]) -> StoredEvent:
    """Check and decode a row of the event table; DamagedRowError when anything about it does not fit."""
    try:
        seq, wall_ns, mono, kind, data, crc = row
        if event_crc(seq, wall_ns, mono, kind, data) != crc:
            raise DamagedRowError(f"event {seq}: checksum does not match")
        return StoredEvent(seq, wall_ns, mono, kind, json.loads(data))
    except DamagedRowError:
        raise
    except (TypeError, ValueError, AttributeError, OverflowError, struct.error) as error:
        raise DamagedRowError(f"event {row[:1]}: {error}") from error
