"""SCPI instruments of the simulator: the line server over TCP, and an interpreter to declare commands with.

```
interpreter = ScpiInterpreter("ACME,LOAD-1,SN17,1.0")
interpreter.on("[SOURce:]CURRent[:LEVel]", lambda c: load.set(c.number(0, unit="A", minimum=0, maximum=500)))
interpreter.on("MEASure:VOLTage?", lambda c: load.volts)
```

Messages follow IEEE 488.2 and SCPI-99: ";" joins commands, the header path carries over, ":" returns to the root,
errors go to a queue of 20 and to the event status register.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from sim.servers import scpi_values
from sim.servers.host import PacedProtocol
from sim.servers.scpi_values import ScpiError

__all__ = ["Call", "ScpiDevice", "ScpiError", "ScpiInterpreter", "ScpiServer", "StatusDevice", "StatusRegister", "Talk"]

MAX_LINE = 64 * 1024
QUEUE_SIZE = 20
_CACHE_SIZE = 2048

ERROR_QUEUE, MESSAGE_AVAILABLE, EVENT_SUMMARY, REQUEST_SUMMARY = 4, 16, 32, 64
"""Bits of the status byte used here (IEEE 488.2, 11.2; SCPI-99 vol. 1, 9.1); 8 and 128 summarise the registers."""


class ScpiDevice(Protocol):
    """Anything that answers a line."""

    def handle(self, line: str) -> str | None:
        """Obey one program message without its terminator; the response message without one, or None."""
        ...


@runtime_checkable
class StatusDevice(Protocol):
    """A device with an error queue and a status byte, as every real instrument has."""

    def push_error(self, code: int) -> None:
        """Put a standard error into the queue."""
        ...

    def status_byte(self) -> int:
        """The serial poll byte without MAV, which the connection knows."""
        ...

    def device_clear(self) -> None:
        """Forget half a message; settings, queue and registers stay (IEEE 488.2, 5.8)."""
        ...


@dataclass(frozen=True)
class Call:
    """What a command was called with: raw parameters, and the numeric suffixes of the nodes marked "#" (1 if none)."""

    header: str
    parameters: tuple[str, ...]
    suffixes: tuple[int, ...]

    def text(self, index: int = 0) -> str:
        """Parameter `index`, quotes removed; -109 when it is missing."""
        if index >= len(self.parameters):
            raise ScpiError(-109)
        text = self.parameters[index]
        if len(text) >= 2 and text[0] in "\"'" and text[-1] == text[0]:
            return text[1:-1].replace(text[0] * 2, text[0])
        return text

    def number(
        self,
        index: int = 0,
        *,
        unit: str = "",
        minimum: float = float("-inf"),
        maximum: float = float("inf"),
        default: float | None = None,
    ) -> float:
        """Parameter `index` as a number in `unit`; MIN, MAX and DEF give the limits and the default."""
        return scpi_values.number(self.text(index), unit=unit, minimum=minimum, maximum=maximum, default=default)

    def boolean(self, index: int = 0) -> bool:
        """Parameter `index`: ON, OFF or a number."""
        return scpi_values.boolean(self.text(index))

    def word(self, index: int, *choices: str) -> str:
        """Parameter `index` as one of `choices`, written as in a manual ("CURRent"); gives the choice."""
        word = self.text(index).strip().upper()
        for choice in choices:
            if word in scpi_values.forms(choice):
                return choice
        raise ScpiError(-141)

    def channels(self, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """The channel list, which is the last parameter; `default` when there is none."""
        if self.parameters and self.parameters[-1].startswith("(@"):
            return scpi_values.channels(self.parameters[-1])
        if default:
            return default
        raise ScpiError(-109)


Function = Callable[[Call], object]


class StatusRegister:
    """A SCPI status register: the condition latches into the event, the event under the enable is the summary."""

    def __init__(self) -> None:
        self.event = 0
        self.enable = 0
        self._condition = 0

    @property
    def condition(self) -> int:
        """What holds now, 15 bits."""
        return self._condition

    @condition.setter
    def condition(self, bits: int) -> None:
        self.event |= bits & ~self._condition
        self._condition = bits

    def take_event(self) -> int:
        """Read and clear the event."""
        event, self.event = self.event, 0
        return event

    @property
    def is_summarised(self) -> bool:
        """Whether an enabled event is set."""
        return bool(self.event & self.enable)


class ScpiInterpreter:
    """A device whose commands are declared with `on`, with the common commands and the status system in place."""

    def __init__(self, identity: str, *, version: str = "1999.0") -> None:
        self.identity = identity
        self.errors: deque[tuple[int, str]] = deque()
        self.questionable = StatusRegister()
        self.operation = StatusRegister()
        self.event_status = 0x80  # power on
        self.event_enable = 0
        self.request_enable = 0
        self.on_reset: Callable[[], None] | None = None
        self._commands: list[tuple[re.Pattern[str], Function, tuple[int, int]]] = []
        self._found: dict[str, tuple[Function, tuple[int, int], tuple[int, ...]]] = {}
        self._declare_required(version)

    def on(self, pattern: str, function: Function, *, parameters: int | tuple[int, int] = (0, 32)) -> None:
        """Declare a command or query as a manual prints it: "OUTPut#[:STATe]", "MEASure[:SCALar]:VOLTage[:DC]?".

        Capitals are the short form, [] is optional, "#" takes a numeric suffix, a final "?" makes a query.
        `parameters` is how many it takes (or fewest and most). The function gets a Call; what it returns is the
        reply of a query; it may raise ScpiError. A later declaration of the same header wins.
        """
        limits = (parameters, parameters) if isinstance(parameters, int) else parameters
        self._commands.insert(0, (_compile(pattern), function, limits))
        self._found.clear()

    def push_error(self, code: int, text: str = "") -> None:
        """Queue an error and set its bit of the event status register; a full queue ends with -350."""
        message = text or scpi_values.MESSAGES.get(code, "SimulatedDevice-specific error")
        kind = -code // 100 if code < 0 else 3
        self.event_status |= {1: 0x20, 2: 0x10, 3: 0x08, 4: 0x04}.get(kind, 0x08)
        if len(self.errors) < QUEUE_SIZE:
            self.errors.append((code, message))
        else:
            self.errors[-1] = (-350, scpi_values.MESSAGES[-350])

    def status_byte(self) -> int:
        """The status byte without MAV."""
        byte = ERROR_QUEUE if self.errors else 0
        byte |= 8 if self.questionable.is_summarised else 0
        byte |= 128 if self.operation.is_summarised else 0
        byte |= EVENT_SUMMARY if self.event_status & self.event_enable else 0
        return byte | (REQUEST_SUMMARY if byte & self.request_enable else 0)

    def device_clear(self) -> None:
        """Nothing is half done between two lines."""

    def handle(self, line: str) -> str | None:
        """Obey one line. After a command error the rest of the line is dropped, after another it goes on."""
        replies: list[str] = []
        path = ""
        for unit in scpi_values.split(line, ";"):
            message = unit.strip()
            if not message:
                continue
            header, _, rest = message.replace("\t", " ").partition(" ")
            full = header if header.startswith("*") else header[1:] if header.startswith(":") else path + header
            try:
                value = self._obey(full.upper(), rest.strip())
            except ScpiError as error:
                self.push_error(error.code, str(error))
                if -200 < error.code <= -100:
                    break
            else:
                if value is not None:
                    replies.append(value)
            if not header.startswith("*"):
                path = full[: full.rfind(":") + 1]
        return ";".join(replies) if replies else None

    def _obey(self, header: str, rest: str) -> str | None:
        function, (fewest, most), suffixes = self._find(header)
        parameters = tuple(part.strip() for part in scpi_values.split(rest, ",")) if rest else ()
        if len(parameters) < fewest:
            raise ScpiError(-109)
        if len(parameters) > most:
            raise ScpiError(-108)
        value = function(Call(header, parameters, suffixes))
        return scpi_values.reply(value) if header.endswith("?") else None

    def _find(self, header: str) -> tuple[Function, tuple[int, int], tuple[int, ...]]:
        found = self._found.get(header)
        if found is None:
            for pattern, function, limits in self._commands:
                match = pattern.fullmatch(header)
                if match is not None:
                    found = function, limits, tuple(int(group or 1) for group in match.groups())
                    break
            else:
                raise ScpiError(-113, header[:40])
            if len(self._found) >= _CACHE_SIZE:
                self._found.clear()
            self._found[header] = found
        return found

    def _declare_required(self, version: str) -> None:
        """IEEE 488.2 common commands and the SCPI required set."""
        self.on("*IDN?", lambda _: self.identity, parameters=0)
        self.on("*RST", lambda _: self.on_reset() if self.on_reset else None, parameters=0)
        self.on("*CLS", self._clear_status, parameters=0)
        self.on("*OPC", self._complete, parameters=0)
        self.on("*OPC?", lambda _: 1, parameters=0)
        self.on("*WAI", lambda _: None, parameters=0)
        self.on("*TST?", lambda _: 0, parameters=0)
        self.on("*ESR?", self._take_event_status, parameters=0)
        self.on("*ESE", self._set_event_enable, parameters=1)
        self.on("*ESE?", lambda _: self.event_enable, parameters=0)
        self.on("*SRE", self._set_request_enable, parameters=1)
        self.on("*SRE?", lambda _: self.request_enable, parameters=0)
        self.on("*STB?", lambda _: self.status_byte(), parameters=0)
        self.on("SYSTem:ERRor[:NEXT]?", self._next_error, parameters=0)
        self.on("SYSTem:ERRor:COUNt?", lambda _: len(self.errors), parameters=0)
        self.on("SYSTem:VERSion?", lambda _: version, parameters=0)
        self.on("STATus:PRESet", self._preset, parameters=0)
        for name, register in (("QUEStionable", self.questionable), ("OPERation", self.operation)):
            self._declare_register(f"STATus:{name}", register)

    def _declare_register(self, header: str, register: StatusRegister) -> None:
        def set_enable(call: Call) -> None:
            register.enable = int(call.number(0, minimum=0, maximum=32767))

        self.on(f"{header}[:EVENt]?", lambda _: register.take_event(), parameters=0)
        self.on(f"{header}:CONDition?", lambda _: register.condition, parameters=0)
        self.on(f"{header}:ENABle?", lambda _: register.enable, parameters=0)
        self.on(f"{header}:ENABle", set_enable, parameters=1)

    def _next_error(self, _: Call) -> str:
        code, text = self.errors.popleft() if self.errors else (0, scpi_values.MESSAGES[0])
        return f'{code},"{text}"'

    def _clear_status(self, _: Call) -> None:
        self.errors.clear()
        self.event_status = 0
        self.questionable.event = self.operation.event = 0

    def _complete(self, _: Call) -> None:
        self.event_status |= 1

    def _take_event_status(self, _: Call) -> int:
        status, self.event_status = self.event_status, 0
        return status

    def _set_event_enable(self, call: Call) -> None:
        self.event_enable = int(call.number(0, minimum=0, maximum=255))

    def _set_request_enable(self, call: Call) -> None:
        self.request_enable = int(call.number(0, minimum=0, maximum=255)) & ~REQUEST_SUMMARY

    def _preset(self, _: Call) -> None:
        self.questionable.enable = self.operation.enable = 0


def _compile(pattern: str) -> re.Pattern[str]:
    """The manual's notation as a regular expression on the whole upper-case header."""
    expression: list[str] = []
    for token in re.findall(r"[A-Za-z0-9_]+|.", pattern):
        if token == "[":
            expression.append("(?:")
        elif token == "]":
            expression.append(")?")
        elif token == "#":
            expression.append("([0-9]{1,6})?")
        elif token in ("*", "?", ":"):
            expression.append(re.escape(token))
        elif token[0].isalnum():
            expression.append("(?:" + "|".join(map(re.escape, dict.fromkeys(reversed(scpi_values.forms(token))))) + ")")
        else:
            raise ValueError(f"{pattern!r}: {token!r} has no meaning in a command header")
    return re.compile("".join(expression))


