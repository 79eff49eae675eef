"""How a Redfish service proves who it is."""

from __future__ import annotations

import ssl
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tls:
    """How the service proves who it is: by the system's authorities, by one file of them, or by its fingerprint."""

    ca: str = ""
    """File of certificates (PEM) to trust instead of the system's."""
    fingerprint: str = ""
    """SHA-256 of the service's own certificate, 64 hexadecimal digits: for certificates that sign themselves."""
    unchecked: bool = False
    """Anybody may answer: encrypted, but not proved."""

    def context(self) -> ssl.SSLContext:
        """As asyncio wants it. OSError when the file cannot be read."""
        context = ssl.create_default_context(cafile=self.ca or None)
        if self.fingerprint or self.unchecked:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context
