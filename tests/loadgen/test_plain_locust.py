"""`locust -f load/locustfile.py`, as anybody who knows Locust would run it."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from ringback.config.loading import as_environment
from ringback.resources import load_path
from tests.forked import REAL_PYTHON

from .deployments import TinyDeployment, config_for, serving, unused_port
from .waiting import until

LOCUSTFILE = str(load_path() / "locustfile.py")
BARE = {name: value for name, value in os.environ.items() if not name.startswith(("RINGBACK_", "LOCUST_"))}
SHAPE = """
from locust import LoadTestShape


class TwoSteps(LoadTestShape):
    def tick(self):
        seconds = self.get_run_time()
        return (4, 100) if seconds < 2 else (12, 100) if seconds < 4 else None
"""


CTRL_C_BETWEEN_TURNS = """
import os, signal
import gevent
from locust import events


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)
    sum(range(1000))


@events.test_start.add_listener
def later(**_):
    events.later = gevent.get_hub().loop.timer(2)
    events.later.start(interrupt)
"""


def command(*files: Path | str) -> list[str]:
    return [sys.executable, "-m", "locust", "-f", ",".join(map(str, files))]


Ended = subprocess.CompletedProcess[str]


def locust(
    directory: Path, *arguments: str, environment: Mapping[str, str], files: tuple[Path | str, ...] = (LOCUSTFILE,)
) -> Ended:
    return subprocess.run(
        [*command(*files), "--headless", *arguments],
        cwd=directory, env={**BARE, **environment}, capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip


@contextlib.contextmanager
def locust_running(directory: Path, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*command(LOCUSTFILE), *arguments],
        cwd=directory, env={**BARE, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def environment_for(deployment: TinyDeployment, **flags: Any) -> dict[str, str]:
    return as_environment(config_for(deployment.base_url, **{"load__budget_calls": 1000, **flags}))


def accounts(log: str, whose: str = "calls") -> list[dict[str, int]]:
    """The accounts in a Locust process's log, by name of what was counted."""
    lines = re.findall(rf"ringback: {whose}: (.*)", log)
    return [{name: int(count) for name, count in re.findall(r"([a-z_ ]+) (\d+)(?:, |$)", line)} for line in lines]


def two_workers() -> list[str]:
    """With a port of their own to meet at."""
    port = str(unused_port())
    return ["--processes", "2", "--master-bind-port", port, "--master-port", port]


@dataclass
class Session:
    """Locust, run to its end against a deployment of its own, or (without one) against the embedded sandbox."""

    arguments: str
    deployment: TinyDeployment | None = field(default_factory=TinyDeployment)
    flags: dict[str, Any] = field(default_factory=dict)
    shape: str = ""
    workers: bool = False
    ended: Ended = field(init=False)

    @property
    def log(self) -> str:
        return self.ended.stderr

    @property
    def calls(self) -> dict[str, int]:
        (calls,) = accounts(self.log)
        return calls

    def play(self, directory: Path) -> Session:
        files: list[Path | str] = [LOCUSTFILE]
        if self.shape:
            files.append(directory / "shape.py")
            (directory / "shape.py").write_text(self.shape)
        arguments = self.arguments.split()
        if self.workers:
            arguments += two_workers()
        if self.deployment is None:
            self.ended = locust(directory, *arguments, environment={})
            return self
        with serving(self.deployment):
            environment = environment_for(self.deployment, **{"timing__settle": "5s", **self.flags})
            self.ended = locust(directory, *arguments, environment=environment, files=tuple(files))
        return self


def sessions() -> dict[str, Session]:
    """Three in ten ids of `workers` are given twice, often to the two workers one each: only a master can see that."""
    tiny = TinyDeployment
    return {
        "embedded": Session("-u 10 -r 10 -t 2s --json", None),
        "broken limit": Session("-u 9 -r 9 -t 2s", tiny(wrong_every=2)),
        "named, shaped": Session("TriggerUser", flags={"timing__settle": "2s"}, shape=SHAPE),
        "tags": Session("-u 9 -r 9 -t 2s TriggerUser --tags poll"),
        "workers": Session("-u 20 -r 20 -t 8s", tiny(reuse_every=3), workers=True),
        "budget": Session("-u 40 -r 40 -t 8s", flags={"load__budget_calls": 15}, workers=True),
    }


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Session]]:
    """All sessions are played together, for they mostly wait; a test looks at one when it is over."""
    with ThreadPoolExecutor(4) as stage:
        playing = {name: stage.submit(each.play, tmp_path_factory.mktemp("it")) for name, each in sessions().items()}
        yield lambda name: playing[name].result(timeout=200)


