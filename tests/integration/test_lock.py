"""One rack, one run: races between processes, locks of the dead, what the second one is told, and who may hold what."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.device.address import parse_address
from harness.errors import RunError
from harness.safety.keys import Key, address_keys, resolved, serial_key
from harness.safety.lock import RackLock, cleaned, digest, find, runs_on_this_machine, tell_users
from harness.safety.names import Doors, ask, bind, listed, own_peer, processes_behind, state_of
from tests.integration.guarded_tools import until

ROOT = Path(__file__).parents[2]
HOLD = """
import asyncio, os, sys, time
from pathlib import Path
from harness.safety.keys import Key
from harness.safety.lock import RackLock
from harness.safety.names import Doors
from harness.errors import RunError
go, device, name, doing = Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
rounds = int(sys.argv[5])
async def one(k):
    while not (go / f"go{k}").exists():
        time.sleep(0.0005)
    try:
        lock = RackLock.take(doing, [Key(device, "pdu at " + device)], run=name, serial="S-1")
    except RunError as error:
        print(f"lost {error}", flush=True)
        lock = None
    else:
        doors = Doors(lambda command, peer: {"ok": True, **lock.about, "pid": os.getpid()})
        await doors.add(lock.sockets)
        print("won", flush=True)
    while not (go / f"end{k}").exists():
        await asyncio.sleep(0.002)
    if lock is not None:
        doors.close()
        lock.release()
    print("done", flush=True)
print("up", flush=True)
for k in range(rounds):
    asyncio.run(one(k))
"""


def start_holder(folder: Path, device: str, name: str, doing: str = "run", rounds: int = 1) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLD, str(folder), device, name, doing, str(rounds)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def end(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture
def device() -> str:
    """A device that no other test of this machine has."""
    return f"tcp 192.0.2.1 {secrets.token_hex(8)}"


@pytest.fixture
def held(tmp_path: Path, device: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has the device."""
    (tmp_path / "go0").touch()
    holder = start_holder(tmp_path, device, "2026-11-22T084500Z-R7-3f9a")
    assert holder.stdout is not None
    assert holder.stdout.readline() == "won\n"
    yield holder
    end(holder)


def race(folder: Path, starters: int, rounds: int) -> list[list[str]]:
    """What each of `starters` processes said in each of `rounds` races."""
    where = f"race {folder}"
    processes = [start_holder(folder, where, f"run-{k}", rounds=rounds) for k in range(starters)]
    try:
        outs = [process.stdout for process in processes if process.stdout is not None]
        results = []
        for k in range(rounds):
            (folder / f"go{k}").touch()
            results.append([out.readline().strip() for out in outs])
            (folder / f"end{k}").touch()
            for out in outs:
                assert out.readline() == "done\n"
        return results
    finally:
        end(*processes)


def take(device: str, doing: str = "run", **about: str) -> RackLock:
    return RackLock.take(doing, [Key(device, f"pdu at {device}")], **about)


def test_of_twenty_starters_exactly_one_wins(tmp_path: Path) -> None:
    for said in race(tmp_path, 20, 10):
        assert sum(line == "won" for line in said) == 1, said
        assert sum("is in use by run-" in line for line in said) == 19, said


def test_the_loser_is_told_who_holds_the_rack(held: subprocess.Popen[str], device: str) -> None:
    with pytest.raises(RunError) as refused:
        take(device)
    text = str(refused.value)
    for part in (device, "2026-11-22T084500Z-R7-3f9a", "S-1", "started 20", f"process {held.pid}", own_peer().user):
        assert part in text
    take(f"{device} of another").release()


def test_a_lock_dies_with_its_holder(held: subprocess.Popen[str], device: str) -> None:
    held.kill()
    killed = time.monotonic()
    held.wait()
    take(device).release()
    assert time.monotonic() - killed < 1.0


def test_what_was_taken_before_a_refusal_is_given_back(held: subprocess.Popen[str], device: str) -> None:
    free = f"{device} free"
    with pytest.raises(RunError):
        RackLock.take("run", [Key(free, "a"), Key(device, "b")])
    take(free).release()


def test_children_do_not_inherit_the_lock_unless_it_is_left_to_them(device: str) -> None:
    lock = take(device)
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        lock.release()
        take(device).release()
    finally:
        child.communicate(b"")
    lock = take(device)
    heir = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"],
        stdin=subprocess.PIPE,
        pass_fds=[each.fileno() for each in lock.sockets],
    )
    try:
        name = f"harness.bay.{digest(device)}"
        lock.release()
        with pytest.raises(RunError):
            take(device)
        assert processes_behind(name) == [heir.pid]
    finally:
        heir.communicate(b"")
    take(device).release()


