"""A protocol of others whose code does anything: a PASS only where one can do without it, never a bug of ours, and the
rest is made safe.

The toy protocol, with one place of it changed; the judge of the rack is the simulator's truth.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.cli_tools import COMMAND, environment
from tests.integration.installed import ROOT

TOY = ROOT / "tests" / "packages" / "toy" / "toy_strip"
ENTRIES = "[harness.protocols]\ntoy = toy_strip:PROTOCOL\n[harness.drivers]\ntoy_strip = toy_strip:profiles\n"
OPEN = ("link.py", "        await self.client.open()\n        return self._points\n")
READ = ("link.py", "        reply = Reply.empty(len(self._reads))\n")
LATER = "        self.n = getattr(self, 'n', 0) + 1\n        if self.n > 12:\n            HOW\n"
COMMANDS = ("link.py", '        spec = cast("ToyControl", control.spec)\n')
READING = ("link.py", '        spec = cast("ToySignal", point.spec)\n')
MODEL = '    protocol: Literal["toy"]\n'
IN_MODEL = "\n    def model_post_init(self, _: object) -> None:\n        HOW\n"
WORDS = "        return {float(code): word for code, word in enumerate(self.answers)}\n"
RENEW = "    def renew(self) -> None:\n"
GIVEN = "    @property\n    def NAME(self):\n        HOW\n\n" + RENEW
CONNECTION = '    return {"host": where.host, "port": where.port}\n'
ODD = {
    "open raises": (*OPEN, "        raise ValueError('odd')\n", 3),
    "open exits": (*OPEN, "        raise SystemExit(0)\n", 3),
    "open gives nonsense": (*OPEN, "        return 5\n", 3),
    "poll raises": (*READ, LATER.replace("HOW", "raise ValueError('odd')") + READ[1], 3),
    "poll exits": (*READ, LATER.replace("HOW", "raise SystemExit(0)") + READ[1], 3),
    "poll ends in its own kind": (*READ, LATER.replace("HOW", "raise BaseException('odd')") + READ[1], 3),
    "poll gives nonsense": (*READ, LATER.replace("HOW", "return None") + READ[1], 3),
    "poll gives too much": (*READ, LATER.replace("HOW", "return Reply.empty(1000)") + READ[1], 3),
    "no command": (*COMMANDS, "        raise ValueError('odd')\n", 3),
    "a command of nonsense": (*COMMANDS, "        return [5]\n", 3),
    "a reading of nonsense": (*READING, "        return 5\n", 3),
    "no link": ("link.py", "    where = request.where\n", "    raise ValueError('odd')\n", 3),
    "no address": ("link.py", "    parts, port = split_address(text, 4000)\n", "    raise TypeError('odd')\n", 2),
    "address exits": ("link.py", "    parts, port = split_address(text, 4000)\n", "    raise SystemExit(0)\n", 2),
    "an address of nonsense": ("link.py", "    parts, port = split_address(text, 4000)\n", "    return 5\n", 2),
    "its profile exits": ("profile.py", MODEL, MODEL + IN_MODEL.replace("HOW", "raise SystemExit(0)"), 2),
    "its profile raises": ("profile.py", MODEL, MODEL + IN_MODEL.replace("HOW", "raise KeyError('odd')"), 2),
    "its words raise": ("profile.py", WORDS, "        raise KeyError('odd')\n", 2),
    "its words are none": ("profile.py", WORDS, "        return None\n", 2),
    "what it takes is nonsense": ("profile.py", "        return tuple(self.texts)\n", "        return 5\n", 2),
    "no batch": ("link.py", RENEW, GIVEN.replace("NAME", "max_batch").replace("HOW", "raise ValueError('odd')"), 0),
    "a batch of nonsense": ("link.py", RENEW, GIVEN.replace("NAME", "max_batch").replace("HOW", "return 'many'"), 0),
    "no rows": ("link.py", RENEW, GIVEN.replace("NAME", "rows_found").replace("HOW", "raise SystemExit(0)"), 3),
    "rows of nonsense": ("link.py", RENEW, GIVEN.replace("NAME", "rows_found").replace("HOW", "return 5"), 3),
    "no connection": ("link.py", CONNECTION, "    raise SystemExit(0)\n", 3),
    "a connection of nonsense": ("link.py", CONNECTION, "    return 5\n", 3),
    "no import": ("link.py", "from toy_strip.channel import ToyChannel", "from toy_strip.gone import ToyChannel", 2),
    "read-back raises": (
        *("channel.py", "        return [await read_one(self._client, read) for read in reads]\n"),
        *("        raise ValueError('odd')\n", 5),
    ),
    "read-back gives nonsense": (
        *("channel.py", "        return [await read_one(self._client, read) for read in reads]\n"),
        *("        return [None]\n", 5),
    ),
}


def package(folder: Path, file: str, old: str, new: str) -> None:
    """The toy package with one place of it changed, installed in a folder."""
    shutil.copytree(TOY, folder / "toy_strip", ignore=shutil.ignore_patterns("__pycache__"))
    info = folder / "toy_strip-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-strip\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    path = folder / "toy_strip" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))


@pytest.mark.parametrize("kind", ODD)
def test_whatever_its_code_does_the_rack_is_as_safe_as_it_can_be(kind, tmp_path):
    *change, code = ODD[kind]
    package(tmp_path / "lib", *change)
    text = (ROOT / "testplans" / "stations" / "simulated.yaml").read_text()
    old = '{profile: pdu/apc_rpdu2,        address: "snmp://127.0.0.1:16100", '
    assert old in text
    text = text.replace(old, '{profile: pdu/toy_strip, address: "toy+tcp://127.0.0.1:16100", ')
    (tmp_path / "station.yaml").write_text(text.replace(", slow: 20 s, max_age: 10 s}", "}"))
    path = os.pathsep.join([str(tmp_path / "lib"), os.environ.get("PYTHONPATH", "")])
    clock = [] if "connection" in kind else ["--virtual"]  # that is the guardian's, and virtual time has none
    done = subprocess.run(
        [*COMMAND, "run", "smoke", "--station", "station.yaml", "--simulate", *clock],
        env={**environment(tmp_path / "data"), "PYTHONPATH": path},
        cwd=tmp_path,
        timeout=100,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    reported = done.stdout + done.stderr
    assert "Traceback" not in reported
    assert "bug in the harness" not in reported
    if code == 0:
        assert "SAFE CONFIRMED" in reported
    elif code == 5:
        assert "the code of its protocol failed" in reported or "no answer to" in reported
    elif "poll" in kind:
        assert "SAFE CONFIRMED" in reported
    elif code == 3:
        assert "this run commanded nothing" in reported
    else:
        assert not list((tmp_path / "data").glob("runs/*"))


SECOND = """
from dataclasses import replace
from toy_strip import PROTOCOL
P = replace(PROTOCOL, name="beta", schemes=SCHEMES)
"""
RECORDS = {
    "None": "package beta 2.0 (entry point 'beta' of harness.protocols) cannot be loaded: TypeError: schemes is None",
    "('toy+tcp')": "TypeError: schemes is 'toy+tcp', not a tuple of texts",
    "()": "ValueError: schemes is left out",
    "('toy+tcp',)": "addresses toy+tcp:// belong to the protocols beta (beta 2.0) and toy (toy-strip 1.0)",
}


@pytest.mark.parametrize("schemes", RECORDS)
def test_the_record_of_a_third_package_is_named_and_stops_nobody_else(schemes, tmp_path):
    package(tmp_path / "lib", *OPEN, OPEN[1])
    info = tmp_path / "lib" / "beta-2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: beta\nVersion: 2.0\n")
    (info / "entry_points.txt").write_text("[harness.protocols]\nbeta = beta:P\n")
    (tmp_path / "lib" / "beta.py").write_text(SECOND.replace("SCHEMES", schemes))
    (tmp_path / "station.yaml").write_text(
        "schema: 1\nstation: s\ndevices:\n  strip: {profile: pdu/toy_strip, address: 'toy+tcp://10.0.0.1'}\n"
        "unguarded: {emergency_stop: x, door: x, temperature: x, coolant: x, leak: x}\n"
        "safe_state: {default: [{set: strip.outlet, to: 'off'}]}\n"
    )
    path = os.pathsep.join([str(tmp_path / "lib"), os.environ.get("PYTHONPATH", "")])
    said = {}
    for command in ("doctor", "check station.yaml"):
        done = subprocess.run(
            [*COMMAND, *command.split()], env={**environment(tmp_path / "data"), "PYTHONPATH": path}, cwd=tmp_path,
            timeout=60, text=True, capture_output=True, check=False,
        )  # fmt: skip
        said[command] = (done.returncode, done.stdout + done.stderr)
    assert said["doctor"][0] == 3
    assert RECORDS[schemes] in said["doctor"][1]
    assert said["check station.yaml"][0] == (2 if schemes == "('toy+tcp',)" else 0), said
