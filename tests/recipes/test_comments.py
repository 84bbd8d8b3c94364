"""The recipes' comments: the steps of the action and of the component run with the real `ringback`, on finished runs.

The server of the comments is a stand-in on this machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from comparison.runs import document, saved  # type: ignore[import-not-found]  # pytest's path
from reporting.test_post import TOKEN, Forge, ForgeHandler  # type: ignore[import-not-found]  # likewise
from tests.forked import REAL_PYTHON

from .recipes import COMMENT, ROOT, action_steps, gitlab

JOB_TOKEN = "job-token-SECRET"


class Server(Forge):  # type: ignore[misc]  # its module is found by pytest's path
    """A server that also has the artifacts of the target branch's last job that succeeded."""

    def __init__(self, *, gitlab: bool) -> None:
        super().__init__(gitlab=gitlab, handler=_Handler)
        self.artifacts: dict[str, bytes] = {}


class _Handler(ForgeHandler):  # type: ignore[misc]  # likewise
    def do_GET(self) -> None:  # noqa: N802 - the name that the server calls
        base = "/api/v4/projects/12/jobs/artifacts/release%2F1/raw/out/"
        url = urlsplit(self.path)
        if not url.path.startswith(base):
            self.handle_comments()
            return
        assert (self.headers["JOB-TOKEN"], url.query) == (JOB_TOKEN, "job=ringback")
        content = self.server.artifacts.get(url.path.removeprefix(base))
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")


@pytest.fixture(params=["github", "gitlab"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with Server(gitlab=request.param == "gitlab") as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def commented(server: Server, folder: Path, last: Path | None) -> subprocess.CompletedProcess[str]:
    """Run the step that comments, after a run in `out`, with or without an earlier run."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RINGBACK_", "PYTEST", "CI"))}
    path = f"{Path(REAL_PYTHON).parent}{os.pathsep}{os.environ['PATH']}"
    variables = {**kept, **server.variables(folder), "PATH": path}
    if server.gitlab:
        job = yaml.safe_load(gitlab(directory="out"))["ringback"]
        script = "\n".join(job["after_script"])
        variables |= job["variables"] | {
            "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "release/1", "CI_JOB_NAME": "ringback", "CI_JOB_TOKEN": JOB_TOKEN,
        }  # fmt: skip
        venv = folder / ".ringback-venv"
        if not venv.exists():
            venv.symlink_to(Path(REAL_PYTHON).parents[1])
        if last is not None:
            server.artifacts["verdict.json"] = (last / "verdict.json").read_bytes()
    else:
        (step,) = (step for step in action_steps() if step["name"] == "Comment on the pull request")
        script = step["run"]
        variables |= {
            "GITHUB_ACTION_PATH": str(ROOT), "RUNNER_TEMP": str(folder), "INPUT_DIRECTORY": "out", "INPUT_NAME": "",
        }  # fmt: skip
        if last is not None:
            shutil.copytree(last, folder / "ringback-last-run", dirs_exist_ok=True)
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script],
        check=False, cwd=folder, env=variables, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def test_a_request_has_one_comment_with_the_change(server: Server, tmp_path: Path) -> None:
    saved(tmp_path / "out", document({"ACK-03": "fail"}, verdict="fail", exit_code=1))
    last = saved(tmp_path / "earlier", document({"ACK-03": "pass"}))
    first = commented(server, tmp_path, None)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "no earlier run" in server.comments[0]["body"]
    second = commented(server, tmp_path, last)
    assert second.returncode == 0, second.stdout + second.stderr
    (comment,) = server.comments
    assert "Broken now, held before: <b>ACK-03</b>" in comment["body"]
    for token in (TOKEN, JOB_TOKEN):
        assert token not in first.stdout + first.stderr + second.stdout + second.stderr + comment["body"]


def test_an_earlier_run_that_cannot_be_read_costs_only_the_change(server: Server, tmp_path: Path) -> None:
    saved(tmp_path / "out", document({"ACK-03": "pass"}))
    last = saved(tmp_path / "earlier", {"schema": "something else"})
    done = commented(server, tmp_path, last)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not a run" in done.stderr
    assert "no earlier run" in server.comments[0]["body"]


def test_a_refused_comment_is_a_warning_on_github(tmp_path: Path) -> None:
    saved(tmp_path / "out", document({"ACK-03": "pass"}))
    with Server(gitlab=False) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        server.refuses = 403
        done = commented(server, tmp_path, None)
        server.shutdown()
        thread.join()
    assert done.returncode == 0
    assert "pull-requests: write" in done.stderr
    assert "::warning::" in done.stdout


@pytest.mark.parametrize(("verdict", "keeps"), [("pass", True), ("fail", True), ("inconclusive", False), ("", False)])
def test_a_decided_run_is_kept_for_later_requests(tmp_path: Path, verdict: str, keeps: bool) -> None:
    (step,) = (step for step in action_steps() if step.get("id") == "kept")
    saved(tmp_path / "out", document({"ACK-03": "pass"}), [{"from_s": 0}])
    (tmp_path / "output").touch()
    variables = {
        "PATH": os.environ["PATH"], "RUNNER_TEMP": str(tmp_path), "GITHUB_OUTPUT": str(tmp_path / "output"),
        "INPUT_DIRECTORY": "out", "VERDICT": verdict,
    }  # fmt: skip
    subprocess.run(["bash", "-eo", "pipefail", "-c", step["run"]], check=True, cwd=tmp_path, env=variables, timeout=60)
    kept = {path.name for path in (tmp_path / "ringback-last-run").glob("*")}
    assert kept == ({"verdict.json", "load_windows.ndjson"} if keeps else set())
    assert (tmp_path / "output").read_text() == ("run=yes\n" if keeps else "")


@pytest.mark.parametrize("given", [[], ["out"], ["out", "last", "name", "more"]])
def test_wrong_usage_posts_nothing(given: list[str]) -> None:
    done = subprocess.run([str(COMMENT), *given], check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr.startswith("usage: ")) == (2, True)
