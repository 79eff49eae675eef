"""Writing line protocol to InfluxDB (or VictoriaMetrics) over HTTP, with one explicit outcome a request.

The connection pool, TLS and authorisation are influxdb-client's. Its `write_api` is not used: it reports any 2xx as
success (a login page answers 200), follows redirects with the token, reads bodies without end, and its batching hands
errors to a background thread. What a station needs is one request, one outcome.

Runs in the outbox's thread; nothing here touches the event loop.
"""

from __future__ import annotations

import contextlib
import email.utils
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

from harness.errors import ConfigError
from harness.schema.problems import ProblemsError
from harness.schema.regular import read_regular
from harness.secret import Secret
from harness.transport.hosts import check_url

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 30.0
MAX_BODY_BYTES = 64 * 1024
_MOST_OF_A_TOKEN = 64 * 1024
RETRY_AFTER_S = (1.0, 300.0)
"""Bounds within which a server's Retry-After is honoured."""

_PARTIAL = re.compile(r"partial write|(beyond|outside) .{0,20}retention", re.IGNORECASE)
"""What InfluxDB 2 calls an internal error (500) and is none: some lines are refused for good, the others stored."""


class Outcome(Enum):
    """What a request came to, and so what happens to its lines."""

    STORED = "stored"
    REJECTED = "rejected: at least one line is bad"
    TOO_BIG = "too big: send less at a time"
    DENIED = "denied: the configuration is wrong, a person must act"
    BUSY = "busy: the server says when to come back"
    UNREACHABLE = "unreachable: nobody listens"
    UNAVAILABLE = "unavailable: try later"


@dataclass(frozen=True, slots=True)
class Answer:
    """One outcome in detail. `retry_after_s` is what the server asked for, clamped; None when it asked for nothing."""

    outcome: Outcome
    reason: str = ""
    status: int = 0
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class InfluxSettings:
    """Where telemetry is copied to. `api` v2: org, bucket, token; v1: database, user and password (if any).

    `token_file`, when given, is read again after the server refused the token, so that a new one needs no restart.
    """

    url: str
    org: str = ""
    bucket: str = ""
    token: Secret | None = None
    api: Literal["v2", "v1"] = "v2"
    database: str = ""
    user: str = ""
    password: Secret | None = None
    token_file: Path | None = field(default=None)

    def __post_init__(self) -> None:
        try:
            check_url(self.url)
        except ValueError as error:
            raise ConfigError(f"InfluxDB: {error}") from None
        if self.api == "v2" and not self.bucket:
            raise ConfigError("InfluxDB api v2 needs a bucket")
        if self.api == "v1" and not self.database:
            raise ConfigError("InfluxDB api v1 needs a database")

    @property
    def sink(self) -> str:
        """The name under which positions are kept: the same place has the same name. Holds no secret."""
        place = f"{self.org}/{self.bucket}" if self.api == "v2" else self.database
        return f"influxdb {self.url.rstrip('/')} {place}"


