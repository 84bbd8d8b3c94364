"""Text from a deployment stays text: it adds no elements, no attributes and no active characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ringback.reporting import RunReport, write_verdict
from ringback.reporting.html import MOST_BYTES, write_html
from ringback.reporting.model.timelines import CallTimeline, write_timelines
from ringback.rundir.verdict import read_run

from ..hostile_evidence import HOSTILE as CATALOGUE  # noqa: TID252 - pytest and mypy name the parent differently
from .load_runs import write_load_run
from .page_reader import Page, read_page

Make = Callable[..., RunReport]

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</style></title></textarea></pre><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "' autofocus onfocus='alert(1)",
    "<!-- --!> <![CDATA[ ]]> <?xml?>",
    "{{ 7 * 7 }} {% raw %} {# #} ${7*7}",
    "javascript:alert(1) data:text/html,<b>",
    "\x1b[2J\x1b]0;title\x07 \x00 \x08 \x7f \x9b",
    "lone \ud800 and \udfff",
    "left \u202e thgir \u2066 isolate \u200b zero \ufeff mark",
    "עברית and العربية stay where they are",
    "a\u0300\u0301\u0302\u0303\u0304\u0305 stacked",
    "$x^2$ \\frac{1}{2} $",
    "&lt;b&gt; &amp; &#60;script&#62;",
    "=HYPERLINK(1) ::error:: | ` @someone",
    "line\nbreaks\r\nand\ttabs\x85\u2028\u2029",
]
TAGS = {
    "html", "head", "meta", "title", "link", "style", "body", "a", "header", "div", "p", "h1", "h2", "h3", "h4", "h5",
    "span", "strong", "b", "i", "bdi", "dl", "dt", "dd", "pre", "code", "ul", "li", "nav", "main", "section", "details",
    "summary", "figure", "figcaption", "form", "fieldset", "legend", "label", "input", "select", "option", "button",
    "output", "footer", "script", "table", "thead", "tbody", "tr", "th", "td", "svg", "g", "path", "rect", "circle",
    "use", "text", "defs", "clippath", "pattern", "desc",
}  # fmt: skip


def check_inert(path: Path, least: Page | None = None) -> Page:
    page = read_page(path)
    assert page.tags["script"] == page.tags["style"] == 1
    assert set(page.tags) <= TAGS, set(page.tags) - TAGS
    assert not [name for name in page.attributes if name.startswith("on") or name == "style"]
    bad = {c for c in page.text if c != "\n" and unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}
    assert not bad, [hex(ord(c)) for c in bad]
    assert path.stat().st_size <= MOST_BYTES
    if least is not None:
        assert page.tags == least.tags, "hostile text adds or removes no element"
    return page


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_evidence_is_text(tmp_path: Path, of_every_kind: Make, text: str) -> None:
    harmless = check_inert(write_html(of_every_kind("harmless"), tmp_path))
    # With a NUL there is no curl line, and no elements around it.
    check_inert(write_html(of_every_kind(text), tmp_path), None if "\0" in text else harmless)


def test_the_shared_catalogue_of_hostile_evidence_is_text(tmp_path: Path, of_every_kind: Make) -> None:
    for text in CATALOGUE.values():
        check_inert(write_html(of_every_kind(text, load=None), tmp_path))


def test_hostile_evidence_is_text_after_reading_it_back(tmp_path: Path, of_every_kind: Make) -> None:
    write_verdict(of_every_kind("\n".join(HOSTILE)), tmp_path)
    check_inert(write_html(read_run(tmp_path), tmp_path))


def test_what_was_sent_can_still_be_read(tmp_path: Path, of_every_kind: Make) -> None:
    page = check_inert(write_html(of_every_kind("<b>\x1b[31m\u202eabc\ud800"), tmp_path))
    assert "<b>\\x1b[31m<U+202E>abc\\ud800" in page.text


def test_a_line_to_paste_sends_the_same_bytes(tmp_path: Path, of_every_kind: Make) -> None:
    page = check_inert(write_html(of_every_kind("a\u202eb"), tmp_path))
    assert "curl --request POST 'https://x/a'$'\\xe2\\x80\\xae''b'" in page.text


@pytest.mark.parametrize(
    ("text", "shown"),
    [("\0", "contains a NUL character"), ("y" * 10_000, "characters; see verdict.json")],
    ids=["NUL", "long"],
)
def test_a_line_that_can_not_be_pasted_has_a_reason(tmp_path: Path, of_every_kind: Make, text: str, shown: str) -> None:
    assert shown in check_inert(write_html(of_every_kind(text), tmp_path)).text


def test_megabytes_are_cut_and_counted(tmp_path: Path, of_every_kind: Make) -> None:
    page = check_inert(write_html(of_every_kind("<z>" * 500_000), tmp_path))
    assert "more characters]" in page.text


def test_hostile_figures_and_timelines_are_text(tmp_path: Path, make_report: Make) -> None:
    text = "".join(HOSTILE)
    load = write_load_run(tmp_path)
    load["scenario"] = load["profile"]["text"] = text
    load["generator"].update(dns=text, limited=True, limited_by=[text])
    load["trigger"]["errors"] = {text: 3}
    load["calls"]["by_state"] = {text: 5, "Busy": 7}
    load["workers"] = [{"name": text}, {"name": text}]
    load["capacity"] = {"rate": 5, "low": 5, "high": 6, "steps": [{"rate": 5, "held": False, "why": text, "p99_ms": 1}]}
    windows = tmp_path / "load_windows.ndjson"
    lines = (
        windows.read_text()
        .replace('"steady"', '"<script>alert(1)</script>"')
        .replace('"limited_by": []', '"limited_by": ["<b>"]')
    )
    windows.write_text(lines)
    write_timelines([CallTimeline(text, text, 0.0, 0.1, 0.2, 0.5, text, ((0.6, 200),), 0.7)], tmp_path)
    check_inert(write_html(make_report(load=load, base_url=f"https://{text}/"), tmp_path))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=60))
def test_any_text_is_inert(tmp_path: Path, of_every_kind: Make, text: str) -> None:
    check_inert(write_html(of_every_kind(text, load=None, limits=()), tmp_path))
