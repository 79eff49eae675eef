"""A device that answers and refuses, or connects and is mute: power and cable are not to blame."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.cli_tools import harness


def refuses(code: int) -> Callable[[socket.socket], None]:
    """A Modbus TCP server that knows no register at all."""

    def serve(conn: socket.socket) -> None:
        while len(head := conn.recv(8, socket.MSG_WAITALL)) == 8:
            transaction, _, length, unit, function = struct.unpack(">HHHBB", head)
            conn.recv(length - 2, socket.MSG_WAITALL)
            conn.sendall(struct.pack(">HHHBBB", transaction, 0, 3, unit, function | 0x80, code))

    return serve


def says(answers: dict[bytes, bytes]) -> Callable[[socket.socket], None]:
    """An instrument that answers what is in the table, and nothing else."""

    def serve(conn: socket.socket) -> None:
        for line in map(bytes.strip, conn.makefile("rb")):
            if line in answers:
                conn.sendall(answers[line] + b"\n")

    return serve


@contextlib.contextmanager
def server(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as door:

        def talk(conn: socket.socket) -> None:
            with contextlib.suppress(OSError), conn:
                serve(conn)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=talk, args=(door.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield door.getsockname()[1]
        door.shutdown(socket.SHUT_RDWR)


FINE = "so power and cable are fine"
OTHERS = {
    "a CDU that has no such register": (
        refuses(2), "cdu/meta_rpu", "modbus+tcp://127.0.0.1:{}/12",
        ("model reads nothing (refused by the device)", FINE, "another unit"),
    ),
    "a CDU that knows no such function": (
        refuses(1), "cdu/meta_rpu", "modbus+tcp://127.0.0.1:{}/12", ("(refused by the device)", FINE),
    ),
    "a gateway without the unit": (
        refuses(11), "cdu/meta_rpu", "modbus+tcp://127.0.0.1:{}/12", ("the gateway cannot reach unit 12",),
    ),
    "an instrument that answers ERROR for its name": (
        says({b"SYST:ERR?": b"0", b"*IDN?": b"ERROR"}), "daq/keysight_34461a", "TCPIP::127.0.0.1::{}::SOCKET",
        ("it answers 'ERROR'", FINE),
    ),
    "an instrument that answers BUSY to everything": (
        says({b"SYST:ERR?": b"BUSY", b"*IDN?": b"BUSY"}), "daq/keysight_34461a", "TCPIP::127.0.0.1::{}::SOCKET",
        ("got 'BUSY'", FINE),
    ),
    "something that connects and is mute": (
        says({}), "daq/keysight_34461a", "TCPIP::127.0.0.1::{}::SOCKET",
        ("no answer within", "it takes connections, so power and network are fine", "check the port"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", OTHERS)
def test_who_answers_is_not_told_to_be_unplugged(case: str, tmp_path: Path) -> None:
    serve, profile, address, expected = OTHERS[case]
    with server(serve) as port:
        (tmp_path / "st.yaml").write_text(
            f'schema: 1\nstation: s\ndevices:\n  d: {{profile: {profile}, address: "{address.format(port)}"}}\n'
        )
        reported = harness("probe", str(tmp_path / "st.yaml"), data=tmp_path)
    assert reported.returncode == 3
    for words in expected:
        assert words in reported.stdout
    assert "check power" not in reported.stdout


def test_who_does_not_even_connect_may_be_unplugged(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    (tmp_path / "st.yaml").write_text(
        "schema: 1\nstation: s\ndevices:\n"
        f'  d: {{profile: daq/keysight_34461a, address: "TCPIP::127.0.0.1::{port}::SOCKET"}}\n'
    )
    reported = harness("probe", str(tmp_path / "st.yaml"), data=tmp_path)
    assert reported.returncode == 3
    assert "takes connections" not in reported.stdout
