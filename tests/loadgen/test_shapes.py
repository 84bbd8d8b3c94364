"""Load that changes over a run, and limits: what a configuration asks for is what is sent and judged."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import jsonschema
import pytest

from ringback.config import ConfigError
from ringback.contract.verdict import Verdict
from ringback.loadgen.schedule.arrivals import arrivals
from ringback.loadgen.task import WINDOWS_FILE
from ringback.reporting import SCHEMA_PATH

from .deployments import LINES, TinyDeployment, http
from .scenes import Played, Scene, playing, verdicts

DEFS = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))["$defs"]
LOAD = jsonschema.Draft202012Validator({"$ref": "#/$defs/load", "$defs": DEFS})


def refused_at_first(triggers: int) -> Callable[[int], bytes]:
    """Refuses so many triggers, and accepts the later ones."""
    return lambda n: http(400, {"Message": "not yet"}) if n <= triggers else b""


def soon_failing(n: int) -> bytes:
    """Accepts the first trigger: a run that never gets an answer it can read stops by itself."""
    return b"" if n < 2 else http(500, {})


def failing_in_the_second_step(n: int) -> bytes:
    return http(500, {}) if 30 < n <= 120 else b""


def scenes() -> dict[str, Scene]:
    def shaped(rate: float | None, duration: float | None, **load: object) -> Scene:
        flags = {f"load__{name}": value for name, value in load.items()}
        return Scene(TinyDeployment(), rate, duration, {"timing__settle": "30s", **flags})

    return {
        "ramp": shaped(80, 3, shape="ramp", from_rate=20, ramp_up="2s"),
        "steps": shaped(None, None, shape="steps", steps=["30 for 1s", "90 for 1s", "10 for 1s"]),
        "a bad step": Scene(
            TinyDeployment(trigger_script=failing_in_the_second_step), None, None,
            {
                "load__shape": "steps", "load__steps": ["30 for 1s", "90 for 1s", "10 for 1s"], "timing__settle": "30s",
                **{f"limits__step.{number}.trigger.error_rate": "< 0.5" for number in (1, 2, 3)},
                "limits__step.2.trigger.count": "== 90", "limits__step.2.poll.failed.latency_ms.p99": "< 500",
                "limits__line.busy.trigger.count": "> 0",
            },
            workers=2,
        ),
        "a bad line": Scene(
            TinyDeployment(refused=LINES["busy"]), 30, 3, {
                **{f"limits__line.{line}.trigger.error_rate": "== 0" for line in LINES},
                "limits__tag.poll.trigger.count": "> 0", "timing__settle": "30s",
            },
            workers=2,
        ),
        "spike": shaped(20, 3, shape="spike", spike_rate=120, spike_at="1s", spike_for="500ms"),
        "soak": shaped(50, 2, shape="soak"),
        "poisson": shaped(60, 2, arrivals="poisson"),
        "ramp-up": Scene(
            TinyDeployment(trigger_script=refused_at_first(40)), 40, 4,
            {"load__ramp_up": "2s", "limits__trigger.error_rate": "< 0.1", "timing__settle": "30s"},
        ),
        "abort": Scene(
            TinyDeployment(trigger_script=soon_failing), 60, 120, {"load__abort_on_limit": True}
        ),
    }  # fmt: skip


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    with playing(scenes(), tmp_path_factory) as played:
        yield played


@pytest.mark.parametrize(("name", "count"), [("ramp", 180), ("steps", 130), ("spike", 110), ("soak", 100)], ids=str)
def test_a_shape_places_exactly_the_calls_under_its_curve(played: Played, name: str, count: int) -> None:
    scene = played(name)
    assert scene.section["arrivals"]["scheduled"] == scene.section["arrivals"]["sent"] == count
    assert scene.calls["accepted"] == scene.calls["final"] == scene.deployment.triggers == count
    assert scene.section["profile"]["shape"] == name
    assert scene.section["profile"]["expected"] == count
    assert not scene.about_the_deployment


def test_poisson_arrivals_are_those_of_the_seed(played: Played) -> None:
    scene = played("poisson")
    course = scene.plan.profile
    assert course is not None
    due = list(arrivals(course, "poisson", 1))
    assert scene.section["arrivals"]["scheduled"] == scene.deployment.triggers == len(due)
    assert len({round(later - earlier, 6) for earlier, later in pairwise(due)}) > len(due) // 2, "no two gaps alike"


def test_a_stepped_schedule_shows_in_the_windows(played: Played) -> None:
    """Requests are counted in the window in which they were due, however late they were sent."""
    scene = played("steps")
    lines = [json.loads(line) for line in (scene.directory / WINDOWS_FILE).read_text().splitlines()]
    counts = [line["trigger"]["count"] for line in lines if line["trigger"]["count"]]
    assert counts == [30, 90, 10]


def test_each_step_has_figures_of_its_own(played: Played) -> None:
    for name in ("steps", "a bad step"):
        section = played(name).section
        assert [step["trigger"]["count"] for step in section["step"].values()] == [30, 90, 10]
        assert [(step["rate"], step["from_s"], step["to_s"]) for step in section["step"].values()] == [
            (30, 0, 1), (90, 1, 2), (10, 2, 3)
        ]  # fmt: skip


def test_a_deployment_that_errs_in_one_step_fails_the_limit_on_that_step(played: Played) -> None:
    scene = played("a bad step")
    held = {metric: verdict for metric, verdict in verdicts(scene.outcome).items() if metric.startswith("step.")}
    assert held == {
        "step.1.trigger.error_rate": Verdict.PASS,
        "step.2.trigger.error_rate": Verdict.FAIL,
        "step.3.trigger.error_rate": Verdict.PASS,
        "step.2.trigger.count": Verdict.PASS,
        "step.2.poll.failed.latency_ms.p99": Verdict.INCONCLUSIVE,
    }
    assert all(each["section"].get("step", {}).keys() == {"1", "2", "3"} for each in scene.progress), (
        "for the live view"
    )


def test_a_deployment_that_errs_on_one_line_fails_the_limit_on_that_line(played: Played) -> None:
    """In two processes: what each measured of a line is merged as their windows are."""
    scene = played("a bad line")
    held = {metric: verdict for metric, verdict in verdicts(scene.outcome).items() if metric.startswith("line.")}
    assert held == {
        f"line.{line}.trigger.error_rate": Verdict.FAIL if line == "busy" else Verdict.PASS for line in LINES
    }
    section = scene.section
    dialled = Counter(scene.deployment.numbers)
    counts = {line: figures["trigger"]["count"] for line, figures in section["line"].items()}
    assert counts == {line: dialled[number] for line, number in LINES.items()}
    assert sum(counts.values()) == section["trigger"]["count"] == section["tag"]["poll"]["trigger"]["count"] == 90
    assert section["tag"]["poll"]["poll"]["count"] == 0, "polls that follow calls belong to no task"
    errors = {line: figures["trigger"]["errors"] for line, figures in section["line"].items()}
    assert errors == {"answered": {}, "busy": {"http_500": counts["busy"]}, "no_answer": {}}
    calls = {line: figures["calls"] for line, figures in section["line"].items()}
    assert {line: (found["accepted"], found["final"]) for line, found in calls.items()} == {
        line: (0, 0) if line == "busy" else (counts[line], counts[line]) for line in LINES
    }
    assert sum(found["accepted"] for found in calls.values()) == section["calls"]["accepted"]
    measured = {line: figures["time_to_final_ms"]["max"] for line, figures in section["line"].items()}
    assert measured["busy"] is None
    assert max(measured["answered"], measured["no_answer"]) == section["time_to_final_ms"]["max"]
    LOAD.validate(section)


@pytest.mark.parametrize(
    ("metric", "problem"),
    [
        ("step.4.trigger.count", "this load has no step 4; it has 1, 2, 3"),
        ("line.error.trigger.count", "this load has no line error; it has answered, busy, no_answer"),
        ("tag.delivery.poll.count", "this load has no tag delivery; it has poll, trigger"),
    ],
)
def test_a_limit_on_an_unknown_part_is_a_mistake_and_nothing_is_sent(tmp_path: Path, metric: str, problem: str) -> None:
    scene = Scene(
        TinyDeployment(), None, None,
        {"load__shape": "steps", "load__steps": ["3 for 1s"] * 3, f"limits__{metric}": "< 1"},
    )  # fmt: skip
    with pytest.raises(ConfigError, match=re.escape(f'limits."{metric}": {problem}')):
        scene.play(tmp_path)
    assert scene.deployment.connections == 0


def test_a_run_without_steps_has_no_limit_on_one(tmp_path: Path) -> None:
    scene = Scene(TinyDeployment(), 10, 1, {"limits__step.1.trigger.count": "< 1"})
    with pytest.raises(ConfigError, match='this load has no step 1; only shape = "steps" has steps'):
        scene.play(tmp_path)
    assert scene.deployment.connections == 0


def test_limits_are_held_against_the_steady_part(played: Played) -> None:
    """All triggers of the ramp-up are refused, and (nearly) none of the rest: the limit holds."""
    scene = played("ramp-up")
    trigger = scene.section["trigger"]
    assert scene.section["steady"] == {"from_s": 2.0, "to_s": pytest.approx(scene.section["seconds"], abs=0.01)}
    assert trigger["count"] == 80
    assert trigger["whole"]["count"] == 120 == scene.calls["accepted"] + 40
    assert verdicts(scene.outcome)["trigger.error_rate"] is not Verdict.FAIL


def test_a_limit_that_cant_be_kept_any_more_ends_the_run(played: Played) -> None:
    scene = played("abort")
    assert verdicts(scene.outcome)["trigger.error_rate"] is Verdict.FAIL
    assert 100 <= scene.section["trigger"]["count"] < 7200, "it was to last for two minutes"
    assert scene.section["seconds"] < 120


def lines_of(scene: Scene) -> list[str]:
    return (scene.directory / WINDOWS_FILE).read_text().splitlines()


def test_a_limit_is_held_against_a_baseline(tmp_path_factory: pytest.TempPathFactory, played: Played) -> None:
    before = played("soak")
    limits = {
        "load__baseline": str(before.directory),
        "limits__trigger.count": ">= 1x baseline",
        "limits__calls.accepted": "< 0.5x baseline",
    }
    again = {**before.flags, **limits}
    scene = Scene(TinyDeployment(), 50, 2, again).play(tmp_path_factory.mktemp("again"))
    held = verdicts(scene.outcome)
    assert held["trigger.count"] is Verdict.PASS
    assert held["calls.accepted"] is Verdict.FAIL
    texts = {limit.metric: limit.limit for limit in scene.outcome.limits}
    assert texts["calls.accepted"] == "< 0.5x baseline (= 50)"
    assert not scene.about_the_deployment
