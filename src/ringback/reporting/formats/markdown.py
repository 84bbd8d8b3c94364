"""`summary.md`: the run on one page, for a pull-request comment or a job's summary.

The verdict comes first, then broken clauses, limits, load, and how to repeat the run. Text from outside is in `code` or
`pre` elements of HTML blocks, on one line. Characters with a meaning in Markdown, HTML, mentions, references or log
commands are written as character references, so that no renderer interprets them and nobody is notified. The page
consists of whole blocks. A block that does not fit is left out and counted, so that every element is closed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC
from pathlib import Path
from typing import Any, Final

from ringback.contract.clauses import Level
from ringback.contract.verdict import ClauseResult, Finding, RunVerdict, Verdict
from ringback.reporting.model.evidence import curl_line, expected, observed, smallest
from ringback.reporting.model.load import COLUMNS, latency_rows, load_rows, profile, scenario
from ringback.reporting.model.load_parts import part_tables, search_steps
from ringback.reporting.model.repeat import repeat_line
from ringback.reporting.model.safe import clean_text, one_line, printable, shell_line
from ringback.reporting.model.verdicts import headline, own_reasons, spans, with_verdict
from ringback.rundir import SINK, write_whole
from ringback.rundir.names import SUMMARY_FILE
from ringback.rundir.run import RunReport

__all__ = [
    "MARKS",
    "MOST_CHARACTERS",
    "append_summary",
    "code",
    "command_word",
    "inert",
    "summary_page",
    "table",
    "write_summary",
]

MOST_CHARACTERS: Final = 65_536
"""GitHub's limit for a comment on a pull request."""
_ROOM = 60_000
"""Characters of the whole page; the rest is left for what GitHub adds."""
_SHORT_PAGE = 10_000
"""Characters of a page up to which evidence is added."""
_CELL, _ENTRY, _BLOCK, _CURL = 300, 200, 1_200, 3_000
_LISTED = 10
_PARTS = 30
"""Rows of a table of parts."""
MARKS: Final = {RunVerdict.PASS: "✅", RunVerdict.FAIL: "❌", RunVerdict.INCONCLUSIVE: "⚠️"}
"""The verdict of a run as an emoji."""
_WORDS: Final = {Level.MUST: "must", Level.SHOULD: "should", Level.ADVISORY: "advisory"}
_REFERENCES: Final = {ord(c): f"&#{ord(c)};" for c in "&<>`[]{}*_~|\\@#:$\n"}


def write_summary(report: RunReport, directory: Path) -> Path:
    """Write `summary.md` into the run's directory, whole or not at all, and return its path. Raises OSError."""
    return write_whole(directory / SUMMARY_FILE, SINK.document(summary_page(report)))


def append_summary(page: str, path: Path) -> None:
    """Append the page to a job's summary, the file in `GITHUB_STEP_SUMMARY`. Raises OSError or ValueError."""
    with path.open("a", encoding="utf-8") as file:
        file.write(SINK.document(page + "\n"))