Played = Callable[[str], Session]


def test_with_no_deployment_named_it_loads_the_embedded_sandbox(played: Played) -> None:
    session = played("embedded")
    assert session.ended.returncode in {0, 3}, session.log
    calls = session.calls
    assert 1 <= calls["accepted"] == calls["final"]
    assert not any(calls[name] for name in ("lost", "duplicate_ids", "wrong_state", "unfinished"))
    names = {entry["name"]: entry["num_requests"] for entry in json.loads(session.ended.stdout)}
    assert names["trigger"] == calls["accepted"]
    assert names["poll"] > 0
    assert '"LifecycleUser": 10}' in session.log, "the other scenarios rest unless they are named"


def test_a_failed_limit_is_named_and_ends_locust_with_1(played: Played) -> None:
    session = played("broken limit")
    assert session.ended.returncode == 1, session.log
    assert "limit failed: calls.wrong_state == 0" in session.log
    assert "Traceback" not in session.log


def test_scenarios_run_by_their_name_and_locusts_shapes_set_the_rate(played: Played) -> None:
    session = played("named, shaped")
    assert session.deployment is not None
    assert '"TriggerUser": 4}' in session.log
    assert "Shape test updating to 4 users" in session.log
    assert "Shape test updating to 12 users" in session.log
    assert 16 <= session.calls["accepted"] == session.calls["final"] == session.deployment.triggers
    calls = session.deployment.triggers
    assert calls <= session.deployment.asked <= 2 * calls, "a trigger storm asks late, and so but once for most"


def test_tags_choose_among_tasks(played: Played) -> None:
    session = played("tags")
    assert session.deployment is not None
    assert session.ended.returncode == 3
    assert "open question: TriggerUser has no task with the requested tags" in session.log
    assert "could not be reached" not in session.log
    assert session.deployment.triggers == 0


def test_workers_account_each_for_itself_and_the_master_for_all(played: Played) -> None:
    session = played("workers")
    assert session.deployment is not None
    whole, parts = session.calls, accounts(session.log, "calls of this worker")
    assert len(parts) == 2
    assert all(part["accepted"] for part in parts)
    assert whole["accepted"] == sum(part["accepted"] for part in parts) == session.deployment.triggers
    assert whole["duplicate_ids"] == session.deployment.expected["duplicate_ids"] > 0
    assert whole["accepted"] == whole["final"] + whole["duplicate_ids"]
    assert session.ended.returncode == 1
    assert "limit failed: calls.duplicate_ids == 0" in session.log
    # Locust logs a traceback of its own if another waiter was first to see that its worker has ended.
    assert "/src/ringback/" not in session.log.partition("Traceback")[2]


def test_workers_never_place_a_call_over_the_budget(played: Played) -> None:
    session = played("budget")
    assert session.deployment is not None
    assert session.calls["accepted"] == session.calls["final"] == session.deployment.triggers == 15
    assert session.ended.returncode == 3
    assert "open question: the budget of calls (load.budget_calls) ended" in session.log


def test_deliveries_without_a_receiver_are_a_configuration_error(tmp_path: Path) -> None:
    with serving(deployment := TinyDeployment()):
        ended = locust(tmp_path, "-u", "1", "-t", "1s", "DeliveryUser", environment=environment_for(deployment))
    assert ended.returncode == 2
    assert "result_destination" in ended.stderr
    assert deployment.connections == 0


@pytest.mark.slow
def test_a_killed_worker_is_named_and_makes_the_test_inconclusive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", REAL_PYTHON)  # a fork is not a child of this process
    with serving(deployment := TinyDeployment()):
        arguments = ["--headless", "-u", "20", "-r", "20", "-t", "6s", *two_workers()]
        environment = environment_for(deployment, timing__settle="3s")
        with locust_running(tmp_path, *arguments, **environment) as process:
            until(lambda: deployment.triggers >= 40)
            psutil.Process(process.pid).children()[0].kill()
            _, output = process.communicate(timeout=100)
    (whole,), (part,) = accounts(output), accounts(output, "calls of this worker")
    assert re.search(r"open question: the worker .* was lost", output)
    assert part["accepted"] < whole["accepted"] <= deployment.triggers
    assert process.returncode == 3


