"""Coalescing: few requests, within what the device allows, every point inside exactly one of them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.device.modbus.plan import FUNCTION, coalesce
from harness.device.points import expand
from harness.schema.profiles.modbus import ModbusProfile

LENGTH = {"u16": 1, "u32": 2, "f64": 4}


def profile(signals: dict, **options) -> ModbusProfile:
    return ModbusProfile.model_validate(
        {
            "schema": 1,
            "profile": "meter/test",
            "title": "Test",
            "class": "meter",
            "protocol": "modbus",
            "source": "made up",
            "unverified": "made up",
            "modbus": options,
            "signals": signals,
        }
    )


def spans(signals: dict, **options) -> list[tuple[int, int, int]]:
    """(function, address, count) of each request."""
    made = profile(signals, **options)
    return [(s.function, s.address, s.count) for s in coalesce(made, list(expand(made).signals.values()))]


def at(*addresses: int, **more) -> dict:
    return {f"s{address}": {"address": address, **more} for address in addresses}


@pytest.mark.parametrize(
    ("signals", "options", "expected"),
    [
        (at(10, 11, 12), {}, [(3, 10, 3)]),
        (at(12, 10, 11), {}, [(3, 10, 3)]),
        (at(10, 19), {"max_gap": 8}, [(3, 10, 10)]),
        (at(10, 20), {"max_gap": 8}, [(3, 10, 1), (3, 20, 1)]),
        (at(10, 12), {"max_gap": 0}, [(3, 10, 1), (3, 12, 1)]),
        (at(10, 11, 12, 13), {"max_span": 2}, [(3, 10, 2), (3, 12, 2)]),
        (at(10, 14), {"max_gap": 8, "forbidden": [[12, 12]]}, [(3, 10, 1), (3, 14, 1)]),
        (at(10, 11), {"one_per_request": True}, [(3, 10, 1), (3, 11, 1)]),
        (at(10, 11, table="input"), {}, [(4, 10, 2)]),
        ({**at(10), **at(11, table="input")}, {}, [(3, 10, 1), (4, 11, 1)]),
        (at(3, 5, table="coil"), {}, [(1, 3, 3)]),
        ({**at(10, 12), "c": {"address": 11, "clear_on_read": True}}, {}, [(3, 10, 1), (3, 11, 1), (3, 12, 1)]),
        ({"a": {"address": 10, "bit": 1}, "b": {"address": 10, "bit": 2}}, {}, [(3, 10, 1)]),
        ({"a": {"address": 10, "type": "f64"}, "b": {"address": 12, "type": "u32"}}, {}, [(3, 10, 4)]),
        (at(1, 2, 3), {"address_base": 1}, [(3, 0, 3)]),
    ],
)
def test_rules(signals, options, expected):
    assert spans(signals, **options) == expected


entries = st.lists(
    st.tuples(st.integers(0, 300), st.sampled_from(["u16", "u32", "f64"]), st.sampled_from(["holding", "input"])),
    min_size=1,
    max_size=40,
    unique_by=lambda entry: (entry[0], entry[2]),
)


@given(entries, st.integers(4, 125), st.integers(0, 20), st.integers(0, 300), st.integers(0, 30))
def test_every_point_is_in_one_request_and_no_request_breaks_a_rule(points, max_span, max_gap, first, length):
    forbidden = [first, first + length]

    def touches(address, kind):
        return address <= forbidden[1] and forbidden[0] < address + LENGTH[kind]

    wanted = [entry for entry in points if not touches(entry[0], entry[1])]
    if not wanted:
        return
    signals = {
        f"s{k}": {"address": address, "type": kind, "table": table} for k, (address, kind, table) in enumerate(wanted)
    }
    made = profile(signals, max_span=max_span, max_gap=max_gap, forbidden=[forbidden])
    plan = coalesce(made, list(expand(made).signals.values()))
    assert sorted(member for span in plan for member in span.members) == list(range(len(wanted)))
    place = 0
    for span in plan:
        assert span.start == place
        place += span.count
        assert 1 <= span.count <= max_span
        registers = set(range(span.address, span.address + span.count))
        assert not registers & set(range(forbidden[0], forbidden[1] + 1))
        used = set()
        for member in span.members:
            address, kind, table = wanted[member]
            own = set(range(address, address + LENGTH[kind]))
            assert FUNCTION[table] == span.function
            assert own <= registers
            used |= own
        assert {span.address, span.address + span.count - 1} <= used, "nothing is read at the ends for nobody"
        gap = longest = 0
        for register in sorted(registers):
            gap = 0 if register in used else gap + 1
            longest = max(longest, gap)
        assert longest <= max_gap


@given(entries)
def test_without_limits_neighbours_share_a_request(points):
    signals = {
        f"s{k}": {"address": address, "type": kind, "table": table} for k, (address, kind, table) in enumerate(points)
    }
    made = profile(signals, max_span=125, max_gap=20)
    plan = coalesce(made, list(expand(made).signals.values()))
    for one, other in pairwise(plan):
        if one.function == other.function:
            apart = other.address - (one.address + one.count) > 20
            too_long = other.address + max(LENGTH[points[m][1]] for m in other.members) - one.address > 125
            assert apart or too_long, "two requests where one would do"
