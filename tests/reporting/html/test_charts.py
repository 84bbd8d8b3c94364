"""Pictures: valid SVG for a page, for any figures, with a table of the numbers."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ringback.reporting.html.charts import (
    Branch,
    draw_calls,
    draw_capacity,
    draw_distribution,
    draw_flow,
    draw_over_time,
)
from ringback.reporting.html.charts.axes import plain
from ringback.reporting.html.charts.picture import Picture
from ringback.reporting.html.charts.sheet import ColorRole
from ringback.reporting.model.timelines import CallTimeline
from ringback.rundir.windows import read_windows

from .conftest import CALLS, FROZEN
from .load_runs import MadeUp, write_load_run

ROOT = Branch(
    "accepted",
    10,
    ColorRole.ACCENT,
    (Branch("final", 9, ColorRole.FINAL, (Branch("Busy", 9, ColorRole.FINAL),)), Branch("lost", 1, ColorRole.BAD)),
)


def checked(picture: Picture | None) -> Picture:
    assert picture is not None
    for svg in (picture.wide, picture.narrow):
        root = ET.fromstring(svg)
        assert root.tag == "svg"
        assert root.get("role") == "img"
        assert [root[0].tag, root[1].tag] == ["title", "desc"]
        for element in root.iter():
            assert not {"style", "xmlns", "onload"} & set(element.attrib)
            for name in element.get("class", "").split():
                assert name[:2] in {"f-", "s-"}
                assert name[2:] in set(ColorRole)
        assert not re.search(r"#[0-9a-f]{6}", svg), "a colour outside the style sheet"
        assert "nan" not in svg.lower().replace("finance", "")
        assert "http" not in svg
    assert all(len(row) == len(picture.table.head) for row in picture.table.rows)
    return picture


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter("text")]


def test_a_run_over_time(tmp_path: Path) -> None:
    load = write_load_run(tmp_path, FROZEN)
    picture = checked(draw_over_time(read_windows(tmp_path).timed(), load))
    assert "Trigger latency, ms (logarithmic)" in texts(picture.wide), "a freeze spans decades"
    assert {key.text for key in picture.legend} >= {
        "due",
        "sent",
        "errors",
        "p99",
        "steady (used for limits)",
        "generator was the bottleneck",
    }
    assert len(picture.table.rows) == 64
    assert "In 4 of 64 windows the load generator was the bottleneck" in picture.caption


def test_a_calm_run_has_an_honest_axis(tmp_path: Path) -> None:
    picture = checked(draw_over_time(*_calm(tmp_path)))
    assert "Trigger latency, ms" in texts(picture.wide), "linear, and from 0"
    assert "generator was the bottleneck" not in {key.text for key in picture.legend}


def _calm(tmp_path: Path) -> tuple[Any, Any]:
    load = write_load_run(tmp_path, MadeUp(seconds=20))
    return read_windows(tmp_path).timed(), load


@pytest.mark.parametrize(("seconds", "label"), [(30, "seconds"), (1000, "minutes"), (9000, "hours")])
def test_the_axis_of_time_suits_its_length(tmp_path: Path, seconds: float, label: str) -> None:
    load = write_load_run(tmp_path, MadeUp(seconds=seconds, window=seconds / 20, rate=2))
    assert f"{label} since the start" in texts(checked(draw_over_time(read_windows(tmp_path).timed(), load)).wide)


def test_latency_distribution_goes_no_further_than_there_were_requests(tmp_path: Path) -> None:
    picture = checked(draw_distribution(write_load_run(tmp_path, FROZEN)))
    assert "2,860 triggers have no data beyond the 99.97th percentile." in picture.caption
    ticks = [text for text in texts(picture.wide) if text.startswith(("50", "9")) and not text.endswith(")")]
    assert ticks[:5] == ["50", "90", "99", "99.9", "99.99"]


def test_a_run_without_a_distribution_shows_its_percentiles() -> None:
    load = {"trigger": {"count": 5000, "latency_ms": {"p50": 1.0, "p99": 5, "p99_9": 9}, "service_ms": {}}}
    assert [row[1] for row in checked(draw_distribution(load)).table.rows] == ["50", "99", "99.9"]


def test_a_flow_shows_every_branch() -> None:
    picture = checked(draw_flow(ROOT, key="ledger", title="t", caption="c"))
    assert {"accepted 10", "final  9 (90.0 %)", "lost  1 (10.0 %)", "Busy  9 (90.0 %)"} <= set(texts(picture.wide))
    assert [row[0] for row in picture.table.rows] == ["accepted", "final", "final: Busy", "lost"]


def test_one_lost_call_of_a_million_is_seen() -> None:
    root = Branch(
        "accepted",
        1_000_000,
        ColorRole.ACCENT,
        (Branch("final", 999_999, ColorRole.FINAL), Branch("lost", 1, ColorRole.BAD)),
    )
    picture = checked(draw_flow(root, key="ledger", title="t", caption="c"))
    assert "lost  1 (0.0001 %)" in texts(picture.wide)
    assert "final  999,999 (99.9 %)" in texts(picture.wide)


def test_capacity_shows_each_rate_and_its_reason(tmp_path: Path) -> None:
    picture = checked(draw_capacity(write_load_run(tmp_path, MadeUp(capacity=True))))
    assert [row[4] for row in picture.table.rows] == ["held"] * 5 + ["undecided", "did not hold", "did not hold"]
    assert "500 per second" in picture.caption


def test_calls_on_one_axis() -> None:
    picture = checked(draw_calls(CALLS))
    assert {"only the required parameters", "Answered", "Rejected, not Busy", "not final"} <= set(texts(picture.wide))
    assert {key.text for key in picture.legend} >= {"never seen final", "final, in another state", "result delivered"}
    assert picture.table.rows[1][-1] == "1.1 (503), 2.1 (200)"


def test_of_very_many_calls_those_that_went_wrong_are_drawn() -> None:
    good = [CallTimeline("fine", "busy", at / 10, at / 10, None, at / 10 + 1, "Busy") for at in range(500)]
    bad = CallTimeline("the one", "busy", 99, 99, None, 100, "Rejected")
    picture = checked(draw_calls([*good, bad]))
    assert "the one" in texts(picture.wide)
    assert "381 more are not drawn" in picture.caption
    assert picture.table.left_out == "101 more calls are not in this table."


def test_short_calls_of_a_long_run_begin_at_their_own_trigger() -> None:
    calls = [CallTimeline("fine", "busy", at * 10, at * 10 + 0.01, None, at * 10 + 1, "Busy") for at in range(9)]
    picture = checked(draw_calls(calls))
    assert "seconds since the trigger" in texts(picture.wide)
    assert "Each begins at its own trigger" in picture.caption
    assert picture.table.rows[3][3] == "30.00", "the table has the time of the run"
    assert "seconds since the start" in texts(checked(draw_calls(CALLS)).wide)


def test_without_data_there_is_no_picture() -> None:
    nothing: list[Any] = [
        draw_over_time((), {}), draw_distribution({}), draw_capacity({}), draw_calls(()),
        draw_flow(Branch("accepted", 0, ColorRole.ACCENT), key="k", title="t", caption="c"),
        draw_distribution({"trigger": {"count": 0, "latency_ms": {"p50": None}, "distribution": []}}),
        draw_capacity({"capacity": {"rate": None, "steps": [None, {}, {"rate": 0}]}}),
    ]  # fmt: skip
    assert nothing == [None] * len(nothing)


@pytest.mark.parametrize(
    ("value", "shown"), [(0, "0"), (0.5, "0.5"), (2.5, "2.5"), (20, "20"), (1500, "1,500"), (0.02, "0.02")]
)
def test_tick_labels(value: float, shown: str) -> None:
    assert plain(value) == shown


FIGURE = st.one_of(
    st.none(), st.booleans(), st.text(max_size=3), st.floats(), st.integers(-5, 10**20), st.floats(0, 1e4)
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_figures_give_a_valid_picture_or_none(tmp_path: Path, data: st.DataObject) -> None:
    operation = st.fixed_dictionaries(
        dict.fromkeys(("count", "errors", "p50_ms", "p95_ms", "p99_ms", "service_p99_ms"), FIGURE)
    )
    window = st.fixed_dictionaries(
        {
            **dict.fromkeys(("from_s", "to_s", "phase", "scheduled", "sent", "final", "limited", "limited_by"), FIGURE),
            "trigger": operation,
            "poll": st.one_of(FIGURE, operation),
            "lag_ms": st.fixed_dictionaries({"p99": FIGURE}),
        }
    )
    lines = [json.dumps(one) for one in data.draw(st.lists(window, max_size=6))]
    (tmp_path / "load_windows.ndjson").write_text("\n".join([*lines, "{", "[]", "7"]), encoding="utf-8")
    points = st.lists(st.one_of(FIGURE, st.lists(FIGURE, max_size=4)), max_size=5)
    load = {
        "steady": {"from_s": data.draw(FIGURE), "to_s": data.draw(FIGURE)},
        "trigger": {
            "count": data.draw(FIGURE), "distribution": data.draw(points), "latency_ms": {"p50": data.draw(FIGURE)},
        },
        "capacity": {
            "rate": data.draw(FIGURE), "low": data.draw(FIGURE), "high": data.draw(FIGURE),
            "steps": [{name: data.draw(FIGURE) for name in ("rate", "p99_ms", "arrived_rate")}],
        },
    }  # fmt: skip
    for picture in (draw_over_time(read_windows(tmp_path).timed(), load), draw_distribution(load), draw_capacity(load)):
        if picture is not None:
            checked(picture)