@pytest.mark.parametrize(
    ("environment", "output"),
    [
        ({"RINGBACK_DEPLOYMENT__BASE_URL": "ftp://x"}, "RINGBACK_DEPLOYMENT__BASE_URL: deployment.base_url"),
        ({"RINGBACK_CONFIG": "missing.toml"}, "missing.toml: no such file"),
    ],
)
def test_a_mistake_in_the_configuration_is_one_line_and_exit_code_2(
    tmp_path: Path, environment: dict[str, str], output: str
) -> None:
    ended = locust(tmp_path, "-u", "1", "-t", "1s", environment=environment)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    (line,) = [line for line in ended.stderr.splitlines() if line and not line.startswith("[")]
    assert output in line


def test_a_deployment_without_a_budget_is_not_loaded(tmp_path: Path) -> None:
    with serving(deployment := TinyDeployment()):
        environment = as_environment(config_for(deployment.base_url))
        ended = locust(tmp_path, "-u", "1", "-t", "1s", environment=environment)
    assert ended.returncode == 2
    assert "load.budget_calls: missing" in ended.stderr
    assert deployment.connections == 0


def test_ctrl_c_accounts_for_what_was_seen(tmp_path: Path) -> None:
    with serving(deployment := TinyDeployment(ring=60)):
        environment = environment_for(deployment, timing__settle="60s")
        with locust_running(tmp_path, "--headless", "-u", "20", "-r", "20", **environment) as process:
            until(lambda: deployment.triggers >= 10)
            process.send_signal(signal.SIGINT)
            _, output = process.communicate(timeout=50)
    assert process.returncode == 3
    (calls,) = accounts(output)
    assert 0 < calls["accepted"] == calls["unfinished"] <= deployment.triggers
    assert calls["final"] == calls["lost"] == 0
    whole = calls["accepted"] + calls["indeterminate"]
    assert deployment.triggers <= whole, "what was cut off on its way may have placed a call, and is reported"
    assert "Traceback" not in output


def test_ctrl_c_while_the_event_loop_is_at_work_is_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "ctrl_c.py").write_text(CTRL_C_BETWEEN_TURNS)
    with serving(deployment := TinyDeployment(ring=60)):
        environment = environment_for(deployment, timing__settle="60s")
        files = (LOCUSTFILE, tmp_path / "ctrl_c.py")
        ended = locust(tmp_path, "-u", "5", "-r", "5", "-t", "60s", environment=environment, files=files)
    assert "Traceback" not in ended.stderr
    assert ended.returncode == 3
    (calls,) = accounts(ended.stderr)
    assert calls["accepted"] == calls["unfinished"] > 0


@pytest.mark.slow
def test_a_worker_of_another_deployment_places_no_calls(tmp_path: Path) -> None:
    port = str(unused_port())
    here, there = ["--master-bind-port", port], ["--worker", "--master-port", port]
    with serving(deployment := TinyDeployment()), serving(other := TinyDeployment()):
        ours, theirs = environment_for(deployment), environment_for(other)
        with locust_running(tmp_path, *there, **ours), locust_running(tmp_path, *there, **theirs):
            led = locust(
                tmp_path, "--master", *here, "--expect-workers", "2", "-u", "10", "-r", "10", "-t", "3s",
                environment=ours,
            )  # fmt: skip
    assert led.returncode == 3
    assert "is configured for another deployment" in led.stderr
    (calls,) = accounts(led.stderr)
    assert calls["accepted"] == calls["final"] == deployment.triggers > 0
    assert other.triggers == 0


@pytest.mark.slow
def test_ctrl_c_on_a_master_accounts_for_what_its_workers_saw(tmp_path: Path) -> None:
    with serving(deployment := TinyDeployment(ring=60)):
        environment = environment_for(deployment, timing__settle="60s")
        arguments = ["--headless", "-u", "20", "-r", "20", *two_workers()]
        with locust_running(tmp_path, *arguments, **environment) as process:
            until(lambda: deployment.triggers >= 40)
            process.send_signal(signal.SIGINT)
            _, output = process.communicate(timeout=80)
    assert process.returncode == 3
    (calls,) = accounts(output)
    assert (
        0
        < calls["accepted"]
        == calls["unfinished"]
        <= deployment.triggers
        <= calls["accepted"] + calls["indeterminate"]
    )
    assert "open question: interrupted" in output


def requests(page: str) -> set[str]:
    """The requests that the page's own table knows of; it is updated every two seconds."""
    return {entry["name"] for entry in httpx.get(f"{page}/stats/requests").json()["stats"]}


