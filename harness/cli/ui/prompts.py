"""Questions of a plan to the operator, at the terminal, without holding up the loop that watches the rack."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

from harness.cli.ui.terminal import open_keys, typed
from harness.clock import HarnessLoop
from harness.schema.problems import one_line


class Asker:
    """The prompter of a run. `paused()` gives the screen back while a question is open."""

    def __init__(self, write: Callable[[str], object], paused: Callable[[], AbstractContextManager[None]]) -> None:
        self._write = write
        self._paused = paused
        self._is_stopped = False

    def stop(self) -> None:
        """Give up waiting: the run is stopped."""
        self._is_stopped = True

    async def __call__(self, question: str, answers: Sequence[str]) -> str:
        """Ask until one of the answers is given (any text when there are none). Cancelled when the run stops."""
        with self._paused():
            choices = " / ".join(answers)
            while True:
                self._write(f"\n{one_line(question)}\n{one_line(choices)} > ")
                text = (await self._line()).strip()
                chosen = _choose(text, answers)
                if chosen is not None:
                    return chosen
                self._write(f"{one_line(text)!r} is not one of: {one_line(choices)}\n")

    async def _line(self) -> str:
        loop = asyncio.get_running_loop()
        if isinstance(loop, HarnessLoop) and loop.rate == float("inf"):
            return await self._line_in_place()
        answer: asyncio.Future[str] = loop.create_future()
        with _keys() as keys:

            def ready() -> None:
                data = typed(keys)
                if data is None or answer.done():
                    return
                if not data:
                    answer.cancel("the terminal is closed")
                else:
                    answer.set_result(data.decode("utf-8", "replace"))

            loop.add_reader(keys, ready)
            try:
                return await answer
            finally:
                loop.remove_reader(keys)

    async def _line_in_place(self) -> str:
        """In virtual time, time stands still while a person thinks."""
        with _keys() as keys:
            poll = select.poll()
            poll.register(keys, select.POLLIN)
            while not self._is_stopped:
                if poll.poll(200) and (data := typed(keys)) is not None:
                    return data.decode("utf-8", "replace")
        await asyncio.Event().wait()  # the stop request, which is on its way, cancels this
        return ""


@contextlib.contextmanager
def _keys() -> Iterator[int]:
    keys = open_keys()
    try:
        yield keys
    finally:
        os.close(keys)


def _choose(text: str, answers: Sequence[str]) -> str | None:
    """The answer that was meant: the exact one, or the only one that begins so; Enter means the only answer."""
    if not answers:
        return text or None
    if not text:
        return answers[0] if len(answers) == 1 else None
    folded = text.casefold()
    exact = [answer for answer in answers if answer.casefold() == folded]
    near = exact or [answer for answer in answers if answer.casefold().startswith(folded)]
    return near[0] if len(near) == 1 else None
