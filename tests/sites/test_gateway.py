"""Behind a gateway with a key, tokens that live for seconds, and a proxy with credentials: every command works."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from ringback.resources import load_path
from ringback.sandbox import SandboxSettings, launch
from tests.cli.commands import environment
from tests.redaction.detector import find_secrets

from .forward_proxy import ForwardProxy, forwarding
from .gateway import Gateway, guarding

pytestmark = pytest.mark.slow

KEY = "gateway-key-5559998887776"  # with digits that no line has
LINES = {"answered": "5550000001", "busy": "5550000002"}
BEHIND = SandboxSettings(
    port=0, tls=False, access_token="the-token-behind-the-gateway", project="Collections",
    scenario_path="/ivr/collections", lines=LINES, ring_seconds=0.1, queued_delivery_seconds=0.2,
)  # fmt: skip
CONFIG = """\
[deployment]
base_url = "http://ivr.test:8080"
project = "Collections"
scenario_path = "/ivr/collections"
orchestrator_url = "https://orchestrator.example.com"
display_number = "200"
headers = {{ "X-Api-Key" = "env:GATEWAY_KEY" }}
proxy = "env:SITE_PROXY"
user_agent = "acceptance 1.0"
access_token_command = "{command}"
access_token_lifetime = "1500ms"
[lines]
answered = "5550000001"
busy = "5550000002"
[budget]
calls = 70
triggers_per_second = 20
[timing]
request = "10s"
settle = "10s"
poll_interval = "100ms"
delivery = "5s"
queued_delivery = "5s"
[result_destination]
listen = "127.0.0.1:0"
[load]
budget_calls = 1000
poll_interval = "200ms"
"""


@dataclass
class Site:
    """A configured folder, and what commands left there and in lists of processes."""

    folder: Path
    gateway: Gateway
    proxy: ForwardProxy
    left: dict[str, bytes] = field(default_factory=dict)

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end, and note the command lines of its processes meanwhile."""
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=self.folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=environment(GATEWAY_KEY=KEY, SITE_PROXY=self.proxy.url, **variables),
        )  # fmt: skip
        lists: set[str] = set()
        over = threading.Event()

        def look() -> None:
            while not over.wait(0.2):
                try:
                    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
                    lists.update(" ".join(one.cmdline()) for one in family)
                except psutil.Error:
                    continue

        looking = threading.Thread(target=look)
        looking.start()
        try:
            out, err = process.communicate(timeout=300)
        finally:
            over.set()
            looking.join()
        name = f"{len(self.left)}: {command[:2]}"
        self.left[name] = b"\n".join([out, err, *(line.encode() for line in sorted(lists))])
        assert b"Traceback" not in err, err.decode()[-2000:]
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def files(self) -> Mapping[str, bytes]:
        """All that was written into the folder, and all output."""
        written = {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and path.name not in {"ringback.toml", "issued", "issue.py"}
        }
        return written | self.left


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with launch(BEHIND) as sandbox:
        port = int(sandbox.base_url.rpartition(":")[2])
        gateway = Gateway(port, BEHIND.access_token, folder, KEY, lifetime=6.0)
        with guarding(gateway), forwarding(ForwardProxy({"ivr.test": gateway.port})) as proxy:
            (folder / "ringback.toml").write_text(CONFIG.format(command=gateway.command))
            yield Site(folder, gateway, proxy)


def renewed(site: Site) -> Callable[[], int]:
    before = len(site.gateway.seen)
    return lambda: len(site.gateway.seen) - before


def test_check(site: Site) -> None:
    tokens = renewed(site)
    done = site.run("ringback", "check", "--seed", "1", "--out", "check")
    verdict = json.loads((site.folder / "check/verdict.json").read_text())
    assert done.returncode == 0, (done.stdout.decode()[-3000:], done.stderr)
    verdicts = {clause["id"]: clause["verdict"] for clause in verdict["clauses"]}
    assert verdicts["REQ-15"] == verdicts["ROB-04"] == "pass"
    assert tokens() > 1, "a token expired in the middle"
    assert "expired" not in site.gateway.refused
    assert site.gateway.agents == {"acceptance 1.0"}
    assert all(line.split()[1].startswith("http://ivr.test:8080/") for line in site.proxy.seen)
    recorded = [json.loads(line) for line in (site.folder / "check/exchanges.ndjson").read_text().splitlines()]
    assert all(["X-Api-Key", "$GATEWAY_KEY"] in one["request"]["headers"] for one in recorded)
    plan = done.stdout.decode()
    assert f"127.0.0.1:{site.proxy.port}" in plan
    assert "X-Api-Key" in plan


@pytest.mark.parametrize("workers", ["1", "2"])
def test_load(site: Site, workers: str) -> None:
    tokens = renewed(site)
    out = f"load-{workers}"
    done = site.run("ringback", "load", "--rate", "15", "--duration", "6s", "--workers", workers, "--out", out)
    assert done.returncode == 0, (done.stdout.decode()[-3000:], done.stderr)
    load = json.loads((site.folder / out / "verdict.json").read_text())["load"]
    assert load["calls"]["accepted"] == 90
    assert load["trigger"]["errors"] == {}
    assert tokens() > 1
    assert "expired" not in site.gateway.refused


def test_plain_locust(site: Site) -> None:
    tokens = renewed(site)
    users = ("--headless", "-u", "3", "-r", "3", "-t", "6s", "--loglevel", "DEBUG", "--logfile", "locust.log")
    done = site.run("locust", "-f", str(load_path() / "locustfile.py"), *users, "--csv", "locust")
    assert done.returncode == 0, done.stderr.decode()[-3000:] + (site.folder / "locust.log").read_text()[-3000:]
    assert tokens() > 1
    assert "expired" not in site.gateway.refused


def test_replay(site: Site) -> None:
    recorded = [json.loads(line) for line in (site.folder / "check/exchanges.ndjson").read_text().splitlines()]
    accepted = next(
        one for one in recorded
        if one["request"]["url"].endswith("/v2/call") and "ResultDestination" not in one["request"]["body"]
        and one["response"]["status"] == 200
    )  # fmt: skip
    done = site.run("ringback", "replay", "check", str(accepted["id"]), "--yes", "--out", "again")
    assert done.returncode == 0, (done.stdout.decode(), done.stderr)
    assert "expired" not in site.gateway.refused


def test_no_secret_is_left_in_files_output_or_lists_of_processes(site: Site) -> None:
    user, _, password = site.proxy.credentials.partition(":")
    secrets = [KEY, f"{user}:{password}", password, *site.gateway.issued[1:]]
    first = site.gateway.issued[0]
    leaks = {
        name: [(leak.secret, leak.how, leak.excerpt) for leak in found[:3]]
        for name, data in site.files().items()
        if (found := find_secrets(data, first, (), secrets))
    }
    assert not leaks
    assert b"$GATEWAY_KEY" in site.files()["check/exchanges.ndjson"]


def test_a_proxy_that_refuses_is_not_the_deployments_failure(site: Site) -> None:
    wrong = site.proxy.url.replace("user:", "other:")
    for command in (
        ("check", "--out", "refused"),
        ("load", "--rate", "20", "--duration", "2s", "--out", "refused-load"),
    ):
        done = site.run("ringback", *command, RINGBACK_DEPLOYMENT__PROXY=wrong)
        assert done.returncode == 3, done.stdout.decode()
        assert f"the proxy 127.0.0.1:{site.proxy.port}" in " ".join(done.stdout.decode().split())
