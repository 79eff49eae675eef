"""The messages of the YAML scanner in the words of somebody who writes a plan."""

from __future__ import annotations

from typing import Any

from ruamel.yaml.error import MarkedYAMLError

from harness.schema.problems import one_line, shown

_KNOWN = (
    ("mapping values are not allowed here", "a ':' is not expected here", "indent alike, or quote the text"),
    ("mapping keys are not allowed here", "a key is not expected here", "check the indentation"),
    ("sequence entries are not allowed here", "a '- ' item is not expected here", "check the indentation"),
    ("could not find expected ':'", "a ':' is missing", "write 'key: value'"),
    ("but found '<block mapping start>'", "this line is indented too far", "indent alike"),
    ("but found '<block sequence start>'", "this list is indented too far", "indent alike"),
    ("expected <block end>", "this line does not fit the lines above", "check the indentation"),
    ("found unexpected end of stream", "a quotation mark is not closed", ""),
    ("found unexpected document separator", "a quotation mark is not closed", ""),
    ("found unknown escape character", "an unknown escape in double quotes", "use single quotes for plain text"),
    ("expected escape sequence", "an incomplete escape in double quotes", "use single quotes for plain text"),
    ("found non-comment content after document end", "text after the end of the document", "remove it"),
    ("expected '<document start>'", "text after the end of the document", "check the indentation"),
    ("while scanning a directive", "a line that begins with % is not expected here", "quote it"),
    ("incompatible YAML document", "only YAML 1.2 is read here", "remove the %YAML line"),
    ("while scanning an anchor", "an anchor (&) is not allowed here", "quote the text"),
    ("while scanning an alias", "an alias (*) is not allowed here", "quote the text"),
    ("while scanning a tag", "a tag (!) is not allowed here", "quote the text"),
    ("while parsing a tag", "a tag (!) is not allowed here", "quote the text"),
    ("undefined tag handle", "tags (!) are not allowed", "quote the text"),
    ("while scanning a block scalar", "the '|' or '>' text is not indented properly", "indent its lines alike"),
    ("more indented follow up line", "the '|' or '>' text is not indented properly", "indent its lines alike"),
)


def place_of(error: MarkedYAMLError) -> Any:
    """The mark that shows the mistake: where a quotation mark was opened, else where the scanner gave up."""
    if "quoted scalar" in (error.context or "") and "unexpected" in (error.problem or ""):
        return error.context_mark
    return error.problem_mark or error.context_mark


def explain(error: MarkedYAMLError, text: str) -> tuple[str, str]:
    """(what is wrong, what to do) for a syntax error in `text`."""
    said = f"{error.context or ''} {error.problem or ''}"
    mark = error.problem_mark or error.context_mark
    line = _line(text, mark.line) if mark is not None else ""
    column = mark.column if mark is not None else 0
    before = line[: column + 1]
    if "cannot start any token" in said and line[column : column + 1] == "\t":
        if not before.strip():
            return "a tab is used for indentation", "use spaces"
        return "a tab is used between the key and the value", "use a space"
    if "flow" in said and "${" in line:
        return "${...} inside { } or [ ] must be quoted", 'write "${name}" with quotes'
    if "cannot start any token" in said:
        char = shown(line[column : column + 1])
        return f"a text cannot begin with {char}", "quote the text"
    for part, message, hint in _KNOWN:
        if part in said:
            if line[: len(line) - len(line.lstrip())].count("\t"):
                return "a tab is used for indentation", "use spaces"
            return message, hint
    if "flow mapping" in said:
        return "a '}' or ',' is missing", _opened(error)
    if "flow sequence" in said:
        return "a ']' or ',' is missing", _opened(error)
    return one_line(" ".join(said.split()))[:120], ""


def _opened(error: MarkedYAMLError) -> str:
    return f"the bracket was opened in line {error.context_mark.line + 1}" if error.context_mark is not None else ""


def _line(text: str, number: int) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines[number] if number < len(lines) else ""
