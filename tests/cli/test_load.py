"""`ringback load` against the embedded sandbox: each scenario, workers, roles, and mistakes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ringback.commands.load import LoadOptions, load
from ringback.commands.running import Options
from ringback.loadgen.run import MasterAddress
from ringback.loadgen.task import usable_cores
from ringback.reporting import SCHEMA_PATH, console

from .commands import CONFIG, TOKEN, Case, Ended, Listener, listening, run_all

FILE = "[load]\nbudget_calls = 50\n"
RUNS = {"lifecycle": (), "delivery": ("--scenario", "delivery"), "two workers": ("--workers", "2")}
MORE_RUNS = {
    "trigger": ("--scenario", "trigger"),
    "poll": ("--scenario", "poll"),
    "mixed": ("--scenario", "mixed"),
    "back to back": ("--rate", "max", "--connections", "2"),
}
TYPOS = {
    "no such role": (("--role", "boss"), "--role"),
    "a master without a role": (("--master", "10.0.0.1"), "--role master"),
    "a worker without a master": (("--role", "worker"), "--master HOST"),
    "no port": (("--role", "worker", "--master", "10.0.0.1:70000"), "70000 is not a port"),
    "no port at all": (("--role", "master", "--master", "10.0.0.1:0"), "0 is not a port"),
    "no workers": (("--workers", "0"), "--workers"),
    "more workers than connections": (("--workers", "3", "--rate", "max", "--connections", "2"), "connection"),
    "users with a rate": (("--rate", "5", "--users", "3"), "--users"),
    "time to think for nobody": (("--think", "2s"), "--users"),
    "no limit": (("--limit", "fast"), "--limit"),
    "a limit on nothing": (("--limit", "trigger.speed < 3"), "--limit"),
    "two limits on one metric": (("--limit", "trigger.count < 3", "--limit", "trigger.count > 1"), "trigger.count"),
    "a limit on a step of a load without steps": (
        ("--limit", "step.2.trigger.count < 3"),
        "this load has no step 2",
    ),
    "a limit on a line that is none": (("--limit", "line.fax.trigger.count < 3"), "this load has no line fax"),
    "a limit on a tag that is none": (("--limit", "tag.x.trigger.count < 3"), "this load has no tag x"),
    "a limit on the polls of a line": (("--limit", "line.busy.poll.count < 3"), "no such metric"),
    "no time to climb": (("--ramp", "soon"), "--ramp"),
    "no baseline": (("--baseline", "nowhere"), "--baseline"),
    "a master on another machine's address": (("--role", "master", "--master", "192.0.2.7"), "can't listen"),
    "a master that nobody can look up": (("--role", "worker", "--master", "no-such-host.invalid"), "can't look up"),
    "a worker whose master is missing": (
        ("--role", "worker", "--master", "127.0.0.1:1", "--wait", "300ms"),
        "no master answered",
    ),
    "waiting for nobody": (("--wait", "5s"), "--role"),
    "no such scenario": (("--scenario", "storm"), "--scenario"),
    "a rate for steps": (("--rate", "5"), "steps have rates"),
    "results for nobody": (("--scenario", "delivery"), "result_destination"),
}
"""The arguments, and a word of the error message. The steps of "a rate for steps" have their own rates."""


@dataclass
class Ends:
    runs: dict[str, Ended]
    typos: dict[str, Ended]
    listener: Listener


def embedded(arguments: tuple[str, ...]) -> Case:
    """A run against the embedded sandbox with short calls."""
    return Case(
        ("load", "--rate", "30", "--duration", "1s", "--out", "run", "--quiet", *arguments),
        {"ringback.toml": '[load]\npopulation = 30\n[sandbox]\nring_time = "10ms"\n'},
    )


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ends]:
    """All commands, run together because they mostly wait."""
    runs = {name: embedded(arguments) for name, arguments in RUNS.items()}
    with listening() as listener:
        good = CONFIG.format(port=listener.port) + FILE
        typos = {
            name: Case(
                ("load", "--config", "my.toml", *arguments),
                {"my.toml": good + ('shape = "steps"\nsteps = ["5 for 1s"]\n' if name == "a rate for steps" else "")},
                {"RINGBACK_ACCESS_TOKEN": TOKEN},
            )
            for name, (arguments, _) in TYPOS.items()
        }
        done = run_all({**runs, **{f"typo: {name}": case for name, case in typos.items()}},
                       tmp_path_factory.mktemp("load"), at_once=5)  # fmt: skip
        yield Ends({n: done[n] for n in runs}, {n: done[f"typo: {n}"] for n in typos}, listener)


def sound(end: Ended) -> dict[str, Any]:
    """The load section of a run that passed, or is undecided because of a busy machine."""
    assert end.code in {0, 3}, end.out + end.err
    verdict: dict[str, Any] = json.loads((end.folder / "run/verdict.json").read_text())
    jsonschema.Draft202012Validator(json.loads(SCHEMA_PATH.read_text())).validate(verdict)
    load: dict[str, Any] = verdict["load"]
    calls = load["calls"]
    assert calls["accepted"] == calls["final"] > 0
    assert not any(calls[each] for each in ("lost", "duplicate_ids", "wrong_state", "unfinished", "unrequested"))
    assert not [limit for limit in verdict["limits"] if limit["verdict"] == "fail"]
    return load


def test_without_a_configuration_calls_are_followed_to_their_ends(ends: Ends) -> None:
    load = sound(ends.runs["lifecycle"])
    assert load["scenario"] == "lifecycle"
    assert load["calls"]["accepted"] == 30


def test_the_embedded_deployment_delivers(ends: Ends) -> None:
    calls = sound(ends.runs["delivery"])["calls"]
    assert calls["deliveries"]["expected"] == calls["deliveries"]["arrived"] == calls["accepted"] == 30


def test_two_workers_share_the_load(ends: Ends) -> None:
    load = sound(ends.runs["two workers"])
    assert [worker["accepted"] for worker in load["workers"]] == [15, 15]
    assert load["calls"]["accepted"] == 30


def test_options_choose_the_closed_model_limits_and_shape_and_plan_shows_them(tmp_path: Path) -> None:
    files = {"ringback.toml": '[sandbox]\nring_time = "10ms"\n'}
    users = ("--users", "3", "--think", "100ms", "--duration", "1s", "--scenario", "trigger")
    steps = ("--steps", "5 for 2s", "--steps", "10 for 2s")
    done = run_all(
        {
            "users": Case(("load", *users, "--limit", "trigger.count > 1000", "--out", "run", "--quiet"), files),
            "plan": Case(("load", "--plan", *steps), files),
        },
        tmp_path,
    )
    verdict = json.loads((done["users"].folder / "run" / "verdict.json").read_text(encoding="utf-8"))
    assert verdict["load"]["profile"]["shape"] == "closed"
    assert "closed model: 3 users" in verdict["load"]["profile"]["text"]
    assert verdict["load"]["calls"]["accepted"] <= 3 * (1 + 10), "a user thinks for 100 ms after each answer"
    assert done["users"].code == 1
    assert {limit["metric"]: limit["verdict"] for limit in verdict["limits"]}["trigger.count"] == "fail"
    assert done["plan"].code == 0
    assert "5 a second for 2 s, then 10 for 2 s" in " ".join(done["plan"].out.split())
    assert not (done["plan"].folder / "reports").exists()


@pytest.mark.slow
def test_the_other_scenarios_run_against_the_embedded_deployment(tmp_path: Path) -> None:
    done = run_all({name: embedded(arguments) for name, arguments in MORE_RUNS.items()}, tmp_path)
    shown = {name: sound(end) for name, end in done.items()}
    assert {name: shown[name]["scenario"] for name in ("trigger", "poll", "mixed")} == {
        "trigger": "trigger", "poll": "poll", "mixed": "mixed",
    }  # fmt: skip
    assert shown["trigger"]["calls"]["accepted"] == shown["poll"]["calls"]["accepted"] == 30
    assert shown["back to back"]["profile"]["shape"] == "closed"


@pytest.mark.parametrize("name", TYPOS)
def test_a_typo_is_one_line_and_exit_code_2(ends: Ends, name: str) -> None:
    end, (_, shown) = ends.typos[name], TYPOS[name]
    assert end.code == 2
    assert shown in end.complaint()
    assert TOKEN not in end.err


def test_no_typo_sent_anything(ends: Ends) -> None:
    assert len(ends.typos) == len(TYPOS)
    assert ends.listener.connections() == 0


def test_a_master_without_workers_ends_with_3_and_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RINGBACK_ACCESS_TOKEN", TOKEN)
    with listening() as listener, listening() as port:
        port.socket.close()
        (tmp_path / "my.toml").write_text(CONFIG.format(port=listener.port) + FILE)
        options = Options(tmp_path / "my.toml", None, tmp_path / "run", None)
        asked = LoadOptions(rate=5, duration=1, workers=2, master=MasterAddress("127.0.0.1", port.port, patience=0.5))
        code = load(console(quiet=False, no_color=True), options, asked)
        assert listener.connections() == 0
    assert code == 3
    assert "0 of 2 workers came" in " ".join(capsys.readouterr().out.split())
    verdict = json.loads((tmp_path / "run/verdict.json").read_text())
    assert verdict["verdict"] == "inconclusive"
    assert "0 of 2 workers came" in json.dumps(verdict)


def test_more_workers_than_cores_are_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RINGBACK_ACCESS_TOKEN", TOKEN)
    (tmp_path / "my.toml").write_text(CONFIG.format(port=1) + FILE)
    printed = {}
    for workers in (usable_cores(), usable_cores() + 1):
        options = Options(tmp_path / "my.toml", None, tmp_path / "run", None)
        asked = LoadOptions(rate=5, duration=1, workers=workers)
        assert load(console(quiet=False, no_color=True), options, asked, plan_only=True) == 0
        printed[workers] = " ".join(capsys.readouterr().out.split())
    assert ["more workers than cores do not help" in text for text in printed.values()] == [False, True]


def test_a_worker_needs_a_deployment_of_its_masters(tmp_path: Path) -> None:
    end = run_all(
        {"worker": Case(("load", "--role", "worker", "--master", "127.0.0.1"))}, tmp_path
    )["worker"]  # fmt: skip
    assert end.code == 2
    assert "a worker loads the same deployment as its master" in end.complaint()
