"""Hostile text made harmless, for terminals, XML and HTML.

A deployment may send escape sequences that repaint a terminal, marks that reverse reading order, or code points that
no encoding can represent. They become visible text here.

The sink removes secrets before a text is shortened: redaction would not recognise part of a secret.
"""

from __future__ import annotations

import itertools
import unicodedata

from ringback.rundir import SINK

__all__ = ["clean_text", "one_line", "printable", "shell_line"]

_MARKS_IN_A_ROW = 3
"""More combining marks on one character are spelled out; a tall stack would cover other lines."""
_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def printable(text: str, limit: int) -> str:
    r"""Text in which every character is harmless; line feeds stay line feeds, tabs become four spaces.

    Control characters appear as `\x1b`, lone surrogates as `\ud800`, other invisible characters (bidirectional
    controls, zero-width marks, unusual spaces, unassigned code points) as `<U+202E>`. A longer text is cut at `limit`
    characters, and its ending shows how many of its characters were left out.
    """
    return _inert(SINK.clean(text), limit, keep="\n", tab="    ", counted=True)


def one_line(text: str, limit: int) -> str:
    r"""Like `printable`, but on one line: line feeds and tabs appear as `\n` and `\t`, a cut as an ellipsis."""
    return _inert(SINK.clean(text), limit, keep="", tab="\\t", counted=False)


def clean_text(text: str) -> str:
    r"""Text that UTF-8 can carry: a lone surrogate becomes visible text such as `\ud800`."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def shell_line(command: str) -> str:
    r"""A command line whose arguments are quoted as `shlex.quote` does, on one line and safe to display.

    Characters that can't be shown are written as escapes of bash, ksh and zsh, so that the pasted line sends the same
    bytes:
    a line feed inside single quotes becomes `'$'\n''`, a no-break space `'$'\xc2\xa0''`.
    """
    if command.isprintable():
        return command
    pieces: list[str] = []
    for printable_run, characters in itertools.groupby(command, key=str.isprintable):
        run = "".join(characters)
        pieces.append(run if printable_run else f"'$'{_ansi_c(run)}''")
    return "".join(pieces)


def _ansi_c(run: str) -> str:
    return "".join(
        _SHORT.get(character) or "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))
        for character in run
    )


def _inert(text: str, limit: int, *, keep: str, tab: str, counted: bool) -> str:
    pieces: list[str] = []
    length = taken = marks = 0
    for character in text:
        if character in keep:
            piece, marks = character, 0
        elif character == "\t":
            piece, marks = tab, 0
        elif not character.isprintable():
            piece, marks = _spelled(character), 0
        elif character >= "\u0300" and unicodedata.category(character) in {"Mn", "Me"}:
            marks += 1
            piece = character if marks <= _MARKS_IN_A_ROW else _spelled(character)
        else:
            piece, marks = character, 0
        if length + len(piece) > limit:
            break
        pieces.append(piece)
        length += len(piece)
        taken += 1
    left = len(text) - taken
    if not left:
        return "".join(pieces)
    if counted:
        return f"{''.join(pieces)}… [{left:,} more character{'s' if left > 1 else ''}]"
    while pieces and length >= max(limit, 1):
        length -= len(pieces.pop())
    return f"{''.join(pieces)}…"


def _spelled(character: str) -> str:
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if code < 0xA0:
        return f"\\x{code:02x}"
    if 0xD800 <= code <= 0xDFFF:
        return f"\\u{code:04x}"
    return f"<U+{code:04X}>"
