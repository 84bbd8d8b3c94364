"""The layout of printed reports: indentation, wrapping and colours.

Text from outside is made harmless before it gets here; markup is not interpreted. Text is cleaned of secrets before it
is wrapped, because redaction would not find a secret that is split over two lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from ringback.contract.verdict import RunVerdict, Verdict
from ringback.reporting.model.safe import one_line
from ringback.reporting.model.verdicts import MARKS
from ringback.rundir import SINK

__all__ = [
    "NOTE",
    "OPEN",
    "STYLES",
    "bullets",
    "field",
    "hanging",
    "heading",
    "joined",
    "line",
    "packed",
    "page_width",
    "quotation",
]

STYLES: Final[dict[Verdict | RunVerdict, str]] = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.WARN: "yellow",
    Verdict.WAIVED: "magenta",
    Verdict.INCONCLUSIVE: "bold yellow",
    Verdict.NOT_EXERCISED: "dim",
    RunVerdict.PASS: "bold green",
    RunVerdict.FAIL: "bold red",
    RunVerdict.INCONCLUSIVE: "bold yellow",
}
NOTE: Final = Text("· ", "dim")
OPEN: Final = Text(f"{MARKS[Verdict.INCONCLUSIVE]} ", STYLES[Verdict.INCONCLUSIVE])
"""Marks of notes and of open questions."""
_WIDEST = 112
"""The widest column of text that is easy to read."""
_NARROWEST = 40
_LABEL = 10
_SEAMS = " ,;&>"
"""Characters after which quoted text is broken."""


def page_width(console: Console) -> int:
    """Columns that wrapped text may use."""
    return max(_NARROWEST, min(console.width, _WIDEST))


def line(console: Console, text: str | Text = "", style: str = "") -> None:
    """Print one line of any length, without wrapping, padding or markup."""
    console.print(_clean(Text(text, style) if isinstance(text, str) else text), soft_wrap=True)


def heading(console: Console, title: str, aside: str = "") -> None:
    """Print an empty line, a heading, and `aside` below it, wrapped and dimmed."""
    line(console)
    line(console, title, "bold")
    if aside:
        hanging(console, Text("  "), Text(aside, "dim"))


def bullets(console: Console, title: str, texts: Sequence[str], mark: Text, limit: int) -> None:
    """Print a heading with texts below it, each after a mark and cut at `limit` characters; nothing without texts."""
    if texts:
        heading(console, title)
    for text in texts:
        hanging(console, mark, Text(one_line(text, limit)))


def hanging(console: Console, lead: Text, body: Text) -> None:
    """Print `lead` and, beside it, `body`, wrapped and indented to its first line."""
    room = max(page_width(console) - lead.cell_len, 16)
    indent = Text(" " * lead.cell_len)
    for index, part in enumerate(_clean(body).wrap(console, room, overflow="fold")):
        part.rstrip()
        whole = Text.assemble(lead if index == 0 else indent, part)
        whole.rstrip()
        line(console, whole)


def field(console: Console, label: str, body: str | Text, style: str = "") -> None:
    """Print an indented paragraph with a label."""
    lead = Text.assemble("  ", (f"{label:<{_LABEL}}", "dim"))
    hanging(console, lead, Text(body, style) if isinstance(body, str) else body)


def quotation(console: Console, label: str, text: str, lines: int) -> None:
    """Print a labelled quotation of at most `lines` lines; line breaks and spaces stay, long lines are broken."""
    room = max(page_width(console) - 2 - _LABEL, 16)
    folded = [part for row in SINK.clean(text).split("\n") for part in _folded(row, room)]
    if len(folded) > lines:
        left = sum(map(len, folded[lines - 1 :]))
        folded[lines - 1 :] = [f"… [{left:,} more characters]"]
    for index, part in enumerate(folded):
        lead = f"{label if index == 0 else '':<{_LABEL}}"
        whole = Text.assemble("  ", (lead, "dim"), part)
        whole.rstrip()
        line(console, whole)


def _clean(text: Text) -> Text:
    """The clean text; it loses its styles if something was removed."""
    clean = SINK.clean(text.plain)
    return text if clean == text.plain else Text(clean, text.style)


def _folded(row: str, room: int) -> Iterator[str]:
    """A line in parts of at most `room` columns, broken after one of `_SEAMS` beyond the first quarter if possible."""
    while cell_len(row) > room:
        end = columns = 0
        while columns + cell_len(row[end]) <= room:
            columns += cell_len(row[end])
            end += 1
        end = max(end, 1)
        seam = max(row.rfind(mark, end // 4, end) for mark in _SEAMS)
        if seam >= 0:
            end = seam + 1
        yield row[:end]
        row = row[end:]
    yield row


def joined(parts: Iterable[str | Text], separator: str = " · ") -> Text:
    """The non-empty parts, with a separator between them."""
    return Text(separator).join(Text(part) if isinstance(part, str) else part for part in parts if len(part))


def packed(parts: Iterable[Text], room: int, separator: str = " · ") -> Text:
    """The non-empty parts, as many per line as fit into `room` columns; no part is broken."""
    lines: list[Text] = []
    for part in parts:
        if not part:
            continue
        if lines and lines[-1].cell_len + len(separator) + part.cell_len <= room:
            lines[-1] = Text.assemble(lines[-1], separator, part)
        else:
            lines.append(part)
    return Text("\n").join(lines)
