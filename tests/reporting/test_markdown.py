from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import cmarkgfm  # type: ignore[import-untyped]  # it has no types
import pytest
from cmarkgfm.cmark import Options  # type: ignore[import-untyped]  # nor has this
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ringback.contract.clauses import CLAUSES
from ringback.contract.verdict import Evidence, Finding, LimitResult, Verdict
from ringback.reporting import RunReport
from ringback.reporting.formats.markdown import (
    MOST_CHARACTERS,
    append_summary,
    code,
    summary_page,
    write_summary,
)
from ringback.rundir.names import SUMMARY_FILE

from .hostile_evidence import HARMLESS, HOSTILE

MakeReport = Callable[..., RunReport]
OURS = {"h2", "h3", "p", "table", "tr", "th", "td", "b", "br", "code", "pre", "details", "summary", "ul", "li"}
"""The elements of a page."""
AS_ADDED = {"thead", "tbody"}


class Outline(HTMLParser):
    """A rendered page: its elements, the text inside `code`, and the text outside."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.inside: list[str] = []
        self.outside: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in OURS | AS_ADDED, f"<{tag}> came from somewhere"
        assert not attrs
        self.elements.append(tag)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        (self.inside if "code" in self.open else self.outside).append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError("a comment came from somewhere")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError("a declaration came from somewhere")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError("a section came from somewhere")

    def handle_pi(self, data: str) -> None:
        raise AssertionError("an instruction came from somewhere")


def commonmark(page: str) -> str:
    return str(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(page))


def at_github(page: str) -> str:
    return str(
        cmarkgfm.github_flavored_markdown_to_html(page, options=Options.CMARK_OPT_UNSAFE | Options.CMARK_OPT_FOOTNOTES)
    )


RENDERERS = {"commonmark": commonmark, "github": at_github}


def outline(page: str, renderer: str) -> Outline:
    return Outline(RENDERERS[renderer](page))


@pytest.mark.parametrize("renderer", RENDERERS)
def test_the_page_shows_verdict_clauses_limits_and_load(of_every_kind: MakeReport, renderer: str) -> None:
    seen = outline(summary_page(of_every_kind()), renderer)
    outside, inside = "".join(seen.outside), "\n".join(seen.inside)
    assert outside.startswith("❌ Ringback gate: fail\n1 of 53 clauses broken, 1 of 3 limits broken")
    for message in (
        "ACK-03 must",
        "Every accepted call gets a different id",
        "53 of at most 60",
        "To fix: Make a new id",
    ):
        assert message in outside
    for message in (
        "https://ivr.example.com:22222",
        "a different UniqueId for every accepted trigger",
        "what happened to ACK-03",
        "trigger.latency_ms.p99 < 500",
        "p50 2.13, p90 4.40, p95 6.10, p99 512, p99.9 1,893, max 1,902",
        "597 accepted, 595 final, 2 lost",
        "ringback gate --config ringback.toml --base-url https://ivr.example.com:22222 --seed 4242",
        "curl --request POST 'https://x/'",
        "POST https://ivr.example.com:22222/v2/call\nHost: ivr.example.com",
        "vendor ticket 4711",
        "17 triggers waited for a rate limit",
    ):
        assert message in inside


@pytest.mark.parametrize(
    ("verdicts", "changed", "title"),
    [
        ({}, {}, "✅ Ringback check: pass\n53 of 53 clauses pass"),
        ({"STA-02": Verdict.INCONCLUSIVE}, {}, "⚠️ Ringback check: inconclusive\n1 clause undecided, 52 of 53"),
        ({}, {"interrupted": True}, "⚠️ Ringback check: inconclusive\ninterrupted, 53 of 53 clauses pass"),
        ({}, {"clauses": ()}, "⚠️ Ringback check: inconclusive\nno verdict could be reached"),
        ({}, {"embedded": True, "faults": ("lost-call",)}, "✅ Ringback check: pass"),
    ],
)
def test_every_way_to_end_has_a_title(
    make_report: MakeReport, verdicts: dict[str, Verdict], changed: dict[str, object], title: str
) -> None:
    assert "".join(outline(summary_page(make_report(verdicts, **changed)), "github").outside).startswith(title)


def test_the_page_has_a_command_for_the_broken_clauses(make_report: MakeReport) -> None:
    report = make_report({"ACK-03": Verdict.FAIL, "RES-01": Verdict.FAIL}, embedded=True)
    assert "<pre><code>ringback check --clause ACK-03 --clause RES-01 --seed 4242</code></pre>" in summary_page(report)


def test_a_limit_alone_is_a_reason(make_report: MakeReport) -> None:
    report = make_report(clauses=(), limits=(LimitResult("calls.lost", "== 0", 3.0, Verdict.FAIL),), command="load")
    page = summary_page(report)
    assert page.startswith("## ❌ Ringback load: fail\n\n<p>1 of 1 limit broken</p>")
    assert "<td>3</td><td><b>broken</b></td>" in page


@pytest.mark.parametrize("load", [{}, {"scenario": 7}, {"trigger": "?", "calls": {"lost": "x"}, "generator": None}])
def test_a_load_with_few_figures_is_shown(make_report: MakeReport, load: dict[str, object]) -> None:
    outline(summary_page(make_report(load=load)), "github")


def check_inert(page: str) -> None:
    assert len(page) <= MOST_CHARACTERS
    page.encode("utf-8")
    assert all(c.isprintable() or c == "\n" for c in page)
    # There are no workflow commands and no mentions.
    assert "@" not in page
    assert "::" not in page
    assert "##[" not in page
    assert "##vso" not in page
    assert "$" not in page


@pytest.mark.parametrize("renderer", RENDERERS)
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_evidence_adds_no_element(of_every_kind: MakeReport, kind: str, renderer: str) -> None:
    def page(text: str) -> str:
        return summary_page(of_every_kind(text, base_url=text, faults=(text,)))

    check_inert(page(HOSTILE[kind]))
    hostile, harmless = outline(page(HOSTILE[kind]), renderer), outline(page(HARMLESS), renderer)
    if len(HOSTILE[kind]) < 400 and "\0" not in HOSTILE[kind]:  # otherwise there is no curl line
        assert hostile.elements == harmless.elements
        assert "".join(hostile.outside) == "".join(harmless.outside)
        assert len(hostile.inside) >= len(harmless.inside)


@pytest.mark.parametrize("renderer", RENDERERS)
@settings(deadline=None, max_examples=50)
@given(text=st.text(st.characters(exclude_categories=()), min_size=1, max_size=60))
def test_any_text_adds_no_element(of_every_kind: MakeReport, renderer: str, text: str) -> None:
    page = summary_page(of_every_kind(text, base_url=text))
    check_inert(page)
    outline(page, renderer)


@settings(deadline=None)
@given(text=st.text(st.sampled_from("<>&`|[]()*_~@#:$!\\\n\t '\"=-w.a1\u202e"), max_size=40))
def test_what_a_reader_sees_is_what_came(text: str) -> None:
    shown = Outline(at_github(f"<table>\n<tr><td>{code(text, 1_000)}</td></tr>\n</table>"))
    expected = text.replace("\n", "\\n").replace("\t", "\\t").replace("\u202e", "<U+202E>")
    assert "".join(shown.inside) == expected


def test_a_typical_page_is_short_and_the_longest_fits(make_report: MakeReport) -> None:
    usual = make_report(dict.fromkeys(["ACK-03", "RES-01", "STA-04"], Verdict.FAIL), text="what a server says")
    assert len(summary_page(usual)) < 10_000
    evidence = Evidence(1, "POST /\n\n" + "{" * 10_000, "@" * 10_000, "curl " + "`" * 2_900)
    text = "<@" * 5_000
    worst = make_report(
        findings=[Finding(c, Verdict.FAIL, text, text, text, text, (evidence,)) for c in CLAUSES],
        limits=tuple(LimitResult(f"{n}{text}", text, 1.0, Verdict.FAIL) for n in range(300)),
        notes=tuple(f"{n}{text}" for n in range(1_000)),
        load={"scenario": text, "trigger": {"errors": {f"{n}{text}": 1 for n in range(100)}}},
    )
    page = summary_page(worst)
    check_inert(page)
    assert len(page) > 20_000
    assert re.search(r"<p>\d+ more, in verdict.json: .*ROB-\d\d</p>", page)
    for renderer in RENDERERS:
        seen = outline(page, renderer)
        assert "TRN-02" in "".join(seen.outside)
        assert "ringback gate --config ringback.toml --base-url" in "".join(seen.inside)


def test_evidence_that_is_left_out_is_counted(make_report: MakeReport) -> None:
    page = summary_page(make_report(dict.fromkeys(CLAUSES, Verdict.FAIL), text="x" * 200))
    message = re.search(r"<p>verdict.json has request, answer and curl line of (\d+) more.</p>", page)
    assert message is not None
    assert page.count("<summary><b>") >= 1
    assert page.count("<summary><b>") + int(message[1]) == 49  # advisory clauses only warn


def test_the_file_is_the_page(tmp_path: Path, of_every_kind: MakeReport) -> None:
    path = write_summary(of_every_kind("電話"), tmp_path / "run")
    assert path == tmp_path / "run" / SUMMARY_FILE
    assert path.read_text(encoding="utf-8") == summary_page(of_every_kind("電話"))


def test_the_page_is_added_to_a_jobs_summary(tmp_path: Path) -> None:
    job = tmp_path / "step_summary"
    job.write_text("before\n", encoding="utf-8")
    append_summary("## page ✅\n", job)
    assert job.read_text(encoding="utf-8") == "before\n## page ✅\n\n"