def summary_page(report: RunReport) -> str:
    """The page, in GitHub Flavored Markdown, at most 60,000 characters."""
    failed = with_verdict(report, Verdict.FAIL)
    page = _Page()
    page.add(_title(report))
    page.add(f"<p>{inert(headline(report))}</p>")
    page.add(_facts(report))
    if failed:
        page.add("### Broken clauses")
        cell = _CELL if len(failed) <= _LISTED else _CELL // 3
        shown = _fitting([_failure_row(result, cell) for result in failed], _ROOM // 2)
        page.add(table(("clause", "expected", "observed"), shown))
        if left := failed[len(shown) :]:
            page.add(f"<p>{len(left)} more, in verdict.json: {spans([result.clause.id for result in left])}</p>")
    if report.limits:
        page.add("### Limits")
        held = _fitting(_limit_rows(report), _ROOM // 6)
        page.add(table(("limit", "measured", ""), held))
        if len(held) < len(report.limits):
            page.add(f"<p>{len(report.limits) - len(held)} more, in verdict.json</p>")
    if report.load is not None and (rows := _load_rows(report.load)):
        page.add("### Load")
        page.add(table((), [(inert(label), code(text, _CELL)) for label, text in rows]))
        for part in part_tables(report.load):
            shown = [
                (
                    code(row.name, _CELL) + (" (the generator was the bottleneck)" if row.limited else ""),
                    *map(inert, row.cells),
                )
                for row in part.rows[:_PARTS]
            ]
            page.add(table((part.label, *part.head), shown))
            if len(shown) < len(part.rows):
                page.add(f"<p>{len(part.rows) - len(shown)} more, in verdict.json</p>")
        if steps := search_steps(report.load):
            rows_of_search = [(*s.cells, code(s.why, _CELL)) for s in steps[-_PARTS:]]
            page.add(table(("a second", "", "p99, ms", "errors", "why"), rows_of_search))
    page.add("### Run it again")
    clauses = [result.clause.id for result in failed] if 0 < len(failed) <= _LISTED else None
    page.add(_block(one_line(shell_line(repeat_line(report, clauses)), _BLOCK)))
    for index, result in enumerate(failed):
        page.add(_evidence(result, embedded=report.embedded), if_short=index > 0)
    if page.skipped:
        page.add(f"<p>verdict.json has request, answer and curl line of {page.skipped} more.</p>")
    for title, verdict in (
        ("Could not be decided", Verdict.INCONCLUSIVE),
        ("Warnings", Verdict.WARN),
        ("Waived", Verdict.WAIVED),
        ("Not exercised", Verdict.NOT_EXERCISED),
    ):
        page.add(_folded(title, with_verdict(report, verdict)))
    page.add(_remarks(report))
    return page.text()


def code(text: str, limit: int) -> str:
    """Text from outside as an HTML `code` element on one line, without any active syntax."""
    return f"<code>{inert(one_line(text, limit))}</code>" if text else ""


def inert(shown: str) -> str:
    """Text without any character that Markdown, HTML or a forge would interpret."""
    return clean_text(shown).translate(_REFERENCES)


def _block(text: str) -> str:
    """Text with its line breaks, on one line of the page."""
    return f"<pre><code>{inert(text)}</code></pre>"


class _Page:
    """Blocks with an empty line between them, up to the size limit."""

    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._length = 0
        self.skipped = 0
        """Blocks of evidence that were left out to keep the page short."""
        self._cut = False

    @property
    def left(self) -> int:
        """Characters that still fit."""
        return _ROOM - self._length - 500

    def add(self, block: str, *, if_short: bool = False) -> None:
        if not block:
            return
        if if_short and self._length + len(block) > _SHORT_PAGE:
            self.skipped += 1
            return
        if len(block) > self.left:
            self._cut = True
            return
        self._blocks.append(block)
        self._length += len(block) + 2

    def text(self) -> str:
        if self._cut:
            self._blocks.append("<p>This page was cut to its maximum size; verdict.json has everything.</p>")
        return "\n\n".join(self._blocks) + "\n"


def _title(report: RunReport) -> str:
    verdict = report.conclusion.verdict
    return f"## {MARKS[verdict]} Ringback {command_word(report.command)}: {verdict.value}"


def command_word(command: str) -> str:
    """The command that made the run, if it is a word."""
    return command if command.isascii() and command.isalpha() else "run"


def _facts(report: RunReport) -> str:
    where = code(report.base_url, _CELL)
    if report.embedded:
        where += " (the embedded sandbox)"
    if report.variation:
        where += f"<br>{code(', '.join(report.variation), _CELL)}"
    when = f"{report.started.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, {report.seconds:.1f} s"
    bound = f" of at most {report.calls_budget:,}" if report.calls_budget else ""
    more = f", {report.calls_may_have_dialled:,} more may have dialled" if report.calls_may_have_dialled else ""
    rows = [
        ("deployment", where),
        ("when", inert(when)),
        ("calls placed", f"{report.calls_accepted:,}{bound}{more}"),
        ("level, seed", f"{_WORDS[report.level]}, {report.seed}"),
    ]
    if report.results:
        counts = [f"{count} {verdict.value}" for verdict, count in report.counts().items() if count]
        rows.insert(1, ("clauses", ", ".join(counts)))
    return table((), rows)


def _fitting(rows: Iterable[Sequence[str]], room: int) -> list[Sequence[str]]:
    """The first rows, as many as `room` characters hold."""
    shown: list[Sequence[str]] = []
    for row in rows:
        room -= sum(map(len, row)) + 10 * len(row)
        if room < 0:
            break
        shown.append(row)
    return shown


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; its cells are HTML."""
    lines = ["<table>"]
    if head:
        lines.append(f"<tr>{''.join(f'<th>{cell}</th>' for cell in head)}</tr>")
    lines += [f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows]
    return "\n".join([*lines, "</table>"])


def _failure_row(result: ClauseResult, cell: int) -> tuple[str, str, str]:
    finding, _ = smallest(result)
    name = f"<b>{result.clause.id}</b> {_WORDS[result.clause.level]}<br>{inert(result.clause.title)}"
    return name, code(expected(result, finding), cell), code(observed(result, finding) or "see verdict.json", cell)


def _limit_rows(report: RunReport) -> Iterator[tuple[str, str, str]]:
    words = {Verdict.PASS: "held", Verdict.FAIL: "<b>broken</b>"}
    for held in sorted(report.limits, key=lambda held: held.verdict is Verdict.PASS):
        measured = "not measured" if held.value is None else f"{held.value:g}"
        measured += f" ({code(held.why, _CELL)})" if held.why else ""
        yield code(f"{held.metric} {held.limit}", _CELL), measured, words.get(held.verdict, "undecided")


def _load_rows(load: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = [("scenario", ", ".join(filter(None, [scenario(load), profile(load)])))]
    rows += [(row.label, row.text) for row in load_rows(load)]
    for latency in latency_rows(load):
        cells = zip(COLUMNS.values(), latency.cells, strict=True)
        rows.append((f"{latency.name}, ms", ", ".join(f"{title} {cell}" for title, cell in cells)))
    return [(label, text) for label, text in rows if text]


def _evidence(result: ClauseResult, *, embedded: bool) -> str:
    finding, evidence = smallest(result)
    parts = [f"<details><summary><b>{result.clause.id}</b>: request, answer, and how to fix it</summary>"]
    if finding is not None:
        parts.append(f"<p>{code(finding.test, _ENTRY)}</p>")
    if evidence is not None:
        parts += [_block(printable(evidence.request, _BLOCK)), _block(printable(evidence.response, _BLOCK))]
    parts.append(_curl(finding, embedded=embedded))
    parts.append(f"<p>To fix: {inert(result.fix)}</p>")
    return "\n".join([*(part for part in parts if part), "</details>"])


def _curl(finding: Finding | None, *, embedded: bool) -> str:
    curl = curl_line(finding, _CURL)
    if curl.problem:
        return f"<p>{inert(curl.problem)}</p>"
    aside = "start a sandbox first: the run's own has stopped" if embedded else "an accepted trigger places a call"
    what = "Repeat these requests, as a script" if curl.is_script else "Repeat the request"
    return f"<p>{what} ({aside}):</p>\n{_block(curl.line)}" if curl.line else ""


def _folded(title: str, results: Sequence[ClauseResult]) -> str:
    if not results:
        return ""
    by_reason: dict[str, list[ClauseResult]] = {}
    for result in results:
        by_reason.setdefault(result.waiver or result.summary, []).append(result)
    items = [
        f"<li>{spans([r.clause.id for r in same])} {code(reason, _ENTRY)}</li>"
        for reason, same in list(by_reason.items())[:_LISTED]
    ]
    if len(by_reason) > _LISTED:
        items.append(f"<li>{len(by_reason) - _LISTED} more in verdict.json</li>")
    lines = [f"<details><summary>{title}: {len(results)}</summary>", "<ul>", *items, "</ul>", "</details>"]
    return "\n".join(lines)


def _remarks(report: RunReport) -> str:
    remarks = [*dict.fromkeys([*own_reasons(report), *report.notes])]
    if not remarks:
        return ""
    items = [f"<li>{code(text, _ENTRY)}</li>" for text in remarks[:_LISTED]]
    if len(remarks) > _LISTED:
        items.append(f"<li>{len(remarks) - _LISTED} more in verdict.json</li>")
    return "\n".join(["<ul>", *items, "</ul>"])
