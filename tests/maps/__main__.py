"""Writes docs/reference/maps.md; stops at a difference that is not explained."""

from __future__ import annotations

from tests.maps import PAGE
from tests.maps.compare import modbus_profiles, unexplained
from tests.maps.page import page

if wrong := [each for profile in modbus_profiles().values() for each in unexplained(profile)]:
    raise SystemExit("\n".join(map(str, wrong)))
PAGE.write_text(page(), encoding="utf-8")