def rows(page: str) -> dict[str, str]:
    """The rows of the tab, as one of the page's polls brings them."""
    (extended,) = httpx.get(f"{page}/stats/requests").json()["extended_stats"]
    assert extended["key"] == "calls"
    return {row["what"]: row["value"] for row in extended["data"]}


def test_the_web_page_starts_tests_and_accounts_for_their_calls(tmp_path: Path) -> None:
    port = unused_port()
    page = f"http://127.0.0.1:{port}"
    with serving(deployment := TinyDeployment()):
        arguments = ["--web-host", "127.0.0.1", "--web-port", str(port)]
        with locust_running(tmp_path, *arguments, **environment_for(deployment, timing__settle="5s")) as process:
            until(lambda: answers(page))
            shown = httpx.get(page).text
            assert deployment.base_url in shown
            assert all(name in shown for name in ("extended_tabs", "extended_tables", "./calls/csv"))
            assert rows(page) == {}, "there is nothing before a test"
            for _ in range(2):
                wanted = deployment.triggers + 5
                started = httpx.post(f"{page}/swarm", data={"user_count": "10", "spawn_rate": "10"})
                assert started.json()["success"]
                until(lambda wanted=wanted: deployment.triggers >= wanted)  # type: ignore[misc]
                until(lambda: int(rows(page)["accepted"]) > 0)
                httpx.post(f"{page}/stop", timeout=60).raise_for_status()
                until(lambda: {"trigger", "poll"} <= requests(page))
                until(lambda: rows(page)["in flight"] == "0")
                table = rows(page)
                assert table["accepted"] == table["final"]
                assert table["lost"] == table["duplicate ids"] == table["wrong state"] == "0"
                assert table["limit calls.lost == 0"] == "met (0)"
                assert table["lag between due and sent, p99"].endswith(" ms")
            as_csv = httpx.get(f"{page}/calls/csv")
            assert as_csv.headers["Content-Type"] == "text/csv"
            assert dict(csv.reader(as_csv.text.splitlines())) == {"calls": "so far", **rows(page)}
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=50)
    assert [each["accepted"] for each in accounts(log)][-1] == int(table["accepted"])
    assert sum(each["accepted"] for each in accounts(log)) == deployment.triggers
    assert "Traceback" not in log


def test_tests_of_one_web_page_share_one_budget(tmp_path: Path) -> None:
    """Three tests of one Locust process share the calls that the configuration allows."""
    page = f"http://127.0.0.1:{(port := unused_port())}"
    with serving(deployment := TinyDeployment()):
        arguments = ["--web-host", "127.0.0.1", "--web-port", str(port)]
        environment = environment_for(deployment, load__budget_calls=25, timing__settle="5s")
        with locust_running(tmp_path, *arguments, **environment) as process:
            until(lambda: answers(page))
            for wanted in (5, 25, 25):
                started = httpx.post(f"{page}/swarm", data={"user_count": "10", "spawn_rate": "10"})
                assert started.json()["success"]
                until(lambda wanted=wanted: deployment.triggers >= wanted)  # type: ignore[misc]
                httpx.post(f"{page}/stop", timeout=60).raise_for_status()
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=50)
    assert deployment.triggers == 25
    assert sum(each["accepted"] for each in accounts(log)) == 25


@pytest.mark.slow
def test_the_web_page_of_a_master_accounts_for_all_workers(tmp_path: Path) -> None:
    port = unused_port()
    page = f"http://127.0.0.1:{port}/under"
    with serving(deployment := TinyDeployment()):
        arguments = ["--web-host", "127.0.0.1", "--web-port", str(port), "--web-base-path", "/under"]
        environment = environment_for(deployment, timing__settle="5s")
        with locust_running(tmp_path, *arguments, *two_workers(), **environment) as process:
            until(lambda: answers(page + "/"))
            until(lambda: httpx.get(f"{page}/worker-count").json().get("worker_count") == 2)
            assert httpx.post(f"{page}/swarm", data={"user_count": "20", "spawn_rate": "20"}).json()["success"]
            until(lambda: int(rows(page).get("accepted", 0)) >= 20)
            httpx.post(f"{page}/stop", timeout=80).raise_for_status()
            until(lambda: rows(page)["accepted"] == rows(page)["final"] == str(deployment.triggers))
            assert httpx.get(f"{page}/calls/csv").status_code == 200
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=50)


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False
