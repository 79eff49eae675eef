"""Parts against a bill: each way of differing is named once, with its part and place."""

from __future__ import annotations

import pytest

from harness.analysis.inventory import Item, Kind, Wanted, compare, is_serial

SUPPLIES = Wanted(count=3, models=("A", "B"), firmwares=("1.0",), serial="S-*")
RIGHT = [Item(f"slot {n}", "A", "1.0", f"S-{n:03}") for n in (1, 2, 3)]


def kinds(items, wanted=SUPPLIES):
    return [(each.kind, each.place) for each in compare({"supply": wanted}, {"supply": items})]


def test_what_is_right_has_no_finding():
    assert kinds(RIGHT) == []


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (Item("slot 3", "C", "1.0", "S-003"), Kind.WRONG_MODEL),
        (Item("slot 3", None, "1.0", "S-003"), Kind.WRONG_MODEL),
        (Item("slot 3", "A", "0.9", "S-003"), Kind.WRONG_FIRMWARE),
        (Item("slot 3", "A", "1.0", "S-001"), Kind.DUPLICATE_SERIAL),
        (Item("slot 3", "A", "1.0", "T-003"), Kind.WRONG_SERIAL),
        (Item("slot 3", "A", "1.0", "N/A"), Kind.NO_SERIAL),
        (Item("slot 3", "A", "1.0", None), Kind.NO_SERIAL),
    ],
)
def test_what_is_wrong_with_one_part_is_one_finding(item, expected):
    assert kinds([*RIGHT[:2], item]) == [(expected, "slot 3")]


def test_too_few_and_too_many():
    assert kinds(RIGHT[:2]) == [(Kind.MISSING, "")]
    assert kinds([*RIGHT, Item("slot 4", "A", "1.0", "S-004")]) == [(Kind.UNEXPECTED, "")]
    assert kinds([]) == [(Kind.MISSING, "")]


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(models=("A",)), Wanted(serial="S-*")])
def test_a_part_of_the_bill_of_which_none_is_there_is_missing(wanted):
    assert [each.kind for each in compare({"part": wanted}, {})] == [Kind.MISSING]
    assert compare({"part": Wanted(count=0, models=("A",))}, {}) == []


def test_places_are_told_by_their_names():
    wanted = Wanted(places=("slot 1", "slot 2", "slot 5"))
    assert kinds(RIGHT, wanted) == [(Kind.MISSING, "slot 5"), (Kind.UNEXPECTED, "slot 3")]


def test_a_serial_number_is_of_one_part_in_the_whole_rack():
    bill = {"supply": Wanted(), "tray": Wanted()}
    there = {"supply": [Item("", serial="X-1")], "tray": [Item("tray 4", serial=" X-1 ")]}
    (found,) = compare(bill, there)
    assert found.text == "duplicate serial number: 'X-1' of supply and of tray, tray 4"


def test_what_the_bill_does_not_ask_for_is_not_judged():
    assert kinds([Item("anything", "?", "?", None)], Wanted()) == []


@pytest.mark.parametrize(
    "text", ["", "  ", "N/A", "none", "0000000000", "FFFF", "----", "To be filled by O.E.M.", None]
)
def test_texts_of_an_empty_memory_are_no_serial_number(text):
    assert not is_serial(text)


@pytest.mark.parametrize("text", ["SIM-pdu", "7K12", "000001"])
def test_serial_numbers(text):
    assert is_serial(text)
