"""The messages of the YAML scanner in the words of somebody who writes a plan."""

from __future__ import annotations

import re

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


_TOO_FAR = ("but found '<block mapping start>'", "but found '<block sequence start>'")


def explained(error: Exception, text: str) -> tuple[tuple[int, int], str, str, str]:
    """(line and column from 1, code, what is wrong, what to do) of a text over which the parser has stumbled."""
    if not isinstance(error, MarkedYAMLError):
        return (1, 1), "HX-1101", f"this is not YAML ({type(error).__name__})", ""
    mark = error.problem_mark or error.context_mark
    if "quoted scalar" in (error.context or "") and "unexpected" in (error.problem or ""):
        mark = error.context_mark  # where the quotation mark was opened, not where the scanner gave up
    message, hint, better = _words(error, text)
    at = better or ((mark.line + 1, mark.column + 1) if mark is not None else (1, 1))
    return at, "HX-1101", message, hint


def _words(error: MarkedYAMLError, text: str) -> tuple[str, str, tuple[int, int] | None]:
    """(what is wrong, what to do, line and column from 1 where that is known better than by the parser's mark)."""
    said = f"{error.context or ''} {error.problem or ''}"
    mark = error.problem_mark or error.context_mark
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    line = lines[mark.line] if mark is not None and mark.line < len(lines) else ""
    column = mark.column if mark is not None else 0
    words = _of_tabs(said, line, column) or _of_brackets(said, line, column)
    if words is not None:
        return *words, None
    return _of_missing(said, lines, mark.line if mark is not None else 0) or (
        *_of_scanner(said, line, column, error),
        None,
    )


def _of_tabs(said: str, line: str, column: int) -> tuple[str, str] | None:
    is_indentation = "\t" in line[: len(line) - len(line.lstrip())]
    if "cannot start any token" in said and line[column : column + 1] == "\t" and not is_indentation:
        return "a tab is used between the key and the value", "use a space"
    if is_indentation and any(part in said for part, *_ in (*_KNOWN, ("cannot start any token",))):
        return "a tab is used for indentation", "use spaces"
    return None


def _of_brackets(said: str, line: str, column: int) -> tuple[str, str] | None:
    """Inside { } and [ ] a bracket of a text's own ends the text."""
    if "flow" not in said or column == 0:
        return None
    before, here = line[column - 1], line[column : column + 1]
    if here == "{" and before == "$":
        return "${...} inside { } or [ ] must be quoted", 'write "${name}" with quotes'
    if here == "[" and (before.isalnum() or before == "_"):
        name = re.search(r"[\w.]*$", line[:column])
        bank, inner = name[0] if name else "", line[column + 1 :].partition("]")[0].strip()
        inner = inner if re.fullmatch(r"[0-9, -]{1,40}", inner) else "7"
        return "a name with [ ] inside { } or [ ] must be quoted", f'write "{bank}[{inner}]"'
    return None


def _of_missing(said: str, lines: list[str], number: int) -> tuple[str, str, tuple[int, int]] | None:
    """What is missing for the line to be an entry of the list above, or a key of the mapping around it."""
    if not any(part in said for part in ("expected <block end>", "could not find expected ':'", *_TOO_FAR)):
        return None
    # the scanner marks where it gave up: the line of the mistake is that one, or the last one with a text before it
    for at in (number, next((k for k in range(number - 1, -1, -1) if lines[k].strip()), number)):
        line = lines[at] if at < len(lines) else ""
        place = (at + 1, len(line) - len(line.lstrip()) + 1)
        if glued := re.match(r"\s*(?:- )?([A-Za-z_]\w*):[^\s:]", line):
            return f"a blank is missing behind '{glued[1]}:'", "write 'key: value'", place
        if _is_entry(lines, at):
            return "'- ' is missing before this entry of the list", "begin each entry with '- '", place
    return None


def _is_entry(lines: list[str], number: int) -> bool:
    """Whether a line stands where the entries of a list above it begin, or their text, without a '- ' of its own."""
    line = lines[number] if number < len(lines) else ""
    indent = len(line) - len(line.lstrip())
    if not line.strip() or line.lstrip().startswith(("- ", "#")):
        return False
    for above in reversed(lines[:number]):
        if not above.strip() or above.lstrip().startswith("#"):
            continue
        dash = len(above) - len(above.lstrip())
        if above.lstrip().startswith("- "):
            is_whole = above.rstrip().endswith(("}", "]")) or ":" not in above
            return indent == dash or (indent == dash + 2 and is_whole)
        if dash <= indent and not line.lstrip().startswith("{"):
            return False
    return False


def _of_scanner(said: str, line: str, column: int, error: MarkedYAMLError) -> tuple[str, str]:
    if "cannot start any token" in said:
        char = shown(line[column : column + 1])
        return f"a text cannot begin with {char}", "quote the text"
    for part, message, hint in _KNOWN:
        if part in said:
            return message, hint
    if "flow mapping" in said:
        return "a '}' or ',' is missing", _opened(error)
    if "flow sequence" in said:
        return "a ']' or ',' is missing", _opened(error)
    return one_line(" ".join(said.split()))[:120], ""


def _opened(error: MarkedYAMLError) -> str:
    return f"the bracket was opened in line {error.context_mark.line + 1}" if error.context_mark is not None else ""
