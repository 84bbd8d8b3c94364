"""Lines that are handsets: calls wait for each other, and none finds its line busy because of Ringback."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from ringback.config import Config, ConfigError, load_config
from ringback.config.loading import as_environment
from ringback.deployment.errors import Interrupted
from ringback.loadgen.run import check_before
from ringback.loadgen.schedule.plan import LoadPlan
from ringback.sandbox import SandboxSettings, launch
from ringback.suite.calls.places import LinePlaces, seconds_on_lines
from tests.cli.commands import Ended, ringback

TOKEN = "rb-lines-token-SECRET"
NUMBERS = {"answered": "5550000001", "busy": "5550000002", "no_answer": "5550000003"}
RING = 0.3
CONFIG = """\
[deployment]
base_url = "{base_url}"
project = "Collections"
scenario_path = "/ivr/collections"
orchestrator_url = "https://orchestrator.example.com"
display_number = "200"
[lines]
{lines}
[budget]
triggers_per_second = 200
{budget}
[timing]
settle = "10s"
poll_interval = "50ms"
delivery = "5s"
queued_delivery = "5s"
[result_destination]
listen = "127.0.0.1:0"
"""


def written(lines: str, budget: str = "", base_url: str = "http://127.0.0.1:9") -> str:
    return CONFIG.format(base_url=base_url, lines=lines, budget=budget)


def handsets(*names: str) -> str:
    return "\n".join(f'{name} = {{ number = "{NUMBERS[name]}", at_once = 1, ring = "300ms" }}' for name in names)


def configured(folder: Path, lines: str, budget: str = "") -> Config:
    (folder / "ringback.toml").write_text(written(lines, budget))
    return load_config(folder / "ringback.toml", {"RINGBACK_ACCESS_TOKEN": TOKEN})


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    """A deployment whose lines take one call at a time."""
    settings = SandboxSettings(
        port=0, tls=False, access_token=TOKEN, project="Collections", scenario_path="/ivr/collections", lines=NUMBERS,
        ring_seconds=RING, queued_delivery_seconds=0.2, calls_per_line=1,
    )  # fmt: skip
    with launch(settings) as running:
        yield running.base_url


def checked(folder: Path, config: str) -> tuple[Ended, dict[str, Any]]:
    (folder / "ringback.toml").write_text(config)
    end = ringback("check", "--seed", "1", "--out", "run", folder=folder, seconds=300, RINGBACK_ACCESS_TOKEN=TOKEN)
    return end, json.loads((folder / "run/verdict.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("names", [("answered", "busy", "no_answer"), ("answered",)])
def test_a_check_of_handsets_passes(base_url: str, tmp_path: Path, names: tuple[str, ...]) -> None:
    end, verdict = checked(tmp_path, written(handsets(*names), base_url=base_url))
    assert end.code == 0, end.out
    verdicts = {clause["id"]: clause["verdict"] for clause in verdict["clauses"]}
    assert verdicts["STA-03"] == verdicts["ACK-03"] == "pass"
    assert verdicts["ROB-03"] != "fail"


@pytest.mark.slow
def test_without_at_once_the_same_lines_are_busy(base_url: str, tmp_path: Path) -> None:
    lines = "\n".join(f'{name} = "{number}"' for name, number in NUMBERS.items())
    end, verdict = checked(tmp_path, written(lines, base_url=base_url))
    assert end.code == 1
    assert {c["id"]: c["verdict"] for c in verdict["clauses"]}["STA-03"] == "fail"


def test_a_line_is_a_number_or_a_table(tmp_path: Path) -> None:
    config = configured(tmp_path, handsets("answered") + '\nbusy = "5550000002"', "calls_at_once = 3")
    assert config.lines.configured == {"answered": "5550000001", "busy": "5550000002"}
    assert (config.lines.at_once, config.lines.rings) == ({"answered": 1}, {"answered": 0.3, "busy": 30.0})
    again = load_config(None, as_environment(config))
    assert (again.lines, again.budget) == (config.lines, config.budget)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("answered = 5550000001", 'lines.answered = 5550000001: a telephone number is text; put it in quotes: "5550'),
        ('answered = { number = "555-ring" }', 'lines.answered.number = "555-ring": not a telephone number'),
        ("answered = { at_once = 1 }", "lines.answered.number: missing; add it"),
        ('answered = { number = "5550000001", at_once = 0 }', "lines.answered.at_once = 0: should be greater"),
        (
            'answered = { number = "5550000001", atonce = 1 }',
            "atonce: unknown key; did you mean at_once?",
        ),
    ],
)
def test_mistakes(tmp_path: Path, lines: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(tmp_path, lines)
    assert message in str(caught.value)


def test_a_load_run_cannot_wait_for_lines(tmp_path: Path) -> None:
    for lines, budget in ((handsets("answered"), ""), ('answered = "5550000001"', "calls_at_once = 5")):
        config = configured(tmp_path, lines, budget)
        with pytest.raises(ConfigError, match="can't wait for a free line"):
            check_before(config, LoadPlan("lifecycle", 1, 1, 1.0, 0), embedded=True)


def places(config: Config) -> LinePlaces:
    nothing = cast("Any", None)
    return LinePlaces(config, nothing, nothing)


def test_places_on_lines_and_over_all(tmp_path: Path) -> None:
    two = 'answered = { number = "5550000001", at_once = 2 }\nbusy = { number = "5550000002", at_once = 1 }'
    assert Counter(places(configured(tmp_path, two)).together(16)) == {"answered": 2, "busy": 1}
    assert len(places(configured(tmp_path, two, "calls_at_once = 2")).together(16)) == 2
    any_number = places(configured(tmp_path, 'answered = "5550000001"\nbusy = "5550000002"'))
    assert not any_number.limited
    assert Counter(any_number.together(16)) == {"answered": 8, "busy": 8}


def test_the_end_of_the_run_ends_waiting_for_a_place(tmp_path: Path) -> None:
    async def waits() -> None:
        lines = places(configured(tmp_path, handsets("answered")))
        await lines.take(["answered"])
        waiting = asyncio.ensure_future(lines.take(["answered"]))
        await asyncio.sleep(0)
        assert not waiting.done()
        await lines.close()
        with pytest.raises(Interrupted):
            await waiting

    asyncio.run(waits())


def test_how_long_the_lines_take(tmp_path: Path) -> None:
    calls = {"answered": 10, "busy": 4}
    config = configured(tmp_path, handsets("answered", "busy"))
    assert seconds_on_lines(config, calls) == pytest.approx(10 * (0.3 + 0.05))
    config = configured(tmp_path, handsets("answered", "busy"), "calls_at_once = 1")
    assert seconds_on_lines(config, calls) == pytest.approx(14 * (0.3 + 0.05))