@dataclass(frozen=True, slots=True)
class Talk:
    """What a device says besides its replies, as bytes."""

    greeting: bytes = b""
    prompt: bytes = b""
    """Behind the greeting, every reply and every setting."""
    acknowledge: bytes = b""
    """To a line that has no reply."""
    echo: bool = False

    def around(self, line: bytes, reply: bytes) -> bytes:
        """What a line is answered with."""
        return (line + b"\r\n" if self.echo else b"") + (reply or self.acknowledge) + self.prompt


class ScpiServer:
    """One device, and the protocol that serves it over TCP: `host.serve_stream(server.tcp)`.

    `tamper` (line, honest reply) -> bytes sent instead, terminator included, is where a device lies.
    """

    def __init__(self, device: ScpiDevice, talk: Talk | None = None) -> None:
        self.device = device
        self.talk = talk or Talk()
        self.tamper: Callable[[str, str | None], bytes] | None = None

    def tcp(self) -> asyncio.Protocol:
        """A protocol for one raw socket connection."""
        return _LineProtocol(self)


class _LineProtocol(PacedProtocol):
    """Lines ended by LF or CR LF. A line longer than MAX_LINE is dropped up to its end, as -363."""

    def __init__(self, server: ScpiServer) -> None:
        self._server = server
        self._rest = bytearray()
        self._is_overrun = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._server.talk.greeting:
            self.transport.write(self._server.talk.greeting)

    def data_received(self, data: bytes) -> None:
        scanned = len(self._rest)
        self._rest += data
        start = 0
        replies: list[bytes] = []
        while (end := self._rest.find(b"\n", max(start, scanned))) >= 0:
            line = bytes(self._rest[start:end])
            start = end + 1
            if self._is_overrun or len(line) > MAX_LINE:
                self._is_overrun = False
                self._overrun()
            else:
                replies.append(self._server.talk.around(line, self._answer(line)))
        del self._rest[:start]
        if len(self._rest) > MAX_LINE:
            self._is_overrun = True
            self._rest.clear()
        out = b"".join(replies)
        if out:
            self.transport.write(out)

    def _answer(self, line: bytes) -> bytes:
        text = line.removesuffix(b"\r").decode("latin-1")
        reply = self._server.device.handle(text)
        if self._server.tamper is not None:
            return self._server.tamper(text, reply)
        return b"" if reply is None else reply.encode("latin-1", "replace") + b"\n"

    def _overrun(self) -> None:
        if isinstance(self._server.device, StatusDevice):
            self._server.device.push_error(-363)
