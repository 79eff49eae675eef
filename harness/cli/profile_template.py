"""The commented beginning of a device profile, one for each protocol; right as it is, so that it can be checked."""

from __future__ import annotations

import re

from harness.device.protocol import Template, protocol
from harness.errors import ConfigError
from harness.schema.canonical import CONTROLS, SIGNALS
from harness.schema.profile import CLASSES

_NAME = re.compile(r"([a-z]+)/([a-z0-9][a-z0-9_]*)")

_HEAD = """\
# {about}
# Change what is in <...> and what a comment asks for; delete what the device does not have. Then:
#   harness profile check {file}
#   harness profile try {file} {address}        reads the device once, writes nothing
# Every key: docs/reference/profile.md, or `harness schema profile` for your editor.
{canonical}schema: 1
profile: {name}
title: <Vendor Model, what it is>
class: {class_}
protocol: {protocol}
source: <the document this was written from, with version and date>
unverified: written from the document; not yet tried on a unit  # once tried: verified_on instead, see the reference
timeout: 1 s

identity:                         # proved before anything is ever written to the device
  match:
    - {{signal: model, starts_with: <Model>}}    # or equals, one_of, contains, under, without, range
MINE
  model: model
  serial: serial
"""

_POWER = ("  power:", "pdu.power", "kW", "0.001", "the document says W", "[0, 2000]")
_TEMPERATURE = ("  temperature:", "ambient.temperature", "degC", "0.1", "the document says tenths", "[-40, 200]")


def profile_text(name: str, protocol_name: str) -> str:
    """The text of a new profile NAME (`CLASS/VENDOR_MODEL`); ConfigError when the name is none."""
    parts = _NAME.fullmatch(name)
    if parts is None:
        raise ConfigError(f"{name!r} is no profile name", hint="write CLASS/VENDOR_MODEL, e.g. pdu/acme_eight")
    class_, model = parts[1], parts[2]
    if class_ not in CLASSES:
        raise ConfigError(f"no device class {class_!r}", hint=f"one of {', '.join(CLASSES)}")
    spoken = protocol(protocol_name)
    template: Template = spoken.part("template")
    is_read_only = spoken.part("profile").is_read_only
    head = _HEAD.format(
        about=f"{model}: a beginning; it passes the check, but describes no device yet.",
        file=f"{model}.yaml",
        address=template.address,
        canonical=_canonical(class_, is_read_only=is_read_only),
        name=name,
        class_=class_,
        protocol=protocol_name,
    )
    is_electrical = class_ in ("pdu", "shelf", "load", "meter", "switch")
    signal, variable, unit, scale, why, band = _POWER if is_electrical else _TEMPERATURE
    scaled = [
        f"    unit: {unit}",
        f"    scale: {scale:<26}# value = offset + scale * raw; {why}",
        f"    range: {band:<26}# what is physically possible; outside is BAD, not a failed limit",
        *(
            [f"    sentinels: {template.sentinel:<22}# raw values that mean: not available"]
            if template.sentinel
            else []
        ),
        f"    sim: {variable:<28}# variable of the simulated rack behind it",
    ]
    is_pdu = class_ == "pdu"
    body = (
        template.body.replace("MEASURED", signal)
        .replace("SCALED", "\n".join(scaled))
        .replace("GROUP", "  outlet:" if is_pdu else "  port:")
        .replace("STATE", f"        sim: {_STATE if is_pdu else '0'}")
        .replace("SWITCHED\n", _SWITCHED if is_pdu else "")
    )
    head = head.replace("MINE\n", template.proof.replace("GROUP", "outlet" if is_pdu else "port"))
    return (head + body).replace("<Model> 1", "Model 1").replace("<Model>", "Model")


_STATE = '{of: "outlet[{i}].state", words: {"off": 0, "on": 1}}'
_SWITCHED = '      sim: "outlet[{i}]"\n      sim_words: {"on": 1, "off": 0}\n'


def _canonical(class_: str, *, is_read_only: bool) -> str:
    lines = [
        f"# Names that plans for the class use, {what}: {', '.join(names[class_])}\n"
        for what, names in (("signals", SIGNALS), ("controls", CONTROLS))
        if class_ in names and (what == "signals" or not is_read_only)
    ]
    return "".join(lines)
