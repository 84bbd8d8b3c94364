"""The page of the last runs: its contents, its form, and hostile text in it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from ringback.contract.clauses import CLAUSES
from ringback.reporting.html.charts.axes import ticks
from ringback.reporting.html.trend import find_runs, trend_page, write_trend
from ringback.reporting.html.trend_chart import Series, draw

from .runs import document, load, saved

VOID = {"meta", "br", "img", "input", "link", "hr"}
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "p", "ul", "li", "span", "section",
    "bdi", "div", "table", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "details", "summary",
    "svg", "desc", "text", "rect", "circle", "path",
}  # fmt: skip
HOSTILE = (
    "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7 * 7 }}{% raw %}\x1b[31m\x00\ud800\u202e]]>"
    "</title></style><a href=javascript:alert(1)>"
)


class Reader(HTMLParser):
    """Checks the nesting of elements and collects them."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    assert {tag for tag, _ in reader.seen} <= ALLOWED
    ids = [attributes["id"] for _, attributes in reader.seen if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in reader.seen:
        assert not {name for name in attributes if name.startswith("on") or name in {"href", "src", "style", "srcset"}}
    return reader


def runs(folder: Path, count: int, **members: Any) -> None:
    for number in range(count):
        verdicts = dict.fromkeys(CLAUSES, "pass") | {"ACK-03": "fail" if number < 2 else "pass"}
        shown = document(verdicts, load=load(), started=f"2026-03-{number + 1:02}T12:00:00.000Z", **members)
        saved(folder / f"run-{number:02}", shown)


def test_the_last_runs_are_grouped_by_deployment(tmp_path: Path) -> None:
    runs(tmp_path / "a", 5)
    elsewhere = {"base_url": "https://other.example.com", "embedded": False, "faults": [], "dialects": []}
    saved(tmp_path / "a" / "z", document({"ACK-03": "pass"}, deployment=elsewhere, started="2026-01-01T00:00:00Z"))
    for port, faults in ((1, []), (2, []), (3, ["created-201"])):
        box = {"base_url": f"https://127.0.0.1:{port}", "embedded": True, "faults": faults, "dialects": []}
        saved(tmp_path / "a" / f"box{port}", document({}, deployment=box, started=f"2025-01-0{port}T00:00:00Z"))
    found = find_runs(tmp_path / "a", 3)
    assert {name: [run.path.name for run in of_one] for name, of_one in found.runs.items()} == {
        "https://ivr.example.com:22222": ["run-02", "run-03", "run-04"],
        "https://other.example.com": ["z"],
        "the embedded sandbox with created-201": ["box3"],
        "the embedded sandbox": ["box1", "box2"],
    }
    assert found.skipped == ()
    read(trend_page(found))


def test_folders_without_a_run_are_skipped_and_listed(tmp_path: Path) -> None:
    runs(tmp_path, 2)
    for name, content in (("broken", "{"), ("foreign", "[]")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "verdict.json").write_text(content)
    (tmp_path / "empty").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "a-replay").mkdir()
    (tmp_path / "a-replay" / "replay.json").write_text("{}")
    (tmp_path / "trend.html").write_text("")
    found = find_runs(tmp_path, 30)
    assert [name for name, _ in found.skipped] == ["broken", "empty", "foreign"]
    shown = read(trend_page(found)).text
    assert "there is no verdict.json" in shown


def test_the_clauses_that_changed_stand_in_the_matrix(tmp_path: Path) -> None:
    runs(tmp_path, 4)
    page = trend_page(find_runs(tmp_path, 30))
    assert re.findall(r'<th scope="row" title="[^"]*">(\S+) ', page) == ["ACK-03"]
    assert page.count("changed") > 1
    shown = read(page).text
    assert "52 of 53 clauses passed in every run" in shown
    assert "4 runs" in shown


def test_a_single_run_and_a_run_without_a_load_have_a_page(tmp_path: Path) -> None:
    saved(tmp_path / "one", document({"ACK-03": "pass"}))
    read(trend_page(find_runs(tmp_path, 30)))
    saved(tmp_path / "two", document({}, load=load()))
    assert "Trigger latency" in read(trend_page(find_runs(tmp_path, 30))).text


def test_hostile_text_in_runs_stays_text(tmp_path: Path) -> None:
    shown = document({"ACK-03": "fail"}, load=load(profile={"text": HOSTILE}), command=HOSTILE, ringback=HOSTILE)
    shown["clauses"][0] |= {"summary": HOSTILE, "title": HOSTILE}
    shown["deployment"] = {"base_url": HOSTILE, "embedded": False, "faults": [], "dialects": []}
    saved(tmp_path / "<b>&run", shown)
    (tmp_path / "<i>junk").mkdir()
    page = trend_page(find_runs(tmp_path, 30))
    reader = read(page)
    assert "<script>alert(1)</script>" in reader.text
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\u202e]", page)
    assert len(write_trend(find_runs(tmp_path, 30), tmp_path / "trend.html").read_bytes()) < 100_000


def test_the_page_loads_nothing(tmp_path: Path) -> None:
    runs(tmp_path, 3)
    page = trend_page(find_runs(tmp_path, 30))
    policy = next(a["content"] for t, a in read(page).seen if t == "meta" and "http-equiv" in a)
    assert str(policy).startswith("default-src 'none'; style-src 'sha256-")
    assert "url(" not in page
    assert "@import" not in page


def test_a_thousand_runs_make_a_page_of_bounded_size(tmp_path: Path) -> None:
    for number in range(40):
        verdicts = dict.fromkeys(CLAUSES, "fail" if number % 2 else "pass")
        shown = document(verdicts, load=load(), started=f"2026-03-01T12:{number:02}:00Z")
        for clause in shown["clauses"]:
            clause["summary"] = "x" * 100_000
        saved(tmp_path / f"{number}", shown)
    assert len(trend_page(find_runs(tmp_path, 30))) < 1_500_000


@pytest.mark.parametrize(
    ("highest", "expected"),
    [
        (0, [0, 1]), (1, [0, 0.5, 1]), (3, [0, 1, 2, 3]), (80, [0, 20, 40, 60, 80]), (81, [0, 50, 100]),
        (0.002, [0, 0.0005, 0.001, 0.0015, 0.002]), (1e9, [0, 5e8, 1e9]), (-5, [0, 1]),
    ],
)  # fmt: skip
def test_axes_begin_at_zero_and_step_roundly(highest: float, expected: list[float]) -> None:
    assert ticks(highest) == pytest.approx(expected)


def test_a_gap_is_a_gap() -> None:
    svg = draw("c", "Latency", "ms", list("abcdef"), [Series("p50", [1, 2, None, 3, None, 4])], [False] * 6)
    assert svg.count('class="s-p50"') == 1, "two points make a line, one does not"
    assert svg.count("<circle") == 4
    assert "p50 went from 1 to 4" in svg
