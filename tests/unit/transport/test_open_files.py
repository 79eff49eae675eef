"""The limit of open files: raised at the start, and named where it is reached."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys

from harness.errors import Trouble
from harness.transport import openfiles
from harness.transport.foreign import unreachable


def started(code: str, soft: int, hard: int) -> str:
    """What a process of its own prints that begins with these limits."""
    limits = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))  # noqa: E731
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, preexec_fn=limits, check=False)
    return done.stdout + done.stderr


def test_a_command_takes_as_many_files_as_it_may():
    code = "from harness.cli.main import _prepare; _prepare(); from harness.transport import openfiles as o"
    assert started(f"{code}; print(o.limit())", 200, 300) == "300\n"


def test_the_advice_names_the_limit_and_how_to_raise_it_and_not_power_and_cables():
    error = unreachable(OSError(errno.EMFILE, os.strerror(errno.EMFILE)), device="d", operation="open", what="no")
    assert error.trouble is Trouble.OURS
    assert f"all {openfiles.limit()} files" in error.advice
    assert "LimitNOFILE=" in error.advice
    assert "cable" not in error.advice


def test_a_run_that_runs_out_of_files_says_so(tmp_path):
    """300 devices and 64 files: the reason and the advice are those of the files."""
    profile = "environment/modbus_temperature_humidity"
    station = "schema: 1\nstation: s\ndevices:\n" + "".join(
        f'  d{n}: {{profile: {profile}, address: "modbus+tcp://127.0.0.1:{n + 2000}/1"}}\n' for n in range(300)
    )
    (tmp_path / "st.yaml").write_text(station)
    code = (
        "import sys; from harness.cli.main import main\n"
        f"sys.argv = ['harness', 'probe', {str(tmp_path / 'st.yaml')!r}]\nmain()"
    )
    said = started(code, 64, 64)
    assert "Too many open files" in said
    assert "all 64 files that this process may open are in use" in said


def test_what_libraries_say_on_their_own_is_on_no_screen():
    code = (
        "from harness.cli.main import _prepare; _prepare(); import logging\n"
        "logging.getLogger('asyncio').warning('socket.send() raised exception.')\n"
        "class Handle:\n    def __del__(self):\n        raise OSError('gone')\n"
        "Handle()\nprint('on')"
    )
    assert started(code, 200, 200) == "on\n"
