"""Every error the harness raises on purpose, and who is at fault.

```
HarnessError                 .code .where .hint
  ConfigError                the file is wrong: file:line:col
  DeviceError                .device .operation
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


class HarnessError(Exception):
    """Base of everything the harness raises on purpose.

    `code` is a short stable identifier for reports, `where` names the place (file:line:col or device), and `hint`
    says what to do about it.
    """

    code = "HX-0000"

    def __init__(self, message: str, *, where: str = "", hint: str = "", code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint
        if code:
            self.code = code

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}; {self.hint}" if self.hint else text


class ConfigError(HarnessError):
    """An input file or argument is wrong. Nothing was contacted."""

    code = "HX-1000"


class DeviceError(HarnessError):
    """Something went wrong with one device."""

    code = "HX-2000"

    def __init__(self, message: str, *, device: str = "", operation: str = "", hint: str = "", code: str = "") -> None:
        super().__init__(message, where=" ".join(part for part in (device, operation) if part), hint=hint, code=code)
        self.device = device
        self.operation = operation


class UnreachableError(DeviceError):
    """The device refused the connection, did not answer in time, or the connection was lost."""

    code = "HX-2100"


class ProtocolViolationError(DeviceError):
    """The reply does not match the request. The session it came over is closed or resynchronised."""

    code = "HX-2200"


class RefusedError(DeviceError):
    """The device understood and said no.

    `vendor_code` is the protocol's own number or word (Modbus exception code, SNMP error-status, SCPI error).
    `is_busy` says that asking again later may help.
    """

    code = "HX-2300"

    def __init__(
        self,
        message: str,
        *,
        device: str = "",
        operation: str = "",
        hint: str = "",
        code: str = "",
        vendor_code: int | str = "",
        is_busy: bool = False,
    ) -> None:
        super().__init__(message, device=device, operation=operation, hint=hint, code=code)
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


class SafetyError(HarnessError):
    """An interlock tripped, or the safe state is not confirmed."""

    code = "HX-3000"


class TelemetryError(HarnessError):
    """The journal, the record or a sink cannot take what it was given."""

    code = "HX-4000"


class RunError(HarnessError):
    """The run cannot start or go on: the station is in use, or a resume was refused."""

    code = "HX-5000"
