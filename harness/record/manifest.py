"""The manifest: SHA-256 of every file of a record, and one hash over them all, the record id.

A record whose id was written down elsewhere (a certificate, a database) cannot be altered unnoticed: the id covers the
hashes, the hashes cover the files. It proves that nothing changed since sealing, not who sealed it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.schema.regular import open_regular

MANIFEST = "manifest.json"
RESULT = "result.json"
JOURNAL = "journal.db"
INPUTS = "inputs/"
"""Where the copies of the files lie that a run was made from."""
NOT_EVIDENCE = ("outbox.json", "exports", "journal.db-shm")
"""What may appear or change beside a sealed record: copies' bookkeeping, exports, SQLite's shared memory."""


def read_file(path: Path) -> bytes:
    """A file of a record; OSError when it is no regular one (links are not followed)."""
    with open_regular(path, follow=False) as file:
        return file.read()


def file_digest(path: Path) -> tuple[int, str]:
    """Size and SHA-256 (hexadecimal) of a regular file; OSError when it is none (links are not followed)."""
    with open_regular(path, follow=False) as file:
        digest = hashlib.file_digest(file, "sha256")
        return file.tell(), digest.hexdigest()


def evidence(folder: Path) -> list[str]:
    """Names (relative, `/`) of everything in a record that its manifest must cover, sorted."""
    found: list[str] = []
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if name == MANIFEST or name.split("/")[0] in NOT_EVIDENCE or (path.is_dir() and not path.is_symlink()):
            continue
        found.append(name)
    return sorted(found)


def record_id(run: str, files: list[dict[str, Any]]) -> str:
    """The hash over run id and file list that identifies a record."""
    text = json.dumps({"run": run, "files": files}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def build(folder: Path, run: str) -> bytes:
    """The manifest of a folder as it is now."""
    files = []
    for name in evidence(folder):
        size, digest = file_digest(folder / name)
        files.append({"name": name, "size": size, "sha256": digest})
    document = {"schema": 1, "run": run, "record_id": record_id(run, files), "files": files}
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def read(folder: Path) -> dict[str, Any]:
    """The manifest of a folder; ValueError or OSError when there is none that can be read."""
    document = json.loads(read_file(folder / MANIFEST))
    if not isinstance(document, dict) or document.get("schema") != 1:
        raise ValueError("manifest.json is not a manifest of schema 1")
    files = document.get("files")
    if not isinstance(files, list) or not all(
        isinstance(entry, Mapping) and all(isinstance(entry.get(key), str) for key in ("name", "sha256"))
        for entry in files
    ):
        raise ValueError("manifest.json has no list of files")
    return document


def check(folder: Path) -> list[str]:
    """What differs between a folder and its manifest: missing, altered, extra files; empty when nothing does."""
    try:
        document = read(folder)
    except FileNotFoundError:
        return ["manifest.json is missing: the record was never sealed"]
    except (OSError, ValueError) as error:
        return [f"manifest.json cannot be read: {error}"]
    files = document["files"]
    problems = []
    if record_id(str(document.get("run")), files) != document.get("record_id"):
        problems.append("manifest.json was altered: its record id does not match its list of files")
    listed = {entry["name"]: entry for entry in files}
    present = evidence(folder)
    problems += [f"{name} is missing" for name in listed if name not in present]
    problems += [f"{name} is not in the manifest" for name in present if name not in listed]
    for name in present:
        if name in listed:
            try:
                _, digest = file_digest(folder / name)
            except OSError as error:
                problems.append(f"{name} cannot be read: {error}")
            else:
                if digest != listed[name]["sha256"]:
                    problems.append(f"{name} was altered")
    return problems
