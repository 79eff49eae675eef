"""One connection to a Redfish service: a request, its response, then the next."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ssl

from harness.transport.network import Network
from harness.transport.redfish.http import BadResponse, Response, ResponseParser


class IdleClosed(EOFError):  # noqa: N818 (what has happened, mapped to an error by the client)
    """The service hung up before a byte of the response had come: nothing was answered."""


class Connection(asyncio.Protocol):
    """Owns one stream. After anything but a whole response it is dead."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser: ResponseParser | None = None
        self._answer: asyncio.Future[Response] | None = None
        self._error: Exception | None = None
        self._closed = asyncio.get_running_loop().create_future()
        self.is_used = False
        """Whether a response has come over it."""

    @property
    def is_open(self) -> bool:
        """Whether a request may be sent."""
        return self._transport is not None and self._error is None and not self._transport.is_closing()

    @property
    def violation(self) -> BadResponse | None:
        """What came while nothing was asked."""
        return self._error if isinstance(self._error, BadResponse) else None

    async def open(
        self, network: Network, host: str, port: int, tls: ssl.SSLContext | None, fingerprint: str = ""
    ) -> None:
        """Connect; with `fingerprint` (SHA-256 of the certificate, hex) only to the one that has it."""
        await network.open_stream(host, port, lambda: self)
        if tls is None:
            return
        assert self._transport is not None
        loop = asyncio.get_running_loop()
        secured = await loop.start_tls(self._transport, self, tls, server_hostname=host)
        if secured is None:
            raise EOFError("the connection was closed while it was being secured")
        self._transport = secured
        if fingerprint:
            found = hashlib.sha256(secured.get_extra_info("ssl_object").getpeercert(binary_form=True)).hexdigest()
            if not hmac.compare_digest(found, fingerprint):
                raise ssl.SSLCertVerificationError(f"the certificate has the fingerprint {found}")

    async def ask(self, request: bytes, deadline: float) -> Response:
        """Send a request and return its response, whole until `deadline` (of the loop's time), else TimeoutError."""
        if self._error is not None or self._transport is None:
            raise IdleClosed("the service closed the connection") from self._error
        loop = asyncio.get_running_loop()
        self._parser = ResponseParser()
        answer: asyncio.Future[Response] = loop.create_future()
        self._answer = answer  # before the request is out: in memory its answer is here at once
        timer = loop.call_at(deadline, self._expire, answer)
        try:
            self._transport.write(request)
            response = await answer
        except BaseException:
            self.abort()
            raise
        finally:
            timer.cancel()
            self._answer = self._parser = None
        self.is_used = True
        if not response.keeps_open:
            self.abort()
        return response

    def _expire(self, answer: asyncio.Future[Response]) -> None:
        if not answer.done():
            self._give_up(answer, TimeoutError())

    def _give_up(self, answer: asyncio.Future[Response], error: Exception) -> None:
        """The response will not come whole: a refusal counts by its status line, anything else is the error."""
        refusal = self._parser.refusal() if self._parser is not None else None
        if refusal is not None:
            answer.set_result(refusal)
        else:
            answer.set_exception(error)

    def abort(self) -> None:
        """Let go of the connection at once."""
        if self._error is None:
            self._error = EOFError("closed by the harness")
        if self._transport is not None:
            self._transport.abort()

    async def wait_closed(self) -> None:
        """Until the stream is really gone, one second at most."""
        if self._transport is not None and not self._closed.done():
            await asyncio.wait([self._closed], timeout=1.0)

    # --- the protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The stream is up."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Bytes of the response; or of something that nobody asked for."""
        if self._error is not None:
            return
        answer, parser = self._answer, self._parser
        if answer is None or parser is None or answer.done():
            self._fail(BadResponse(f"nothing was asked, but {len(data)} bytes came"))
            return
        try:
            response = parser.feed(data)
        except BadResponse as error:
            self._fail(error)
            return
        if response is not None:
            answer.set_result(response)

    def eof_received(self) -> None:
        """The service hung up."""
        self._ended(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The stream is gone."""
        if not self._closed.done():
            self._closed.set_result(None)
        self._ended(exc)

    def _ended(self, error: Exception | None) -> None:
        parser, answer = self._parser, self._answer
        if self._error is None and parser is not None and answer is not None and not answer.done():
            whole = parser.end() if error is None else None
            if whole is not None:
                self._error = EOFError("closed behind the response")
                answer.set_result(whole)
                return
            if not parser.has_begun:
                error = IdleClosed("the service closed the connection without an answer")
        self._fail(error or EOFError("the service closed the connection in the middle of a response"))

    def _fail(self, error: Exception) -> None:
        if self._error is None:
            self._error = error
        if self._answer is not None and not self._answer.done():
            self._give_up(self._answer, error)
        if self._transport is not None:
            self._transport.abort()
