from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from ringback.contract.clauses import CLAUSES
from ringback.contract.verdict import Evidence, Finding, Verdict
from ringback.reporting import RunReport, console, print_plan, print_report
from ringback.reporting.model.verdicts import spans
from ringback.reporting.terminal.screen import ReportConsole

MakeReport = Callable[..., RunReport]
RUN = Path("reports/20260301T120000Z-check")
SGR = re.compile(r"\x1b\[[\d;]*m")


class Terminal(io.StringIO):
    """A terminal that records what is written."""

    def isatty(self) -> bool:
        return True


def printed(report: RunReport, *, width: int = 80, **options: Any) -> str:
    screen = ReportConsole(file=io.StringIO(), width=width, **options)
    print_report(screen, report, RUN)
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def line_with(text: str, *words: str) -> str:
    (found,) = (line for line in text.splitlines() if all(word in line for word in words))
    return found


def test_a_pass_is_short(make_report: MakeReport) -> None:
    text = printed(make_report())
    assert "✓ REQ  What a trigger may and must carry  16/16 pass\n" in text
    assert text.splitlines()[-1] == (
        "PASS  53 of 53 clauses pass · 53 of 60 calls placed · 12.3 s · "
        "reports in reports/20260301T120000Z-check · exit 0: every decided clause and limit held"
    )
    assert len(text.splitlines()) < 15


def test_sections_count_and_name_what_did_not_pass(of_every_kind: MakeReport) -> None:
    text = printed(of_every_kind(), width=100)
    assert "2/4 pass  fail ACK-03 · warn ACK-04" in line_with(text, "✗ ACK  ")
    assert "8/9 pass  waived RES-04" in line_with(text, "~ RES  ")
    assert "4/5 pass  inconclusive STA-02" in line_with(text, "? STA  ")
    assert "5/8 pass  not exercised DST-01 to DST-03" in line_with(text, "– DST  ")
    assert line_with(text, "✓ ROB  ").endswith("5/5 pass")


def test_a_failure_shows_everything_about_itself(of_every_kind: MakeReport) -> None:
    text = printed(of_every_kind(), width=100)
    clause = CLAUSES["ACK-03"]
    block = text[text.index("✗ ACK-03") : text.index("\nWarnings")]
    assert block.startswith(f"✗ ACK-03  {clause.title}  MUST\n  contract  ")
    flat = " ".join(block.split())
    assert clause.statement in flat
    assert f"expected {clause.expects}" in flat
    assert "observed what happened to ACK-03" in flat
    assert "request POST https://ivr.example.com:22222/v2/call (exchange 17) Content-Type:" in flat
    assert "answer HTTP 200" in flat
    assert f"fix {clause.fix}" in flat
    assert "Host:" not in block


@pytest.mark.parametrize("width", [20, 40, 80, 120, 300])
def test_the_curl_line_is_one_line_and_the_rest_fits(of_every_kind: MakeReport, width: int) -> None:
    report = of_every_kind()
    (failed,) = (result for result in report.results if result.verdict is Verdict.FAIL)
    curl = f"curl --request POST 'https://x/{'y' * 500}'"
    evidence = Evidence(17, "POST https://x/v2/call\n\n" + "z" * 300, "HTTP 200", curl)
    finding = Finding(failed.clause.id, Verdict.FAIL, "a test", "a summary", "", "", (evidence,))
    text = printed(of_every_kind(findings=[finding]), width=width)
    assert curl in text.splitlines()
    if width >= 80:
        *others, _last = [line for line in text.splitlines() if line != curl]
        assert max(map(cell_len, others)) <= width
        assert not any(line.endswith(" ") for line in others)


def test_the_smallest_request_is_shown(make_report: MakeReport) -> None:
    def evidence(exchange: int, body: str) -> Evidence:
        return Evidence(exchange, f"POST https://x/v2/call\n\n{body}", "HTTP 500", "curl https://x")

    findings = [
        Finding("ROB-01", Verdict.FAIL, "a long one", "long", "", "", (evidence(1, "x" * 999), evidence(2, "x" * 99))),
        Finding("ROB-01", Verdict.FAIL, "a short one", "short", "", "", (evidence(3, "tiny"), evidence(4, "x" * 9))),
        *(Finding("ROB-01", Verdict.FAIL, f"more {n}", "short") for n in range(7)),
    ]
    text = printed(make_report(findings=findings), width=100)
    assert "test      a short one" in text
    assert "(exchange 3)" in text
    assert "see also  exchange 4 in exchanges.ndjson" in text
    assert "also      a long one: long" in text
    assert "also      3 more deviations, in verdict.json" in text


