"""Every error the harness raises on purpose, and who is at fault.

```
HarnessError                 .code .where .hint
  ConfigError                the file is wrong: file:line:col
  DeviceError                .device .operation .trouble
    UnreachableError         refused, timed out, lost, session limit
    ProtocolViolationError   the reply does not match the request
    RefusedError             the device said no: .vendor_code .is_busy
    NotConfirmedError        accepted, but read-back disagrees or is late
    BadValueError            NaN, sentinel, out of range, stale
    IdentityError            another model (or unit) answers at this address
  SafetyError                tripped, or the safe state is not confirmed
  TelemetryError             sink unavailable or refused, journal full or damaged
  RunError                   station in use, resume refused
```

Foreign exceptions (sockets, pymodbus, pyvisa, SQLite) are mapped to these in one place per border.
"""

from __future__ import annotations

import enum

from harness.utf8 import utf8


class HarnessError(Exception):
    """Base of everything the harness raises on purpose.

    `code` is a short stable identifier for reports, `where` names the place (file:line:col or device), and `hint`
    says what to do about it.
    """

    code = "HX-0000"

    def __init__(self, message: str, *, where: str = "", hint: str = "", code: str = "") -> None:
        super().__init__(utf8(message))
        self.message = utf8(message)
        self.where = utf8(where)
        self.hint = utf8(hint)
        if code:
            self.code = code

    @property
    def said(self) -> str:
        """Where and what, without what to do about it."""
        return f"{self.where}: {self.message}" if self.where else self.message

    @property
    def advice(self) -> str:
        """What to do about it; '' when nobody knows."""
        return self.hint

    def __str__(self) -> str:
        return f"{self.said}; {self.advice}" if self.advice else self.said


class ConfigError(HarnessError):
    """An input file or argument is wrong. Nothing was contacted."""

    code = "HX-1000"


class Trouble(enum.StrEnum):
    """What is the matter with a device, as seen from here. What it says decides what helps: see `ADVICE`."""

    SILENT = "silent"
    """Nothing came back."""
    UNREACHED = "unreached"
    """There is no way to it: no route, no name, no adapter, no permission."""
    CLOSED = "closed"
    """The address is up and hangs up, or nothing listens there."""
    OTHERWISE = "speaks otherwise"
    """It answers, but not as the profile says."""
    UNIT = "another unit"
    MODEL = "another model"
    CREDENTIALS = "wrong credentials"
    REDIRECTS = "redirects"
    REFUSES = "refuses"
    """It understood, and said no."""
    BUSY = "busy"
    OURS = "closed here"
    """This program has let go of it: nothing is said about the device."""
    UNKNOWN = ""


_THERE = "it answers, so power and cable are fine"
ADVICE: dict[Trouble, str] = {
    Trouble.SILENT: "check power, cable and address",
    Trouble.UNREACHED: "check the address, the cable, and the network of this machine",
    Trouble.CLOSED: "nothing listens there, or its sessions are all in use: check address, port and other masters",
    Trouble.OTHERWISE: f"{_THERE}: check port and protocol of the address, the profile, and who else talks to it",
    Trouble.UNIT: f"{_THERE}, but it is another unit: check the unit in the address and the one set at the device",
    Trouble.MODEL: "check the address, or name the profile of the model that is there",
    Trouble.CREDENTIALS: f"{_THERE}: correct its credentials file",
    Trouble.REDIRECTS: f"{_THERE}: write the address that it names, redirects are not followed",
    Trouble.REFUSES: f"{_THERE}: look at its own settings (access, remote control, options)",
    Trouble.BUSY: f"{_THERE}, but it is busy: try again, and end what else uses it",
}
"""The one place that says what to do about a device, by the kind of trouble; an error that knows more has a hint."""


class DeviceError(HarnessError):
    """Something went wrong with one device. `trouble` says of what kind it is."""

    code = "HX-2000"
    trouble = Trouble.UNKNOWN

    def __init__(
        self,
        message: str,
        *,
        device: str = "",
        operation: str = "",
        hint: str = "",
        code: str = "",
        trouble: Trouble = Trouble.UNKNOWN,
    ) -> None:
        super().__init__(message, where=" ".join(part for part in (device, operation) if part), hint=hint, code=code)
        self.device = device
        self.operation = operation
        self.trouble = trouble or type(self).trouble

    @property
    def advice(self) -> str:
        """What to do: what is known of this case, else what helps with its kind."""
        return self.hint or ADVICE.get(self.trouble, "")


class UnreachableError(DeviceError):
    """The device refused the connection, did not answer in time, or the connection was lost."""

    code = "HX-2100"
    trouble = Trouble.SILENT


class ProtocolViolationError(DeviceError):
    """The reply does not match the request. The session it came over is closed or resynchronised."""

    code = "HX-2200"
    trouble = Trouble.OTHERWISE


class RefusedError(DeviceError):
    """The device understood and said no.

    `vendor_code` is the protocol's own number or word (Modbus exception code, SNMP error-status, SCPI error).
    `is_busy` says that asking again later may help.
    """

    code = "HX-2300"
    trouble = Trouble.REFUSES

    def __init__(
        self,
        message: str,
        *,
        device: str = "",
        operation: str = "",
        hint: str = "",
        code: str = "",
        trouble: Trouble = Trouble.UNKNOWN,
        vendor_code: int | str = "",
        is_busy: bool = False,
    ) -> None:
        kind = trouble or (Trouble.BUSY if is_busy else Trouble.REFUSES)
        super().__init__(message, device=device, operation=operation, hint=hint, code=code, trouble=kind)
        self.vendor_code = vendor_code
        self.is_busy = is_busy


class NotConfirmedError(DeviceError):
    """The command was accepted but the read-back disagrees, or did not agree before its deadline."""

    code = "HX-2400"


class BadValueError(DeviceError):
    """The device answered, but the value is not a measurement: NaN, a sentinel, out of range, or too old."""

    code = "HX-2500"


class IdentityError(DeviceError):
    """Another model, or another unit, answers at this address. Nothing is written to it."""

    code = "HX-2600"
    trouble = Trouble.MODEL


class SafetyError(HarnessError):
    """An interlock tripped, or the safe state is not confirmed."""

    code = "HX-3000"


class TelemetryError(HarnessError):
    """The journal, the record or a sink cannot take what it was given."""

    code = "HX-4000"


class RunError(HarnessError):
    """The run cannot start or go on: the station is in use, or a resume was refused."""

    code = "HX-5000"
