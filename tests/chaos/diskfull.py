"""A disk that really runs full: a small file system in a user namespace of its own, filled in mid-run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from tests.chaos.killing import Yard
from tests.chaos.table import Row
from tests.integration.guarded_tools import ROOT

_SCRIPT = """
set -e
mount -t tmpfs -o size=60m tmpfs "$DATA"
"$PYTHON" -c "from harness.cli.main import main; main()" run "$PLAN" --station "$STATION" --serial RACK-0042 \
    --data "$DATA" --json > "$OUT" &
run=$!
until grep -q '"kind": "confirmed"' "$OUT"; do sleep 0.05; done
sleep 1
dd if=/dev/zero of="$DATA/filler" bs=64k 2>/dev/null || true
code=0
wait $run || code=$?
echo "exit $code" > "$CODE"
ls "$DATA"/runs/*/ > "$FILES"
"""


def is_possible() -> bool:
    """Whether this machine lets us make a file system of our own."""
    if shutil.which("unshare") is None:
        return False
    probe = ["unshare", "-Urm", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def full(place: Yard) -> Row:
    """Fill the data folder's file system while the rack is on."""
    data = place.folder / "small"
    data.mkdir()
    plan = place.folder / "long.yaml"
    plan.write_text(place.plan.read_text().replace("60 s", "20 s"))
    out, code, files = (place.folder / name for name in ("out.jsonl", "code", "files"))
    names: dict[str, str | Path] = {
        "DATA": data, "PYTHON": sys.executable, "PLAN": plan, "STATION": place.real, "OUT": out, "CODE": code,
        "FILES": files,
    }  # fmt: skip
    env = {**place.env, **{name: str(value) for name, value in names.items()}}
    subprocess.run(["unshare", "-Urm", "sh", "-c", _SCRIPT], env=env, cwd=ROOT, check=True, timeout=90)
    last = json.loads(out.read_text().splitlines()[-1])
    exit_code = int(code.read_text().split()[1])
    on = place.outlets_on()
    is_sealed = "manifest.json" in files.read_text()
    found = f"exit {exit_code}, {last.get('verdict')}, sealed: {is_sealed}, {on} outlets on"
    ok = exit_code in (3, 7) and not on and is_sealed
    return Row("the disk runs full in mid-run", found, "ERROR or INCONCLUSIVE, safe, recorded from the reserve", ok)
