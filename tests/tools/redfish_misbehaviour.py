"""What lying Redfish services say: one function a lie, to be set as a service's `tamper`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from sim.servers.redfish import Request, Tamper

HTML = b"<html><head><title>Please log in</title></head><body>401</body></html>"


def _split(sent: bytes) -> tuple[bytes, bytes]:
    head, _, body = sent.partition(b"\r\n\r\n")
    return head, body


def _head(change: Callable[[bytes], bytes]) -> Tamper:
    """Change the headers, leave the body."""

    def lie(_: Request, sent: bytes) -> bytes:
        head, body = _split(sent)
        return change(head) + b"\r\n\r\n" + body

    return lie


def _body(change: Callable[[bytes], bytes]) -> Tamper:
    """Change the body; its length is reported as it then is."""

    def lie(_: Request, sent: bytes) -> bytes:
        head, body = _split(sent)
        body = change(body)
        head = re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % len(body), head)
        return head + b"\r\n\r\n" + body

    return lie


def _length(change: Callable[[int], bytes]) -> Tamper:
    return _head(
        lambda head: re.sub(rb"Content-Length: (\d+)", lambda m: b"Content-Length: " + change(int(m[1])), head)
    )


def _status(line: bytes) -> Tamper:
    return _head(lambda head: re.sub(rb"HTTP/1\.1 \d+ [^\r]*", b"HTTP/1.1 " + line, head))


def _add(line: bytes) -> Tamper:
    return _head(lambda head: head + b"\r\n" + line)


def _chunked(sent: bytes, *, size: int = 7, last: bytes = b"0\r\n\r\n", wrong: int = 0) -> bytes:
    head, body = _split(sent)
    head = re.sub(rb"Content-Length: \d+", b"Transfer-Encoding: chunked", head)
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part) + wrong, part) for part in parts)
    return head + b"\r\n\r\n" + chunks + last


def chunked(_: Request, sent: bytes) -> bytes:
    """No lie: the same body in chunks."""
    return _chunked(sent)


class StaleReply:
    """Answers every request with the answer to the one before."""

    def __init__(self) -> None:
        self._last = b""

    def __call__(self, _: Request, sent: bytes) -> bytes:
        """The old answer, first of all nothing."""
        old, self._last = self._last, sent
        return old


OF_ONE_VALUE = frozenset({"NaN", "Infinity"})
"""Lies that spoil one value of a resource, and nothing else of it."""
BEHIND = frozenset({"an answer more", "a byte more"})
"""Lies behind the end of a true response."""


def redfish_lies() -> dict[str, Tamper]:
    """Every lie of a Redfish service, by name. None of them may be believed."""
    return {
        "silence": lambda _, __: b"",
        "length too short": _length(lambda n: b"%d" % (n - 3)),
        "length too long": _length(lambda n: b"%d" % (n + 3)),
        "length negative": _length(lambda _: b"-1"),
        "length in hex": _length(lambda n: b"0x%x" % n),
        "length with a plus": _length(lambda n: b"+%d" % n),
        "length huge": _length(lambda _: b"99999999999"),
        "two lengths": _add(b"Content-Length: 2"),
        "length and chunks": _add(b"Transfer-Encoding: chunked"),
        "no length": _head(lambda head: re.sub(rb"\r\nContent-Length: \d+", b"", head)),
        "chunks without end": lambda _, sent: _chunked(sent, last=b""),
        "chunks longer than told": lambda _, sent: _chunked(sent, wrong=-1),
        "chunk sizes that are none": lambda _, sent: _chunked(sent).replace(b"\r\n7\r\n", b"\r\n-7\r\n"),
        "gzip": _add(b"Content-Encoding: gzip"),
        "bare line feeds": _head(lambda head: head.replace(b"\r\n", b"\n")),
        "a folded header": _add(b" X-Folded: yes"),
        "a header with a blank": _add(b"X Blank: yes"),
        "headers without end": lambda _, __: b"HTTP/1.1 200 OK\r\n" + b"X-Filler: 0123456789\r\n" * 5000,
        "no HTTP": lambda _, __: b"220 mail.example ESMTP\r\n\r\n",
        "HTTP/2": _head(lambda head: head.replace(b"HTTP/1.1", b"HTTP/2", 1)),
        "redirect": lambda _, __: b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n",
        "no content": lambda _, __: b"HTTP/1.1 204 No Content\r\n\r\n",
        "not modified": lambda _, __: b"HTTP/1.1 304 Not Modified\r\n\r\n",
        "accepted, later": _status(b"202 Accepted"),
        "a continue first": lambda _, sent: b"HTTP/1.1 100 Continue\r\n\r\n" + sent,
        "HTML": _body(lambda _: HTML),
        "HTML that says so": lambda _, sent: _body(lambda __: HTML)(_, sent.replace(b"application/json", b"text/html")),
        "no JSON": _body(lambda body: body[:-1]),
        "JSON cut off, then closed": lambda _, sent: sent[:-4].replace(b"OData-Version: 4.0", b"Connection: close"),
        "JSON twice": _body(lambda body: body + body),
        "a list": _body(lambda body: b"[" + body + b"]"),
        "NaN": _body(
            lambda body: re.sub(rb'"Reading": [-0-9.]+', b'"Reading": NaN', body) if b"Reading" in body else b"{NaN}"
        ),
        "Infinity": _body(lambda body: body[:-1] + b', "X": Infinity}'),
        "a key twice": _body(lambda body: body[:-1] + b', "@odata.id": "/redfish/v1/Other"}'),
        "no UTF-8": _body(lambda body: body[:-1] + b', "X": "\xff\xfe"}'),
        "too deep": _body(lambda body: body[:-1] + b', "X": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        "a huge body": _body(lambda body: body[:-1] + b', "X": "' + b"A" * 1_100_000 + b'"}'),
        "another resource": _body(lambda body: _renamed(body, "/redfish/v1/Chassis/1")),
        "no @odata.id": _body(lambda body: _renamed(body, None)),
        "an answer more": lambda _, sent: sent + sent,
        "a byte more": lambda _, sent: sent + b"\n",
        "yesterday's answer": StaleReply(),
    }


def _renamed(body: bytes, name: str | None) -> bytes:
    resource = json.loads(body)
    if name is None:
        resource.pop("@odata.id", None)
    else:
        resource["@odata.id"] = name
    return json.dumps(resource).encode()
