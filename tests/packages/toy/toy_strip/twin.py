"""A simulated strip; it shares no code with the client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sim.servers.host import Host, PacedProtocol
from sim.twin import SimulatedDevice
from sim.twins.points import Twin, command_value, controls, points


class Strip(PacedProtocol):
    """One connection to it."""

    def __init__(self, twin: Twin) -> None:
        self._twin = twin
        self._rest = b""
        self._shown: dict[str, Callable[[], str]] = {}
        for point in points(twin).values():
            name = twin.fill(point.spec.name, point.index)
            words = list(point.spec.answers.values())
            self._shown[name] = point.text or _number(point.number, words)
        self._taken = {twin.fill(spec.name, index): (spec, index) for _, _, index, spec, _ in controls(twin)}

    def data_received(self, data: bytes) -> None:
        """Answer every line."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self.transport.write(self._answer(*line.decode("ascii").split(" ", 2)).encode("ascii") + b"\n")

    def _answer(self, verb: str, name: str = "", value: str = "") -> str:
        if self._twin.refuses:
            return f"NO {name}: busy"
        if verb == "GET" and name in self._shown:
            self._twin.sources.refresh()
            return f"{name}={self._shown[name]()}"
        spec, index = self._taken.get(name, (None, None))
        word = next((word for word, text in spec.texts.items() if text == value), "") if spec is not None else ""
        if verb != "SET" or not word:
            return f"NO {name}: unknown"
        self._twin.command(self._twin.variable(spec.sim, index), command_value(spec, word, 0.0), spec.unit)
        return f"OK {name}"


def _number(read: Any, words: list[str]) -> Callable[[], str]:
    return lambda: words[int(read())] if words else f"{read():.6g}"


async def serve(twin: Twin, entry: Any, host: Host, port: int) -> SimulatedDevice:
    """Start it."""
    listener = await host.serve_stream(lambda: Strip(twin), port)
    hint = f"printf 'GET power\\n' | nc -q 1 127.0.0.1 {listener.port}"
    return SimulatedDevice(twin, listener, f"toy+tcp://127.0.0.1:{listener.port}", (hint,))
