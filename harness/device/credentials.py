"""Credentials of devices: a small YAML file (mode 0600) or an environment variable, never the station file."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TypeVar

from harness.errors import ConfigError
from harness.schema.codes import CODES
from harness.schema.fields import FileRef, Model
from harness.schema.problems import Problem, ProblemsError
from harness.schema.regular import read_regular
from harness.schema.source import parse_source, validate
from harness.secret import Secret

T = TypeVar("T", bound=Model)
_MAX_BYTES = 64 * 1024
_MOST_REPORTED = 3


def read_secret(ref: FileRef, base: Path) -> Secret:
    """The text of a secret: a file beside the station file, or an environment variable. ConfigError when absent."""
    if ref.env:
        text = os.environ.get(ref.env)
        if not text:
            raise ConfigError(f"the environment variable {ref.env} is not set", hint="it must hold the secret")
        return Secret(text)
    path = base / ref.file
    try:
        mode = path.stat().st_mode
        text = read_regular(path, _MAX_BYTES).decode("utf-8").strip()
    except OSError as error:
        raise ConfigError(f"cannot read the secret in {path}: {error.strerror}") from error
    except ProblemsError as error:
        raise ConfigError(f"cannot read the secret in {path}: {error.problems[0].message}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"the secret in {path} is no UTF-8") from None  # not a byte of it is shown
    if mode & (stat.S_IROTH | stat.S_IWOTH | stat.S_IWGRP):
        raise ConfigError(f"{path} can be read or changed by others", hint=f"chmod 600 {path}")
    return Secret(text)


def given(ref: FileRef, base: Path, model: type[T]) -> T:
    """A credentials file, checked; ConfigError without a word of what it holds."""
    where = ref.file or f"${ref.env}"
    text = read_secret(ref, base).reveal()
    try:
        return validate(parse_source(text.encode(), where), model)
    except ProblemsError as error:
        reported = "; ".join(
            f"{p.line}:{p.column} {_without_content(p, model)}" for p in error.problems[:_MOST_REPORTED]
        )
        raise ConfigError(f"{where} is not a valid credentials file: {reported}") from None


def _without_content(problem: Problem, model: type[Model]) -> str:
    """What is wrong, in words that hold nothing of the file: it is a secret, and a key may be one by mistake."""
    if problem.code == "HX-1203":
        return f"an unknown key, allowed are {', '.join(model.model_fields)}"
    if problem.code == "HX-1204":
        return problem.message
    if problem.code in ("HX-1205", "HX-1207"):
        return problem.message.partition(", found")[0]
    return "expected text, quote the value" if problem.code == "HX-1206" else CODES[problem.code]
