"""Redfish, read only: a strict HTTP/1.1 client and the resources it is asked for."""

from __future__ import annotations

from harness.transport.redfish.client import RedfishClient
from harness.transport.redfish.tls import Tls

__all__ = ["RedfishClient", "Tls"]