def test_a_stopped_holder_is_said_to_be_stopped_and_what_to_do(held: subprocess.Popen[str], device: str) -> None:
    os.kill(held.pid, signal.SIGSTOP)
    until(lambda: state_of(held.pid) == "T", 5)
    started = time.monotonic()
    with pytest.raises(RunError) as refused:
        take(device)
    assert time.monotonic() - started < 4
    text = str(refused.value)
    assert f"process {held.pid}) is frozen (state T, stopped)" in text or f"process {held.pid} is frozen" in text, text
    assert f"kill -9 {held.pid}" in text
    assert "harness safe" in text
    os.kill(held.pid, signal.SIGCONT)


def test_while_somebody_makes_the_rack_safe_no_run_begins_and_he_waits_for_nobody(tmp_path: Path, device: str) -> None:
    (tmp_path / "go0").touch()
    first, second = (start_holder(tmp_path, device, "", "safe") for _ in range(2))
    try:
        for holder in (first, second):
            assert holder.stdout is not None
            assert holder.stdout.readline() == "won\n"
        for doing in ("run", "set"):
            with pytest.raises(RunError, match="in use by `harness safe`"):
                take(device, doing)
        end(first)
        with pytest.raises(RunError, match="in use by `harness safe`"):
            take(device)
        take(device, "safe").release()
    finally:
        end(first, second)
    take(device).release()


def test_safe_gets_in_beside_a_run(held: subprocess.Popen[str], device: str) -> None:
    key = Key(device, "pdu")
    lock = RackLock.take("safe", [key])
    (holder,) = tell_users([key], "safe", "default")
    assert (holder.doing, holder.pid, holder.said["serial"]) == ("run", held.pid, "S-1")
    lock.release()


def test_runs_share_what_does_not_energise_and_nobody_sets_it_meanwhile(device: str) -> None:
    shared, alone = Key(device, "cdu", alone=False), Key(device, "cdu")
    first = RackLock.take("run", [shared])
    second = RackLock.take("run", [shared])
    with pytest.raises(RunError, match=r"cdu.*in use by"):
        _answered(lambda: RackLock.take("set", [alone]), first)
    first.release()
    with pytest.raises(RunError):
        RackLock.take("set", [alone])
    second.release()
    setting = RackLock.take("set", [alone], text="cdu.pump to off")
    with pytest.raises(RunError, match=r"in use by `harness set` cdu\.pump to off"):
        _answered(lambda: RackLock.take("run", [shared]), setting)
    setting.release()


