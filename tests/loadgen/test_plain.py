"""`locust -f load/locustfile.py`, as anybody who knows Locust would run it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ringback.config.loading import as_environment
from ringback.resources import load_path

from .deployments import TinyDeployment, config_for, serving, unused_port

LOCUST = [sys.executable, "-m", "locust", "-f", str(load_path() / "locustfile.py")]
BARE = {name: value for name, value in os.environ.items() if not name.startswith(("RINGBACK_", "LOCUST_"))}


def locust(directory: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*LOCUST, "--headless", *arguments],
        cwd=directory, env={**BARE, **environment}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@contextlib.contextmanager
def locust_running(directory: Path, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*LOCUST, *arguments],
        cwd=directory, env={**BARE, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def environment_for(deployment: TinyDeployment, **flags: Any) -> dict[str, str]:
    return as_environment(config_for(deployment.base_url, **{"load__budget_calls": 1000, **flags}))


def test_with_no_deployment_named_it_loads_the_embedded_sandbox(tmp_path: Path) -> None:
    ended = locust(tmp_path, "-u", "10", "-r", "10", "-t", "1s", "--json")
    assert ended.returncode == 0, ended.stderr
    accounted = re.search(r"calls: accepted (\d+), final (\d+), lost 0, duplicate_ids 0, wrong_state 0", ended.stderr)
    assert accounted
    assert 1 <= int(accounted[1]) == int(accounted[2]) <= 30
    names = {entry["name"]: entry["num_requests"] for entry in json.loads(ended.stdout)}
    assert names["trigger"] == int(accounted[1])
    assert names["poll"] > 0


def test_a_broken_limit_is_named_and_ends_locust_with_1(tmp_path: Path) -> None:
    with serving(deployment := TinyDeployment(wrong_every=2)):
        ended = locust(tmp_path, "-u", "9", "-r", "9", "-t", "1s", **environment_for(deployment))
    assert ended.returncode == 1, ended.stderr
    assert "limit broken: calls.wrong_state == 0" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"RINGBACK_DEPLOYMENT__BASE_URL": "ftp://x"}, "RINGBACK_DEPLOYMENT__BASE_URL: deployment.base_url"),
        ({"RINGBACK_CONFIG": "missing.toml"}, "missing.toml: no such file"),
    ],
)
def test_a_mistake_in_the_configuration_is_one_line_and_exit_code_2(
    tmp_path: Path, environment: dict[str, str], told: str
) -> None:
    ended = locust(tmp_path, "-u", "1", "-t", "1s", **environment)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    (line,) = [line for line in ended.stderr.splitlines() if line and not line.startswith("[")]
    assert told in line


def test_a_deployment_without_a_budget_is_not_loaded(tmp_path: Path) -> None:
    with serving(deployment := TinyDeployment()):
        environment = as_environment(config_for(deployment.base_url))
        ended = locust(tmp_path, "-u", "1", "-t", "1s", **environment)
    assert ended.returncode == 2
    assert "load.budget_calls: missing" in ended.stderr
    assert deployment.connections == 0


def test_ctrl_c_accounts_for_what_was_seen(tmp_path: Path) -> None:
    with serving(deployment := TinyDeployment(ring=60)):
        environment = environment_for(deployment, timing__settle="60s")
        with locust_running(tmp_path, "--headless", "-u", "20", "-r", "20", **environment) as process:
            until(lambda: deployment.triggers >= 10)
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=20)
    assert process.returncode == 3
    accounted = re.search(r"calls: accepted (\d+), final 0, lost 0.*unfinished (\d+), doubtful (\d+)", told)
    assert accounted
    accepted, unfinished, doubtful = map(int, accounted.groups())
    assert 0 < accepted == unfinished <= deployment.triggers
    assert deployment.triggers <= accepted + doubtful, "what was cut off on its way may have placed a call, and is told"
    assert "Traceback" not in told


def test_the_web_page_starts_tests_and_shows_their_requests(tmp_path: Path) -> None:
    port = unused_port()
    page = f"http://127.0.0.1:{port}"
    with serving(deployment := TinyDeployment()):
        arguments = ["--web-host", "127.0.0.1", "--web-port", str(port)]
        with locust_running(tmp_path, *arguments, **environment_for(deployment)) as process:
            until(lambda: answers(page))
            assert deployment.base_url in httpx.get(page).text
            for _ in range(2):
                wanted = deployment.triggers + 5
                started = httpx.post(f"{page}/swarm", data={"user_count": "10", "spawn_rate": "10"})
                assert started.json()["success"]
                until(lambda wanted=wanted: deployment.triggers >= wanted)
                httpx.post(f"{page}/stop").raise_for_status()
                names = {entry["name"] for entry in httpx.get(f"{page}/stats/requests").json()["stats"]}
                assert {"trigger", "poll"} <= names
            process.send_signal(signal.SIGTERM)
            _, told = process.communicate(timeout=20)
    assert told.count("calls: accepted") == 2
    assert "Traceback" not in told


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


def until(condition: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)