@pytest.mark.parametrize(
    ("curl", "said"),
    [("curl 'a\0b'", "NUL"), ("curl '" + "a" * 10_000 + "'", "10,007 characters; see verdict.json")],
)
def test_a_line_that_cannot_be_pasted_is_not_shown(make_report: MakeReport, curl: str, said: str) -> None:
    evidence = Evidence(1, "POST https://x/v2/call\n\n" + "\n" * 500 + "a" * 10_000, "HTTP 500", curl)
    finding = Finding("ROB-01", Verdict.FAIL, "a test", "a summary", "", "", (evidence,))
    text = printed(make_report(findings=[finding]))
    assert said in text
    assert "more characters]" in text
    assert len(text) < 4_000


def test_variables_to_set_are_named(make_report: MakeReport) -> None:
    curl = 'curl --data-raw \'{"AccessToken":"\'"${RINGBACK_ACCESS_TOKEN}"\'"}\' https://x'
    finding = Finding("ACK-01", Verdict.FAIL, "t", "s", "", "", (Evidence(1, "POST https://x", "HTTP 404", curl),))
    flat = " ".join(printed(make_report(findings=[finding])).split())
    assert "Set RINGBACK_ACCESS_TOKEN in your shell first." in flat


def test_other_clauses_are_shown_with_their_reasons(of_every_kind: MakeReport) -> None:
    text = printed(of_every_kind(), width=100)
    assert "Warnings\n! ACK-04  what happened to ACK-04\n" in text
    assert "Could not be decided\n? STA-02  what happened to STA-02\n" in text
    assert "~ RES-04  what happened to RES-04 (waived: vendor ticket 4711)\n" in text
    assert "✗ trigger.latency_ms.p99  < 500   fail: 512.3\n" in text
    assert "? poll.latency_ms.p99_9   < 100   not measured\n" in text
    assert "arrivals  600 scheduled, 599 sent, 20 a second\n" in text
    assert "calls     597 accepted, 595 final, 2 lost, 0 duplicate ids, 0 wrong state, 0 unfinished\n" in text
    assert line_with(text, "  trigger  ").split() == ["trigger", "2.13", "4.40", "6.10", "512", "1,893", "1,902", "596"]
    assert "errors    trigger: http_500 2, timeout 1\n" in text
    assert "capacity  812 a second, between 800 and 850\n" in text
    assert "generator kept up, 34.0 % of a core" in text
    assert "· 17 triggers waited for a rate limit\n" in text
    assert text.splitlines()[-1].startswith("FAIL  broken: ACK-03, trigger.latency_ms.p99 · 46 of 53 clauses pass, ")


def test_the_same_reason_is_shown_once(make_report: MakeReport) -> None:
    same = [Finding(c, Verdict.INCONCLUSIVE, "t", "nobody answered") for c in ("ACK-01", "ACK-02", "ACK-03", "RES-01")]
    text = printed(make_report(findings=same))
    assert "? ACK-01 to ACK-03, RES-01\n  nobody answered\n" in text
    assert text.count("nobody answered") == 1


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([], ""),
        (["ACK-01", "ACK-02"], "ACK-01, ACK-02"),
        (["ACK-01", "ACK-02", "ACK-03", "RES-04"], "ACK-01 to ACK-03, RES-04"),
        (["ACK-02", "RES-03", "STA-04", "STA-06"], "ACK-02, RES-03, STA-04, STA-06"),
    ],
)
def test_three_and_more_in_a_row_are_a_span(ids: list[str], message: str) -> None:
    assert spans(ids) == message


def test_an_interrupted_run_says_so(make_report: MakeReport) -> None:
    text = printed(make_report(interrupted=True))
    assert "This run\n? interrupted\n" in text
    assert text.splitlines()[-1].startswith("INCONCLUSIVE  53 of 53 clauses pass")
    assert text.splitlines()[-1].endswith("exit 130: interrupted; what was observed so far is reported")


@pytest.mark.parametrize(
    "load",
    [{}, {"scenario": 7}, {"arrivals": None, "trigger": "?", "calls": {"lost": "x"}}, {"poll": {"latency_ms": {}}}],
)
def test_a_load_with_few_figures_is_printed(make_report: MakeReport, load: dict[str, Any]) -> None:
    assert "\nLoad" in printed(make_report(load=load))