def _answered(act, lock: RackLock) -> None:
    """Do something in this thread while another one answers for the lock."""
    loop = asyncio.new_event_loop()
    doors = Doors(lambda command, peer: {"ok": True, **lock.about})
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(doors.add(lock.sockets), loop).result(5)
    try:
        act()
    finally:
        loop.call_soon_threadsafe(doors.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def keys_of(address: str, unit: int | None = None) -> set[str]:
    (found,) = address_keys([(parse_address(address), unit)])
    return set(found)


def test_one_device_under_several_names_has_a_key_in_common() -> None:
    here = keys_of("snmp://127.0.0.1:161")
    for host in ("localhost", "[::1]", "[::ffff:127.0.0.1]"):
        assert keys_of(f"snmp://{host}:161") & here, host
    assert keys_of("snmp://127.0.0.1") == here
    assert not keys_of("snmp://127.0.0.1:162") & here
    assert not keys_of("snmp://127.0.0.2:161") & here, "another loopback address may be a tunnel to another device"
    assert not keys_of("snmp://192.0.2.7:161") & here
    assert keys_of("modbus+tcp://192.0.2.7:502/12") == keys_of("modbus+rtutcp://192.0.2.7", 12)
    assert not keys_of("modbus+tcp://192.0.2.7:502/12") & keys_of("modbus+tcp://192.0.2.7:502/13")
    assert keys_of("TCPIP0::192.0.2.7::5025::SOCKET") == keys_of("tcpip::192.0.2.7::5025::socket")
    assert keys_of("TCPIP::192.0.2.7::INSTR") == keys_of("TCPIP0::192.0.2.7::inst0::INSTR")
    assert resolved(["No-Such-Host.invalid."]) == {"No-Such-Host.invalid.": ["no-such-host.invalid"]}


def test_an_address_of_this_machine_is_this_machine() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        own = probe.getsockname()[0]
    if own.startswith("127."):
        pytest.skip("this machine has no address but loopback")
    assert resolved([own]) == {own: ["127.0.0.1"]}


def test_a_serial_port_is_what_it_is_and_not_what_its_link_is_called(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    try:
        path = os.ttyname(slave)
        found = keys_of(f"ASRL{path}::INSTR")
        link = Path("/dev/shm") / f"usb-adapter-{os.getpid()}"
        link.symlink_to(path)
        try:
            assert keys_of(f"ASRL{link}::INSTR") == found
            assert keys_of(f"modbus+rtu://{link}?baud=19200/7") == keys_of(f"modbus+rtu://{path}?baud=9600/7")
        finally:
            link.unlink()
    finally:
        os.close(master)
        os.close(slave)


@pytest.mark.parametrize(
    "serial",
    ["", "  ", "0", "00000000", "FFFFFFFFFFFF", "N/A", "unknown", "None", "Not set", "123456", "a1", "\0\0\0\0"],
)
def test_what_is_no_serial_number_locks_nothing(serial: str) -> None:
    assert serial_key(serial) == ""


def test_a_serial_number_is_one_however_it_is_written() -> None:
    assert serial_key("5A1234E56789") == serial_key(" 5a1234e56789 ") == serial_key("5A1234-E56789") != ""


def test_what_others_say_is_short_printable_text_or_nothing() -> None:
    said = {"doing": "run\n\x1b[31m", "run": 7, "serial": "x" * 999, "station": ["y"], "plan": "", "evil": "z"}
    assert cleaned(said) == {"doing": "run??[31m", "serial": "x" * 160}


ANSWERS = [b"", b"\n", b"[1]\n", b"{}\n", b"\xff\xfe\n", b'{"ok": true}\n', b'{"doing": 1, "pid": "x"}\n']


@pytest.mark.parametrize("answer", [*ANSWERS, b"[" * 100_000 + b"\n", b"x" * 200_000])
def test_a_stranger_at_the_name_of_a_lock_is_named_by_the_kernel(device: str, answer: bytes) -> None:
    import threading

    stranger = bind(f"harness.bay.{digest(device)}")

    def talk() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = stranger.accept()
                with connection, contextlib.suppress(OSError):
                    connection.recv(4096)
                    connection.sendall(answer)

    thread = threading.Thread(target=talk)
    thread.start()
    with pytest.raises(RunError) as refused:
        take(device)
    stranger.shutdown(socket.SHUT_RDWR)
    thread.join()
    assert f"process {os.getpid()}" in str(refused.value)
    assert str(refused.value).isprintable()
    stranger.close()


def test_a_stranger_who_drips_is_given_up_in_time(device: str) -> None:
    import threading

    stranger = bind(f"harness.bay.{digest(device)}")

    def drip() -> None:
        connection, _ = stranger.accept()
        try:
            while True:
                connection.send(b" ")
                time.sleep(0.05)
        except OSError:
            connection.close()

    thread = threading.Thread(target=drip)
    thread.start()
    started = time.monotonic()
    found = ask(f"harness.bay.{digest(device)}", {"do": "who"}, 0.5)
    assert time.monotonic() - started < 1.5
    assert found is not None
    assert found[1] is None
    thread.join()
    stranger.close()


def test_nobody_at_a_name_is_nobody(device: str) -> None:
    assert find(f"harness.bay.{digest(device)}") is None
    assert tell_users([Key(device, "x")], "safe", "default") == []


def test_names_are_listed_only_while_somebody_listens(device: str) -> None:
    lock = take(device)
    name = f"harness.bay.{digest(device)}"
    assert listed("harness.bay.").count(name) == 1
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(f"\0{name}")
        accepted, _ = lock.sockets[0].accept()
        lock.release()
        assert name not in listed("harness.bay."), "a connection that outlives the lock is none"
        accepted.close()


def test_runs_are_found_by_their_name(tmp_path: Path) -> None:
    run = f"2026-11-22T084500Z-{secrets.token_hex(6)}-3f9a"
    lock = RackLock("run", {"serial": "S-2"})
    lock.take_name(run)
    found: list[str] = []
    _answered(lambda: found.extend(each.run for each in runs_on_this_machine()), lock)
    assert run in found
    lock.release()
    assert json.dumps(listed("harness.run.")).count(run) == 0


@pytest.mark.parametrize(
    "said", [b'{"do": ', b'{"do": "status"}\n' * 2000], ids=["says half a command", "does not take its answers"]
)
def test_who_is_still_on_the_line_is_hung_up_on(said: bytes) -> None:
    """Else the connections of a run would stay open behind it for as long as its callers like."""

    async def main() -> None:
        doors = Doors(lambda command, peer: {"ok": True, "said": "x" * 4096})
        with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as caller:
            listening.bind(f"\0harness-test-{secrets.token_hex(8)}")
            listening.listen()
            await doors.add([listening])
            caller.connect(listening.getsockname())
            caller.setblocking(False)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.get_running_loop().sock_sendall(caller, said), 0.3)
            await asyncio.sleep(0.1)
            doors.close()
            async with asyncio.timeout(2):
                with contextlib.suppress(ConnectionResetError):
                    while await asyncio.get_running_loop().sock_recv(caller, 65536):
                        pass

    asyncio.run(main())
