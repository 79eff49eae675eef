"""Line protocol: the bytes are right, and nothing that people or devices type can make a second point."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.quantity import Frame
from harness.telemetry.lines import LineWriter, escape_key, escape_measurement, quote
from harness.telemetry.rows import DeviceSchema, SignalInfo, StoredEvent, StoredFrame
from tests.tools.database import split_line

TAGS = {"station": "line 3", "run": "r=1", "serial": "RACK-0001", "empty": ""}


def stored(
    values, qualities, texts=None, names=("flow", "leak", "serial no"), device="cdu", stamp=1_767_225_600_000_000_123
):
    schema = DeviceSchema(1, device, tuple(SignalInfo(name) for name in names), "cdu")
    frame = Frame(device, stamp, 1.5, np.array(values, float), np.array(qualities, np.uint8), texts or {})
    return StoredFrame(9, frame, schema)


def test_a_frame_is_one_line_with_good_values_only():
    line = LineWriter(TAGS).line(stored([81.25, 7.0, 1e22], [0, 7, 0]))
    assert line == (
        rb"cdu,device=cdu,run=r\=1,serial=RACK-0001,station=line\ 3 "
        rb"flow=81.25,leak__q=7i,serial\ no=1e+22 1767225600000000123"
    )


def test_values_that_are_not_numbers_are_absent():
    line = LineWriter({}).line(stored([float("nan"), float("inf"), -0.0], [0, 0, 0]))
    assert line == rb"cdu,device=cdu serial\ no=-0.0 1767225600000000123"
    assert LineWriter({}).line(stored([float("nan")], [0], names=("x",))) is None


def test_texts_have_a_field_of_their_own():
    line = LineWriter({}).line(stored([float("nan"), 1.0, 2.0], [0, 0, 1], {0: 'a "b" \\ c\nd', 2: "not good"}))
    assert line == rb'cdu,device=cdu leak=1.0,serial\ no__q=1i,flow__text="a \"b\" \\ c d" 1767225600000000123'


def test_a_signal_named_with_its_device_loses_the_prefix():
    assert (
        LineWriter({}).line(stored([1.5], [0], names=("cdu.flow",))) == b"cdu,device=cdu flow=1.5 1767225600000000123"
    )


def test_an_event_is_a_line_with_its_data():
    line = LineWriter({"run": "r1"}).line(StoredEvent(12, 5, 0.1, "trip", {"signal": "cdu.leak", "why": 'says "wet"'}))
    assert line == rb'event,kind=trip,run=r1 data="{\"signal\":\"cdu.leak\",\"why\":\"says \\\"wet\\\"\"}",seq=12i 5'


def test_the_same_entry_gives_the_same_bytes():
    entry = stored([0.1 + 0.2, 1.0, 2.0], [0, 0, 3], {1: "x"})
    assert LineWriter(TAGS).line(entry) == LineWriter(dict(reversed(TAGS.items()))).line(entry)


NASTY = st.text(alphabet=st.sampled_from(list('ab,= \\"\n\r\t\0é\u2028')) | st.characters(codec="utf-8"), max_size=12)


@given(NASTY.filter(str.strip), NASTY.filter(str.strip), NASTY, NASTY.filter(str.strip))
def test_no_text_can_leave_its_place(tag, device, text, name):
    """An independent splitter finds three parts, and as many tags and fields as were written."""
    schema = DeviceSchema(1, device, (SignalInfo(name), SignalInfo("good")), device)
    frame = Frame(device, 77, 0.0, np.array([1.0, 2.0]), np.array([0, 0], np.uint8), {1: text})
    line = LineWriter({"serial": tag}).line(StoredFrame(1, frame, schema))
    assert line is not None
    assert b"\n" not in line
    assert b"\r" not in line
    series, fields, stamp = split_line(line)
    assert stamp == 77
    unescaped = series.replace(rb"\,", b"").replace(rb"\=", b"")
    _, *tags = unescaped.split(b",")
    assert [pair.count(b"=") for pair in tags] == [1, 1]
    assert fields.endswith(quote(text).encode())


def test_escapes_as_the_reference_says():
    assert escape_measurement("my, data=1") == r"my\,\ data=1"
    assert escape_key("a,b=c d") == r"a\,b\=c\ d"
    assert escape_key("back\\") == "back/"
    assert escape_key("two\nlines") == r"two\ lines"


@pytest.mark.parametrize("name", ["run", "serial", "station", "device", "kind", "time"])
def test_no_field_has_the_name_of_a_tag(name):
    """InfluxDB takes the field where both are there, and a filter by the tag finds nothing."""
    schema = DeviceSchema(1, "cdu", (SignalInfo(f"cdu.{name}"), SignalInfo("cdu.flow")), "cdu")
    writer = LineWriter({"run": "r1", "serial": "S1", "station": "st"})

    def written(qualities, texts=None):
        frame = Frame("cdu", 5, 0.0, np.array([3.0, 8.0]), np.array(qualities, np.uint8), texts or {})
        return split_line(writer.line(StoredFrame(1, frame, schema)))[1]

    assert written([0, 0]) == f"{name}__value=3.0,flow=8.0".encode()
    assert written([7, 0]) == f"{name}__q=7i,flow=8.0".encode()
    assert written([0, 0], {0: "LL9-0042"}) == f'flow=8.0,{name}__text="LL9-0042"'.encode()
