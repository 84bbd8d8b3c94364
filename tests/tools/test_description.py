"""openapi.yaml in the tools that users have: each must accept it as it is."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ringback.resources import openapi_path
from ringback.sandbox import SandboxSettings, launch
from tests.cli.commands import environment
from tests.forked import REAL_PYTHON

pytestmark = pytest.mark.slow

OPENAPI = openapi_path()
PATHS = {"/v2/call", "/v2/callresult"}


def ended(*command: str | Path, folder: Path, seconds: float = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command], cwd=folder, env=environment(no_proxy="*"), capture_output=True, text=True,
        timeout=seconds, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_schemathesis_runs_it_against_a_conforming_deployment(tmp_path: Path) -> None:
    with launch(SandboxSettings(port=0, tls=False)) as sandbox:
        run = ended(
            Path(REAL_PYTHON).with_name("schemathesis"), "run", OPENAPI, "--max-examples", "10", "--no-color",
            "--url", f"http://127.0.0.1:{sandbox.settings.port}", folder=tmp_path,
        )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert "2 selected / 2 total" in run.stdout


@pytest.mark.parametrize("language", ["python", "typescript-fetch", "java", "go"])
def test_openapi_generator_makes_a_client(packages: Path, tmp_path: Path, language: str) -> None:
    if not shutil.which("java"):
        pytest.skip("there is no java here")
    (jar,) = packages.rglob("openapi-generator.jar")
    run = ended("java", "-jar", jar, "generate", "-i", OPENAPI, "-g", language, "-o", "client", folder=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    text = "".join(
        p.read_text() for p in (tmp_path / "client").rglob("*") if p.suffix in {".py", ".ts", ".java", ".go"}
    )
    assert all(path in text for path in PATHS)
    if language == "python":
        compiled = ended(sys.executable, "-m", "compileall", "-q", "client/openapi_client", folder=tmp_path)
        assert compiled.returncode == 0, compiled.stdout


def _requests(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in items:
        yield from _requests(item["item"]) if "item" in item else [item["request"]]


def test_postman_imports_both_requests(programs: Path, tmp_path: Path) -> None:
    run = ended(programs / "openapi2postmanv2", "-s", OPENAPI, "-o", "collection.json", folder=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    requests = list(_requests(json.loads((tmp_path / "collection.json").read_text())["item"]))
    assert {"/" + "/".join(request["url"]["path"]) for request in requests} == PATHS
    assert {request["method"] for request in requests} == {"POST"}
    for request in requests:
        assert json.loads(request["body"]["raw"])


def test_prism_answers_the_documented_examples(programs: Path, tmp_path: Path) -> None:
    """The mock answers each example of a request as the description has it."""
    command = [str(programs / "prism"), "mock", "--port", "0", "--host", "127.0.0.1", str(OPENAPI)]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(no_proxy="*"), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            address = ""
            for line in process.stdout:
                assert "error" not in line.lower(), line
                if "listening on" in line:
                    address = "http" + line.partition("listening on http")[2].split()[0]
                    break
            assert address, "it did not start"
            assert post(f"{address}/v2/callresult", example("/v2/callresult"))["CallResults"]
            assert post(f"{address}/v2/call", example("/v2/call"))["UniqueId"]
        finally:
            process.terminate()


def example(path: str) -> Any:
    """The first example of a request's body."""
    document = yaml.safe_load(OPENAPI.read_text())
    (content,) = document["paths"][path]["post"]["requestBody"]["content"].values()
    first = next(iter(content["examples"].values()))
    return (
        document["components"]["examples"][first["$ref"].rpartition("/")[2]]["value"]
        if "$ref" in first
        else first["value"]
    )


def post(url: str, body: Any) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
        assert answer.status == 200
        return json.loads(answer.read())
