"""Journals torn, cut and flipped: each must open or be quarantined, and nothing is believed that was not written."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from random import Random

import numpy as np

from harness.clock import Clock, run
from harness.quantity import Frame
from harness.telemetry.journal import Journal
from harness.telemetry.reading import open_for_reading
from harness.telemetry.rows import SignalInfo
from tests.chaos.table import Row

_DEVICES = {"pdu": 23, "cdu": 11}


async def _write(path: Path, seed: int) -> None:
    """A journal of distinct values, left as a dead process leaves it: the write-ahead log beside the file."""
    rng = np.random.default_rng(seed)
    journal = await Journal.create(path, Clock(), {"run": "chaos", "serial": "RACK-0042"})
    for device, count in _DEVICES.items():
        journal.declare(device, [SignalInfo(f"{device}.s{k}", "degC") for k in range(count)])
    for step in range(60):
        for device, count in _DEVICES.items():
            values = rng.normal(40.0, 10.0, count)
            journal.add_frame(Frame(device, (1 + step) * 10**9, float(step), values, np.zeros(count, np.uint8)))
        journal.add_event("note", text=f"step {step}", number=step)
        if step % 5 == 4:
            await journal.commit()
    for suffix in ("", "-wal"):  # while it is open: that is what kill -9 leaves
        shutil.copyfile(str(path) + suffix, str(path.with_name("dead.db")) + suffix)
    await journal.close()


def _rows(path: Path) -> tuple[dict[int, bytes], dict[int, str], list[str]]:
    with open_for_reading(path) as reader:
        frames = {
            each.seq: bytes(each.frame.device, "ascii") + each.frame.values.tobytes() + each.frame.qualities.tobytes()
            for each in reader.frames()
        }
        events = {each.seq: f"{each.kind} {sorted(each.data.items())}" for each in reader.events()}
        return frames, events, list(reader.damage) or list(reader.check())


def _damage(rng: Random, data: bytearray) -> str:
    """One random piece of damage."""
    if not data:
        return "empty"
    how = rng.choice(["cut", "flip", "flip", "flips", "zero", "garbage", "swap"])
    place = rng.randrange(len(data))
    if how == "cut":
        del data[place:]
    elif how == "flip":
        data[place] ^= 1 << rng.randrange(8)
    elif how == "flips":
        for _ in range(rng.randrange(2, 40)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif how == "zero":
        end = min(len(data), place + rng.choice([512, 4096, 8192]))
        data[place:end] = bytes(end - place)
    elif how == "garbage":
        end = min(len(data), place + rng.choice([16, 512, 4096]))
        data[place:end] = rng.randbytes(end - place)
    else:
        page = 4096
        pages = len(data) // page
        if pages > 1:
            a, b = rng.randrange(pages) * page, rng.randrange(pages) * page
            data[a : a + page], data[b : b + page] = data[b : b + page], data[a : a + page]
    return how


def damaged(count: int, folder: Path, seed: int) -> Row:
    """Random damage to the file, its write-ahead log, or both."""
    rng = Random(seed)
    original = folder / "journal.db"
    run(lambda: asyncio.wait_for(_write(original, seed), 60))
    frames, events, _ = _rows(original)
    whole = {name: {s: (folder / f"{name}{s}").read_bytes() for s in suffixes} for name, suffixes in _KINDS.items()}
    believed = failed = quiet = kept = 0
    first = ""
    work = folder / "work.db"
    for _ in range(count):
        name = rng.choice(list(_KINDS))
        victim = rng.choice(list(whole[name]))
        for suffix in ("", "-wal", "-shm"):
            Path(str(work) + suffix).unlink(missing_ok=True)
        how = ""
        for suffix, content in whole[name].items():
            data = bytearray(content)
            if suffix == victim:
                how = _damage(rng, data)
            Path(str(work) + suffix).write_bytes(data)
        try:
            found, said, damage = _rows(work)
        except Exception as error:
            failed += 1
            first = first or f"{how} of {name}{victim}: {error!r}"
            continue
        wrong = [seq for seq, row in found.items() if frames.get(seq) != row]
        wrong += [seq for seq, row in said.items() if events.get(seq) != row]
        believed += len(wrong)
        first = first or (f"{how} of {name}{victim}: row {wrong[0]}" if wrong else "")
        missing = len(frames) + len(events) - len(found) - len(said)
        quiet += bool(missing and not damage and victim == "" and how != "cut")
        kept += len(found) + len(said)
    share = kept / (count * (len(frames) + len(events)))
    text = f"{failed} did not open, {believed} corrupt rows believed, {100 * share:.0f} % of all rows still read"
    text += f", {quiet} silent losses" + (f"; first: {first}" if first else "")
    return Row(f"{count} damaged journals", text, "all open, 0 believed", not failed and not believed)


_KINDS = {"journal.db": ("",), "dead.db": ("", "-wal")}