def test_a_limited_generator_is_named(make_report: MakeReport) -> None:
    assert "generator was the bottleneck" in printed(make_report(load={"generator": {"limited": True}}))


def test_quiet_leaves_the_last_line(of_every_kind: MakeReport) -> None:
    loud = printed(of_every_kind())
    quiet = printed(of_every_kind(), terse=True)
    assert quiet == loud.splitlines()[-1] + "\n"


def test_a_quiet_run_without_a_verdict_gives_its_reason(make_report: MakeReport) -> None:
    same = [Finding(c, Verdict.INCONCLUSIVE, "t", "nobody answered") for c in ("ACK-01", "ACK-02")]
    assert printed(make_report(findings=same), terse=True).endswith("exit 3: no verdict: nobody answered\n")
    two = [*same, Finding("RES-01", Verdict.INCONCLUSIVE, "t", "the budget is spent")]
    assert "no verdict: nobody answered (and 1 more reason)\n" in printed(make_report(findings=two), terse=True)
    assert "nobody answered" not in printed(make_report(findings=same)).splitlines()[-1], "it is printed above"


def test_the_plan_has_two_columns(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [("clauses", "53, level should"), ("calls", "about 48 of 60\x1b[2J"), ("seed", "4242")]
    print_plan(console(quiet=False, no_color=True), lines)
    assert capsys.readouterr().out == ("clauses  53, level should\ncalls    about 48 of 60\\x1b[2J\nseed     4242\n")
    print_plan(console(quiet=True, no_color=True), lines)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("no_color", "variable", "coloured"),
    [(False, None, True), (True, None, False), (False, "1", False), (False, "", True)],
)
def test_colour_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
    of_every_kind: MakeReport,
    no_color: bool,
    variable: str | None,
    coloured: bool,
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    if variable is not None:
        monkeypatch.setenv("NO_COLOR", variable)
    print_report(console(quiet=False, no_color=no_color), of_every_kind(), RUN)
    assert "ACK-03" in terminal.getvalue()
    assert ("\x1b" in terminal.getvalue()) is coloured


def test_no_escape_goes_into_a_pipe(of_every_kind: MakeReport, capsys: pytest.CaptureFixture[str]) -> None:
    print_report(console(quiet=False, no_color=False), of_every_kind(), RUN)
    assert "\x1b" not in capsys.readouterr().out


def test_a_stream_that_cannot_carry_a_character_gets_another(
    monkeypatch: pytest.MonkeyPatch, of_every_kind: MakeReport
) -> None:
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding="ascii") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        print_report(console(quiet=False, no_color=False), of_every_kind("電話"), RUN)
        stream.flush()
        text = raw.getvalue().decode("ascii")
    assert "x ACK-03  " in text
    assert "\\u96fb\\u8a71" in text


def test_markup_is_not_obeyed(of_every_kind: MakeReport) -> None:
    text = printed(of_every_kind("[bold]:smile:[/nonsense]"), width=200)
    assert text.count("[bold]:smile:[/nonsense]") > 5


@settings(deadline=None)
@given(text=st.text(st.characters(exclude_categories=()), max_size=60), width=st.integers(10, 200))
def test_hostile_text_is_harmless_on_the_terminal(of_every_kind: MakeReport, text: str, width: int) -> None:
    shown = printed(of_every_kind(text, base_url=text), width=width, force_terminal=True, color_system="truecolor")
    bare = SGR.sub("", shown)
    assert all(character.isprintable() or character == "\n" for character in bare)
    bare.encode("utf-8")


def test_a_reader_that_goes_away_changes_no_exit_code(tmp_path: Path) -> None:
    script = tmp_path / "talk.py"
    script.write_text(
        "import sys\n"
        "from ringback.reporting import console, print_plan\n"
        "screen = console(quiet=False, no_color=True)\n"
        "print_plan(screen, [('n', 'x' * 2000)] * 500)\n"
        "print_plan(screen, [('n', 'x' * 2000)] * 500)\n"
        "sys.exit(7)\n",
        encoding="utf-8",
    )
    reading, writing = os.pipe()
    try:
        process = subprocess.Popen([sys.executable, str(script)], stdout=writing, stderr=subprocess.PIPE, text=True)
    finally:
        os.close(writing)
    os.read(reading, 100)
    os.close(reading)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (7, "")