class InfluxWriter:
    """One destination. `send` blocks (at most about a minute) and never raises for what the network does."""

    def __init__(self, settings: InfluxSettings) -> None:
        self.settings = settings
        self._token = settings.token
        self._client: Any = None
        self._headers: dict[str, str] = {}
        self._url = ""

    def send(self, body: bytes) -> Answer:
        """Send lines, joined by newlines, in one request."""
        import urllib3  # with influxdb-client, half a second of import: only where something is sent

        try:
            if self._client is None:
                self._open()
            pool = self._client.api_client.rest_client.pool_manager
            response = pool.request(
                "POST",
                self._url,
                body=body,
                headers=self._headers,
                timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S),
                redirect=False,  # a redirect would carry the token to wherever it points
                retries=False,
                preload_content=False,
                decode_content=False,  # a compressed body is not expanded
            )
        except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError) as error:
            return Answer(Outcome.UNREACHABLE, self._safe(f"cannot connect: {error}"))
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            self.close()
            return Answer(Outcome.UNAVAILABLE, self._safe(f"{type(error).__name__}: {error}"))
        try:
            return self._judge(response.status, response.headers, self._body(response))
        except (urllib3.exceptions.HTTPError, OSError) as error:
            return Answer(Outcome.UNAVAILABLE, self._safe(f"{type(error).__name__}: {error}"), response.status)
        finally:
            # Only an answer without a body leaves the connection in a known state; any other is not used again.
            if response.status == 204:
                response.release_conn()
            else:
                response.close()

    def renew_token(self) -> None:
        """Read the token file again, after the server refused what we have."""
        if self.settings.token_file is not None:
            with contextlib.suppress(ProblemsError, UnicodeDecodeError):
                text = read_regular(self.settings.token_file, _MOST_OF_A_TOKEN).decode().strip()
                if text:
                    self._token = Secret(text)
        self.close()

    def close(self) -> None:
        """Drop the connections; the next `send` opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _open(self) -> None:
        from influxdb_client import InfluxDBClient

        settings = self.settings
        token = self._token.reveal() if self._token is not None else None
        query = {"precision": "ns"}
        if settings.api == "v2":
            path, query = "/api/v2/write", {"org": settings.org, "bucket": settings.bucket} | query
            self._client = InfluxDBClient(url=settings.url, token=token, org=settings.org)
        else:
            path, query = "/write", {"db": settings.database} | query
            if settings.user:
                password = settings.password.reveal() if settings.password is not None else ""
                self._client = InfluxDBClient(url=settings.url, token=f"{settings.user}:{password}", auth_basic=True)
            else:
                self._client = InfluxDBClient(url=settings.url, token=token)
        self._url = f"{settings.url.rstrip('/')}{path}?{urlencode(query)}"
        self._headers = {"Content-Type": "text/plain; charset=utf-8", **self._client.api_client.default_headers}

    def _body(self, response: Any) -> bytes:
        """At most 64 KiB of the body, within the read timeout in all."""
        if response.status == 204:
            return b""
        deadline = time.monotonic() + READ_TIMEOUT_S
        body = b""
        read = getattr(response, "read1", response.read)  # read1 (urllib3 2) returns what is there
        while len(body) < MAX_BODY_BYTES and time.monotonic() < deadline:
            part = read(MAX_BODY_BYTES - len(body))
            if not part:
                break
            body += part
        return body

    def _judge(self, status: int, headers: Mapping[str, str], body: bytes) -> Answer:
        shown = self._safe(body.decode("utf-8", "replace")) if "content-encoding" not in headers else "(compressed)"
        reason = f"HTTP {status} {shown}".rstrip()
        if status == 204:
            return Answer(Outcome.STORED, "", status)
        if status in (400, 422) or (status >= 500 and _PARTIAL.search(shown)):
            return Answer(Outcome.REJECTED, reason, status)
        if status == 413:
            return Answer(Outcome.TOO_BIG, reason, status)
        if status in (429, 503):
            return Answer(Outcome.BUSY, reason, status, retry_after(headers.get("retry-after")))
        if status in (408, 425) or status >= 500:
            return Answer(Outcome.UNAVAILABLE, reason, status)
        if 200 <= status < 300:
            reason = f"{reason}: not InfluxDB, a write is answered with 204"
        elif 300 <= status < 400:
            target = self._safe(headers.get("location", ""))
            reason = f"HTTP {status} redirects to {target!r}: not followed, correct the url"
        return Answer(Outcome.DENIED, reason, status)

    def _safe(self, text: str) -> str:
        """Foreign text for people: one short line without control characters, and without our secrets."""
        for secret in (self._token, self.settings.password):
            if secret is not None and secret.reveal():
                text = text.replace(secret.reveal(), "***")
        return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text)[:200].strip()


def retry_after(header: str | None, now: float | None = None) -> float | None:
    """Seconds that a Retry-After header (seconds or HTTP date) asks for, clamped to 1 s .. 5 min; None: nonsense.

    `now` is seconds since 1970, for the date form (RFC 9110, 10.2.3).
    """
    if header is None:
        return None
    low, high = RETRY_AFTER_S
    text = header.strip()
    if re.fullmatch(r"[+-]?[0-9]+", text):
        return low if text.startswith("-") else high if len(text) > 9 else min(max(float(text), low), high)
    try:
        moment = email.utils.parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(moment - (time.time() if now is None else now), low), high)
