"""The Dockerfile, the compose file, the manifests and the dashboard, as far as they can be checked without a container.

No image is built here and no cluster runs; Grafana and the operator of Locust tests are not there either.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import kubernetes_validate
import pytest
import yaml

from ringback.config.loading import load_config
from ringback.loadgen.live.families import Distribution, Families
from tests.forked import REAL_PYTHON
from tests.loadgen.deployments import unused_port
from tests.loadgen.live.receivers import needs_prometheus, prometheus_scraping
from tests.loadgen.live.test_families import a_reading

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
BIN = Path(REAL_PYTHON).parent
TOKEN = {"RINGBACK_ACCESS_TOKEN": "a-token"}
MANIFESTS = [
    (path.name, document)
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text())
]
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())


def passes(*command: str | Path) -> None:
    ended = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_dockerfile_passes_hadolint() -> None:
    passes(BIN / "hadolint", "--failure-threshold", "style", "Dockerfile")


def test_the_image_is_slim_runs_as_no_root_and_takes_its_packages_by_hash() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^ARG BASE=python:3\.\d+-slim-\w+$", text, re.MULTILINE)
    assert text.rindex("\nUSER 10001:10001") < text.index("ENTRYPOINT")
    assert "--require-hashes -r requirements.lock" in text
    copied = {
        source
        for line in text.splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    }
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == allowed, "what the build copies is what the context has"
    assert all((ROOT / source).exists() for source in copied)


def test_the_compose_file_keeps_its_schema() -> None:
    passes(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", "deploy/compose.yaml")


@pytest.mark.parametrize(
    "document", [document for _, document in MANIFESTS if document["apiVersion"] != "locust.io/v2"],
    ids=lambda document: f"{document['kind']}-{document['metadata']['name']}",
)  # fmt: skip
def test_manifests_keep_the_schemas_of_kubernetes(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def configurations() -> Iterator[tuple[str, str]]:
    yield "sandbox.toml", (DEPLOY / "sandbox.toml").read_text()
    for _, document in MANIFESTS:
        if document["kind"] == "ConfigMap":
            yield document["metadata"]["name"], document["data"]["ringback.toml"]


@pytest.mark.parametrize(("name", "text"), list(configurations()))
def test_configurations_are_valid(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "ringback.toml"
    path.write_text(text)
    config = load_config(path, TOKEN)
    assert config.metrics.prometheus == ("0.0.0.0", 9464)
    assert config.load.budget_calls
    assert "access_token" not in tomllib.loads(text)["deployment"]


def commands() -> Iterator[tuple[str, list[str]]]:
    for name, service in COMPOSE["services"].items():
        if service["image"] == "ringback:local":
            yield f"compose-{name}", service["command"]
    for name, document in MANIFESTS:
        if document["kind"] == "Job":
            (container,) = document["spec"]["template"]["spec"]["containers"]
            yield f"{name}-{document['metadata']['name']}", container["args"]


@pytest.mark.parametrize(("name", "arguments"), list(commands()))
def test_commands_have_options_that_exist(name: str, arguments: list[str]) -> None:
    assert all(isinstance(argument, str) for argument in arguments)
    shown = subprocess.run(
        [sys.executable, "-m", "ringback", arguments[0], "--help"], capture_output=True, text=True, check=True
    ).stdout
    missing = [part for part in arguments if part.startswith("--") and not re.search(rf"{part}\b", shown)]
    assert not missing, shown


def test_jobs_are_not_repeated_if_that_would_place_calls_again() -> None:
    limits = {d["metadata"]["name"]: d["spec"]["backoffLimit"] for _, d in MANIFESTS if d["kind"] == "Job"}
    assert limits.pop("ringback-worker") > 0, "a worker without a run has placed no calls"
    assert set(limits.values()) == {0}


def expressions() -> list[str]:
    found = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    values = {"$role": "alone|master", "$scenario": ".*", "$__rate_interval": "30s"}
    for name, value in values.items():
        found = [expression.replace(name, value) for expression in found]
    assert not [expression for expression in found if "$" in expression]
    return found


def test_the_dashboard_asks_for_metrics_and_labels_that_exist() -> None:
    deliveries = dict.fromkeys(("expected", "arrived", "missing", "contradicting", "unknown"), 0)
    labels: dict[str, set[str]] = {}
    for family in Families("alone").of(a_reading(deliveries=deliveries)):
        name = family.name.replace(".", "_") + ("_seconds" if family.unit == "s" else "")
        suffix = {"counter": "_total", "gauge": "", "histogram": "_bucket"}[family.kind]
        keys = {key for point in family.points for key in point.labels}
        more = {"le"} if isinstance(family.points[0].value, Distribution) else set()
        labels[name + suffix] = keys | more
    asked = {name for expression in expressions() for name in re.findall(r"ringback_\w+", expression)}
    assert asked == set(labels) - {"ringback_triggers_in_flight"}
    for expression in expressions():
        for name, selector in re.findall(r"(ringback_\w+)\{(.*?)\}", expression):
            assert set(re.findall(r"(\w+)(?:=~|!~|=)", selector)) <= labels[name]
        grouped = {label for group in re.findall(r"by \((.*?)\)", expression) for label in group.split(", ")}
        (name, *_) = re.findall(r"ringback_\w+", expression)
        assert grouped <= labels[name]


def test_the_panels_of_the_dashboard_do_not_overlap() -> None:
    places = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(places)) == len(places)
    assert max(x for x, _ in places) == 23
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


@needs_prometheus
def test_prometheus_reads_the_expressions_of_the_dashboard_and_its_settings(tmp_path: Path) -> None:
    passes("promtool", "check", "config", "deploy/prometheus.yml")
    with prometheus_scraping(unused_port(), tmp_path) as prometheus:
        for expression in expressions():
            answer = httpx.get(f"{prometheus.url}/api/v1/query", params={"query": expression}, timeout=30)
            assert answer.status_code == 200, answer.text
