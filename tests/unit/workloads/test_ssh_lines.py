"""What ssh is told: nothing of a plan gets to a shell, no secret is among it, and no odd address becomes an option."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.workloads.process import SCRIPT
from harness.workloads.ssh import SshFile, SshSettings, host_and_port, remote_line, ssh_arguments

SETTINGS = SshSettings.model_validate({"credentials": {"file": "ssh.cred"}, "known_hosts": "known hosts"})
FILE = SshFile(user="test", key="100%/id")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), min_size=0), max_size=4)
)
def test_a_shell_gives_the_program_exactly_the_arguments_of_the_plan(arguments: list[str]):
    line = remote_line("mark", 1, ["printf", "%s\\0", *arguments])
    theirs, ours = os.pipe()  # as long as it is open nobody asks for the end
    try:
        argv = ["sh", "-c", line]
        done = subprocess.run(argv, stdin=theirs, capture_output=True, timeout=20, check=True, start_new_session=True)
    finally:
        os.close(theirs)
        os.close(ours)
    said = done.stdout.decode()
    assert said == "".join(f"{each}\0" for each in arguments or [""])


def test_the_line_is_one_command_of_one_program():
    assert shlex.split(remote_line("m", 2.2, ["a b", "$(c)"])) == [
        "exec", "sh", "-c", SCRIPT, "harness-workload", "m", "3", "a b", "$(c)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("tray1", ("tray1", 22)),
        ("10.0.0.1:2222", ("10.0.0.1", 2222)),
        ("[fe80::1]:22", ("fe80::1", 22)),
        ("[::1]", ("::1", 22)),
    ],
)
def test_addresses(address: str, found: tuple[str, int]):
    assert host_and_port(address) == found


@pytest.mark.parametrize(
    "address",
    ["", ":22", "-oProxyCommand=x", "a b", "root@tray1", "tray:", "tray:x", "tray:70000", "[::1]22", "t:0", "a%b"],
)
def test_what_is_no_address_is_refused(address: str):
    with pytest.raises(ValueError):
        host_and_port(address)


def test_paths_are_told_as_ssh_reads_them_and_what_it_cannot_read_is_refused():
    argv = ssh_arguments(SETTINGS, FILE, Path("/a b"), "tray1:2222")
    assert 'IdentityFile="/a b/100%%/id"' in argv
    assert 'UserKnownHostsFile="/a b/known hosts"' in argv
    assert argv[-2:] == ["--", "tray1"]
    assert {"BatchMode=yes", "StrictHostKeyChecking=yes", "IdentityAgent=none"} <= set(argv)
    with pytest.raises(HarnessError):
        ssh_arguments(SETTINGS, FILE, Path('/a"b'), "tray1")
