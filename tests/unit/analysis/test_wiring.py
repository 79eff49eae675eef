"""Cabling against its plan: every way of being wrong is named once, and plugging that is right is never accused."""

from __future__ import annotations

import random

import pytest

from harness.analysis.wiring import Kind, Seen, Wired, compare, is_same

PLAN = {f"sw.port[{n}]": Wired(f"tray-{n:02}:eth0", 400e3) for n in range(1, 9)}
RIGHT = {port: Seen(wired.far, wired.speed) for port, wired in PLAN.items()}


def kinds(seen, own=None):
    return [(each.kind, each.ports) for each in compare(PLAN, {**RIGHT, **seen}, own)]


def test_a_rack_that_is_wired_right_has_no_finding():
    assert compare(PLAN, RIGHT) == []


def test_swapped_is_one_finding_with_both_ports_and_both_ends():
    one, two = "sw.port[3]", "sw.port[4]"
    (found,) = compare(PLAN, {**RIGHT, one: RIGHT[two], two: RIGHT[one]})
    assert (found.kind, found.ports) == (Kind.SWAPPED, (one, two))
    assert "sw.port[3] sees tray-04:eth0 and sw.port[4] sees tray-03:eth0" in found.text


def test_three_that_are_rotated_are_each_misplaced():
    a, b, c = (f"sw.port[{n}]" for n in (1, 2, 3))
    found = kinds({a: RIGHT[b], b: RIGHT[c], c: RIGHT[a]})
    assert found == [(Kind.MISPLACED, (a, b)), (Kind.MISPLACED, (b, c)), (Kind.MISPLACED, (c, a))]


def test_a_cable_that_is_missing_and_one_that_nobody_knows():
    assert kinds({"sw.port[5]": Seen("")}) == [(Kind.MISSING, ("sw.port[5]",))]
    assert kinds({"sw.port[5]": Seen("guest:1", 400e3)}) == [(Kind.UNEXPECTED, ("sw.port[5]",))]
    assert kinds({"sw.port[99]": Seen("guest:1")}) == [(Kind.UNEXPECTED, ("sw.port[99]",))]


def test_a_cable_in_a_free_port_is_missing_where_it_belongs():
    found = kinds({"sw.port[5]": Seen(""), "sw.port[40]": RIGHT["sw.port[5]"]})
    assert found == [(Kind.MISSING, ("sw.port[5]",)), (Kind.UNEXPECTED, ("sw.port[40]",))]


def test_the_speed_is_looked_at_where_the_ends_are_right():
    assert kinds({"sw.port[2]": Seen("tray-02:eth0", 100e3)}) == [(Kind.WRONG_SPEED, ("sw.port[2]",))]
    assert kinds({"sw.port[2]": Seen("guest:1", 100e3)}) == [(Kind.UNEXPECTED, ("sw.port[2]",))]
    assert kinds({"sw.port[2]": Seen("tray-02:eth0", None)}) == []


BETWEEN = {"a.port[1]": Wired("leaf-b:Eth7"), "b.port[7]": Wired("leaf-a:Eth1")}
OWN = {"a.port[1]": "leaf-a:Ethernet1", "b.port[7]": "leaf-b:Ethernet7"}


@pytest.mark.parametrize(
    ("back", "expected"),
    [
        ("leaf-a:Ethernet1", []),
        ("", [Kind.ONE_SIDED, Kind.MISSING]),
        ("leaf-a:Ethernet2", [Kind.ONE_SIDED, Kind.UNEXPECTED]),
    ],
)
def test_a_link_between_two_switches_is_seen_from_both_ends(back, expected):
    seen = {"a.port[1]": Seen("leaf-b:Ethernet7"), "b.port[7]": Seen(back)}
    assert [each.kind for each in compare(BETWEEN, seen, OWN)] == expected


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Tray-01:ETH0", "tray-01:eth0"),
        ("tray-01.rack.example:eth0", "tray-01:eth0"),
        ("leaf:Ethernet1/1", "leaf:Eth1/1"),
        ("leaf:Eth 1/1", "leaf:Ethernet1/1"),
        ("nic:0c:42:a1:00:00:01", "nic:0C42.A100.0001"),
    ],
)
def test_texts_of_one_place(first, second):
    assert is_same(first, second)
    assert is_same(second, first)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("tray-01:eth0", "tray-02:eth0"),
        ("tray-01:eth0", "tray-01:eth1"),
        ("tray-01.a:eth0", "tray-01.b:eth0"),
        ("leaf:Ethernet1/1", "leaf:Ethernet1/11"),
        ("leaf:Ethernet1", "leaf:Port1"),
        ("nic:0c:42:a1:00:00:01", "nic:0c:42:a1:00:00:02"),
        ("tray-01", "tray-01:eth0"),
    ],
)
def test_texts_of_two_places(first, second):
    assert not is_same(first, second)
    assert not is_same(second, first)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_plugged_where_every_wrong_port_is_told_and_no_right_one(seed):
    """The judge is the permutation itself: cables are moved at random, some pulled."""
    draw = random.Random(seed)
    ports = list(PLAN)
    ends = [PLAN[port].far for port in ports]
    moved = draw.sample(range(len(ports)), draw.randrange(2, 6))
    for a, b in zip(moved, [*moved[1:], moved[0]], strict=True):
        ends[a], ends[b] = ends[b], ends[a]
    pulled = draw.randrange(len(ports))
    ends[pulled] = ""
    seen = {port: Seen(end, 400e3) for port, end in zip(ports, ends, strict=True)}
    wrong = {port for port, end in zip(ports, ends, strict=True) if end != PLAN[port].far}
    told = {each.ports[0] for each in compare(PLAN, seen)}
    for each in compare(PLAN, seen):
        told |= set(each.ports) if each.kind is Kind.SWAPPED else set()
    assert told == wrong
