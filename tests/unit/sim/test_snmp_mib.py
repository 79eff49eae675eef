"""The object table of the simulated agent: order, live values, setters, forks, captures."""

from bisect import bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.servers.snmp import TableView, Value, ber
from sim.servers.snmp.mib import EncodedView
from tests.tools.snmprec import load_snmprec

A, B, C = (1, 3, 6, 1, 9, 1), (1, 3, 6, 1, 9, 2), (1, 3, 6, 1, 9, 10)
OIDS = st.lists(st.integers(0, 3), max_size=4).map(lambda tail: (1, 3, *tail))


def walk(view, oid=(0, 0)):
    return [found for found, _ in view.following(oid)]


@given(st.lists(OIDS, unique=True), OIDS)
def test_next_is_the_lexicographic_successor(oids, asked):
    view = TableView((oid, 2, at) for at, oid in enumerate(oids))
    ordered = sorted(oids)
    after = ordered[bisect_right(ordered, asked) :]
    assert walk(view, asked) == after == walk(EncodedView(view), asked)
    found = view.next(asked)
    assert (found[0] if found else None) == (after[0] if after else None)
    assert [binding for _, binding in view.following(asked)] == [b for _, b in EncodedView(view).following(asked)]


def test_live_values_are_asked_every_time_and_none_means_absent():
    reading = {"value": 11}
    view = TableView([(A, 0x42, 1), (B, 0x42, lambda: reading["value"]), (C, 2, 3)])
    assert view.get(B) == Value(0x42, 11)
    reading["value"] = 12
    assert view.binding(ber.encode_oid(B)).endswith(b"\x42\x01\x0c")
    reading["value"] = None
    assert view.get(B) is None
    assert view.binding(ber.encode_oid(B)) is None
    assert walk(view) == [A, C]
    assert view.next(A) == (C, Value(2, 3))


def test_set_checks_kind_and_writability_and_keeps_the_value():
    seen = []
    view = TableView([(A, 2, 1), (B, 2, lambda: 40), (C, 4, b"fixed")])
    view.on_set(A)
    view.on_set(B, seen.append, lambda value: 10 if value.value > 50 else 0)
    assert view.set(A, Value(2, 5)) == 0
    assert view.get(A) == Value(2, 5)
    assert view.set(A, Value(0x42, 6)) == 7
    assert view.set(C, Value(4, b"x")) == 17
    assert view.set((1, 3, 99), Value(2, 1)) == 11
    assert view.check(B, Value(2, 51)) == view.set(B, Value(2, 51)) == 10
    assert view.set(B, Value(2, 49)) == 0
    assert seen == [Value(2, 49)]
    assert view.get(B) == Value(2, 40)
    with pytest.raises(KeyError):
        view.on_set((1, 3, 99))


def test_a_setter_that_refuses_or_writes_elsewhere_is_obeyed():
    view = TableView([(A, 2, 1), (B, 2, 2)])

    def command(value):
        view.put(A, 2, 7)  # the command object reads back its own idea, as real outlets do
        view.put(B, 2, value.value)

    view.on_set(A, command)
    assert view.set(A, Value(2, 3)) == 0
    assert (view.get(A).value, view.get(B).value) == (7, 3)
    view.on_set(B, lambda value: 5)
    assert view.set(B, Value(2, 9)) == 5
    assert view.get(B).value == 3


def test_forks_share_objects_but_not_changes():
    base = TableView([(A, 2, 1), (B, 2, 2)])
    base.on_set(A)
    one, two = base.fork(), base.fork()
    one.put(C, 2, 31)
    two.put(B, 2, 22)
    one.set(A, Value(2, 11))
    base.put((1, 3, 7), 2, 77)
    third = one.fork()
    one.put(B, 2, 99)
    read = [{oid[-1]: view.get(oid).value for oid in view} for view in (base, one, two, third)]
    assert read == [{1: 1, 2: 2, 7: 77}, {1: 11, 2: 99, 10: 31}, {1: 1, 2: 22}, {1: 11, 2: 2, 10: 31}]
    assert base._oids is not two._oids
    assert third._oids is one._oids


def test_a_table_that_grows_during_a_walk_is_walked_in_order():
    view = TableView([(A, 2, 1), (C, 2, 3)])
    view.put((1, 3, 6, 1, 9, 1, 5), 2, lambda: view.put(B, 2, 2) or 4)
    assert walk(view) == [A, (1, 3, 6, 1, 9, 1, 5), B, C]


def test_captures_are_read_with_all_their_faults(tmp_path):
    path = tmp_path / "device.snmprec"
    path.write_bytes(
        b"# a comment\r\n\r\n1.3.6.1.2.1.1.5.0|4|<private>\r\n1.3.6.1.2.1.1.1.0|4|first|with a bar\r\n"
        b"1.3.6.1.2.1.1.1.0|4|last \xff\r\n1.0.8802.1.1|4x|00C0B7E1\r\n1.3.6.1.9.1|64|10.1.2.3\r\n"
        b"1.3.6.1.9.2|64x|0A010204\r\n1.3.6.1.9.3|64|*\r\n1.3.6.1.9.4|66|*\r\n1.3.6.1.9.5|2|4294967291\r\n"
        b"1.3.6.1.9.6|6|1.3.6.1.4.1.99\r\n1.3.6.1.9.7|6|*\r\n1.3.6.1.9.8|70|18446744073709551601\r\n"
        b"1.3.6.1.9.9|4e|a\\x0ab\\\\\r\n1.3.6.1.9.10|5|\r\n1.3.6.1.9.11|129|\r\nnot an object\r\n1.3.6.1.9.12|67|-1\r\n"
        b"3.9.1|2|1\r\n1.3.6.1.9.13|65|4294967299\r\n.1.3.6.1.9.14|2|-8"
    )
    view = load_snmprec(path)
    assert {oid: tuple(view.get(oid)) for oid in view} == {
        (1, 0, 8802, 1, 1): (4, b"\x00\xc0\xb7\xe1"),
        (1, 3, 6, 1, 2, 1, 1, 1, 0): (4, b"last \xff"),
        (1, 3, 6, 1, 2, 1, 1, 5, 0): (4, b"<private>"),
        (1, 3, 6, 1, 9, 1): (0x40, b"\x0a\x01\x02\x03"),
        (1, 3, 6, 1, 9, 2): (0x40, b"\x0a\x01\x02\x04"),
        (1, 3, 6, 1, 9, 3): (0x40, b"\0\0\0\0"),
        (1, 3, 6, 1, 9, 4): (0x42, 0),
        (1, 3, 6, 1, 9, 5): (2, -5),
        (1, 3, 6, 1, 9, 6): (6, (1, 3, 6, 1, 4, 1, 99)),
        (1, 3, 6, 1, 9, 7): (6, (0, 0)),
        (1, 3, 6, 1, 9, 8): (0x46, 18446744073709551601),
        (1, 3, 6, 1, 9, 9): (4, b"a\nb\\"),
        (1, 3, 6, 1, 9, 10): (5, None),
        (1, 3, 6, 1, 9, 12): (0x43, 0xFFFFFFFF),
        (1, 3, 6, 1, 9, 13): (0x41, 3),
        (1, 3, 6, 1, 9, 14): (2, -8),
    }


def test_a_capture_with_old_mac_line_ends_is_read(tmp_path):
    path = tmp_path / "cr.snmprec"
    path.write_bytes(b"1.3.6.1.9.2|2|2\r1.3.6.1.9.1|2|1\r")
    assert list(load_snmprec(path)) == [A, B]
