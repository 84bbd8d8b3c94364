"""The page as a whole: well-formed, self-contained, small, and true to the run."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from ringback.contract.clauses import CLAUSES, Level
from ringback.contract.verdict import LimitResult, Verdict
from ringback.contract.waivers import WaiverUse
from ringback.reporting import RunReport, write_verdict
from ringback.reporting.html import MOST_BYTES, write_html
from ringback.rundir.verdict import NotARun, read_run

from .load_runs import MadeUp, write_load_run
from .page_reader import Page, read_page

Shown = Callable[[RunReport], Page]
Make = Callable[..., RunReport]


def test_a_page_loads_no_other_file(tmp_path: Path, whole_gate: RunReport) -> None:
    page = read_page(write_html(whole_gate, tmp_path))
    assert all(address.startswith("data:image/svg+xml,") for address in page.addresses), page.addresses
    assert not page.tags.keys() & {"img", "iframe", "object", "embed", "audio", "video", "base"}
    assert not [name for name in page.attributes if name == "style" or name.startswith("on")]


def test_the_policy_lets_run_what_the_page_brings_and_no_more(tmp_path: Path, whole_gate: RunReport) -> None:
    page = read_page(write_html(whole_gate, tmp_path))
    rules = dict(rule.strip().split(" ", 1) for rule in page.policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert [rules["script-src"]] == page.hashes["script"]
    assert [rules["style-src"]] == page.hashes["style"]
    assert "unsafe" not in page.policy
    assert "http" not in page.policy


def test_every_picture_is_there_with_words_and_numbers(tmp_path: Path, whole_gate: RunReport) -> None:
    page = read_page(write_html(whole_gate, tmp_path))
    for name in ("over-time", "distribution", "ledger", "deliveries", "capacity", "calls"):
        assert f"picture-{name}" in page.ids
        assert {f"{name}-w-title", f"{name}-w-desc", f"{name}-n-title"} <= set(page.ids)
    assert page.text.count("The numbers of this picture") == 6


def test_broken_clauses_come_first(shown: Shown, make_report: Make) -> None:
    page = shown(make_report({"TRN-04": Verdict.FAIL, "ACK-03": Verdict.FAIL}))
    assert "2 of 53 clauses are broken (ACK-03, TRN-04); the first: what happened to ACK-03." in page.text
    failures = page.text[page.text.index("What to fix first") :]
    assert failures.index("ACK-03") < failures.index("TRN-04"), "MUST comes before SHOULD"
    assert CLAUSES["ACK-03"].fix in failures
    assert CLAUSES["ACK-03"].statement in failures
    assert "curl --request POST 'https://x/'" in failures


@pytest.mark.parametrize(
    ("verdicts", "word", "why"),
    [
        ({}, "Pass", "All 53 clauses hold."),
        ({"DST-01": Verdict.NOT_EXERCISED}, "Pass", "52 of 53 clauses hold; none is broken (1 not exercised)."),
        ({"ACK-04": Verdict.FAIL}, "Pass", "52 of 53 clauses hold; none is broken (1 with a warning)."),
        ({"ACK-03": Verdict.FAIL}, "Fail", "1 of 53 clauses is broken (ACK-03): what happened to ACK-03."),
        (
            {"STA-02": Verdict.INCONCLUSIVE},
            "Inconclusive",
            "No deviation was observed, but not everything could be decided: STA-02: what happened to STA-02.",
        ),
    ],
)
def test_the_verdict_is_a_word_and_a_sentence(
    shown: Shown, make_report: Make, verdicts: dict[str, Verdict], word: str, why: str
) -> None:
    page = shown(make_report(verdicts))
    assert page.title.startswith(f"{word} · ringback check · ivr.example.com:22222 · 2026-03-01")
    assert why in page.text


def test_an_interrupted_run_says_so(shown: Shown, make_report: Make) -> None:
    assert "The run was interrupted" in shown(make_report(interrupted=True)).text


def test_a_run_without_results_has_a_page(shown: Shown, make_report: Make) -> None:
    page = shown(make_report(clauses=()))
    assert page.title.startswith("Inconclusive")
    assert "nothing was decided" in page.text
    assert "conformance" not in page.ids


def test_broken_limits_are_explained(shown: Shown, make_report: Make) -> None:
    limits = (
        LimitResult("calls.lost", "== 0", 3.0, Verdict.FAIL),
        LimitResult("trigger.latency_ms.p99", "< 500", 4388.0, Verdict.FAIL),
        LimitResult("poll.latency_ms.p99", "< 500", 4388.0, Verdict.FAIL),
    )
    page = shown(make_report(clauses=(), limits=limits, load={"scenario": "lifecycle"}))
    assert "3 limits do not hold" in page.text
    assert "4,388 ms, limit less than 500 ms (7.8" not in page.text
    assert "calls lost: 3, limit exactly 0 (3 above)." in page.text
    assert page.text.count("Counted from the due time") == 1, "the same hint is shown once"


def test_waivers_are_shown_with_their_outcome(tmp_path: Path, make_report: Make) -> None:
    until = date(2027, 1, 31)
    uses = (
        WaiverUse("RES-04", "vendor ticket 4711", until, Verdict.WAIVED),
        WaiverUse("ROB-01", "fixed long ago", until, Verdict.PASS),
        WaiverUse("RES-04", "an older one", until, Verdict.WAIVED, shadowed=True),
    )
    report = make_report({"RES-04": Verdict.FAIL}, waivers={"RES-04": "vendor ticket 4711"})
    report = replace(report, waivers=uses)
    page = read_page(write_html(report, tmp_path))
    waivers = page.text[page.text.index("your reason") :]
    assert waivers.index("delete it: the clause holds") < waivers.index("it waived a deviation")
    assert "delete it: a later waiver" in waivers
    write_verdict(report, tmp_path)
    assert read_run(tmp_path).waivers == uses


def test_every_clause_opens_to_its_text(shown: Shown, of_every_kind: Make) -> None:
    page = shown(of_every_kind())
    for clause in CLAUSES.values():
        assert clause.id in page.ids
        assert clause.statement in page.text
    assert "waived by you" in page.text.lower()
    assert "vendor ticket 4711" in page.text
    assert page.tags["details"] > len(CLAUSES)


def test_the_page_is_the_same_when_made_again(tmp_path: Path, whole_gate: RunReport) -> None:
    write_verdict(whole_gate, tmp_path)
    first = write_html(read_run(tmp_path), tmp_path).read_bytes()
    assert write_html(read_run(tmp_path), tmp_path).read_bytes() == first
    stored = read_run(tmp_path)
    assert stored.conclusion == whole_gate.conclusion
    assert [(r.clause, r.verdict, r.summary, r.waiver) for r in stored.results] == [
        (r.clause, r.verdict, r.summary, r.waiver) for r in whole_gate.results
    ]
    assert stored.limits == whole_gate.limits
    message = [(f.test, f.observed, f.evidence) for r in whole_gate.results for f in r.deviations]
    again = [(f.test, f.observed, f.evidence) for r in stored.results for f in r.deviations]
    assert again == message


@pytest.mark.parametrize(
    "content", [None, b"", b"[]", b"{}", b'{"schema": "ringback/verdict/1"}', b"\xff", b"[" * 100_000]
)
def test_a_directory_without_a_run_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "verdict.json").write_bytes(content)
    with pytest.raises(NotARun, match=r"verdict\.json"):
        read_run(tmp_path)


def test_the_worst_run_still_fits(tmp_path: Path, all_broken: Make) -> None:
    load = write_load_run(tmp_path, MadeUp(seconds=1190, freeze=(300, 330), limited=(600, 700)))
    report = all_broken("x" * 200_000, load=load)
    path = write_html(report, tmp_path)
    assert path.stat().st_size <= MOST_BYTES
    page = read_page(path)
    assert re.search(r"… \[[\d,]+ more characters\]", page.text), "a cut is shown"


def test_the_page_shows_the_command_line_that_repeats_the_run(shown: Shown, make_report: Make, tmp_path: Path) -> None:
    page = shown(make_report(clauses=["ACK-01", "ACK-02", "ACK-03", "ACK-04", "TRN-01"], level=Level.MUST))
    line = "ringback check --config ringback.toml --base-url https://ivr.example.com:22222"
    assert f"{line} --clause TRN-01 --clause ACK --level must --seed 4242" in page.text
    embedded = shown(make_report(embedded=True, faults=("html-content-type",), dialects=("pending-empty",)))
    variables = "RINGBACK_SANDBOX__FAULTS=html-content-type RINGBACK_SANDBOX__DIALECTS=pending-empty"
    assert f"{variables} ringback check --seed 4242" in embedded.text
    given = read_page(write_html(make_report(again="ringback check --seed 1"), tmp_path))
    assert "ringback check --seed 1" in given.text


def test_the_command_line_of_a_load_run_has_its_rate(shown: Shown, make_report: Make, tmp_path: Path) -> None:
    load = write_load_run(tmp_path)
    page = shown(make_report(clauses=(), command="load", load=load))
    assert "ringback load --config ringback.toml" in page.text
    assert "--scenario lifecycle --rate 50 --duration 60s --seed 4242" in page.text
