from __future__ import annotations

import errno
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from ringback.reporting import RunReport
from ringback.reporting import artifacts as module
from ringback.reporting.artifacts import ARTIFACTS, PROMISED, write_all, write_promised
from ringback.reporting.formats.markdown import summary_page

from .hostile_evidence import HARMLESS, HOSTILE, hostile_record, hostile_windows

MakeReport = Callable[..., RunReport]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's directory with all files that the writers read."""
    hostile_record(tmp_path / "exchanges.ndjson", HARMLESS)
    hostile_windows(tmp_path / "load_windows.ndjson", HARMLESS)
    return tmp_path


def written(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir() if path.is_file() and path.suffix != ".ndjson"}


def test_everything_is_written_and_what_is_promised_comes_first(run: Path, of_every_kind: MakeReport) -> None:
    assert write_all(of_every_kind(), run, environment={}) == []
    assert written(run) == set(ARTIFACTS)
    assert ARTIFACTS[:3] == PROMISED == ("verdict.json", "junit.xml", "summary.md")


def test_an_unreachable_deployment_leaves_the_promised_files(tmp_path: Path, make_report: MakeReport) -> None:
    assert write_all(make_report(clauses=()), tmp_path / "new", environment={}) == []
    assert written(tmp_path / "new") == {"verdict.json", "junit.xml", "summary.md", "results.sarif", "badge.svg"}
    assert json.loads((tmp_path / "new" / "verdict.json").read_text())["exit_code"] == 3
    ET.parse(tmp_path / "new" / "junit.xml")


def test_a_run_that_is_killed_has_left_what_is_promised(run: Path, make_report: MakeReport) -> None:
    assert write_promised(make_report(clauses=()), run) == []
    assert written(run) == set(PROMISED)
    assert write_all(make_report(), run, environment={}) == []
    assert json.loads((run / "verdict.json").read_text())["verdict"] == "pass"
    (run / "junit.xml").unlink()
    (run / "junit.xml" / "in the way").mkdir(parents=True)
    assert write_promised(make_report(), run) == ["junit.xml was not written: Is a directory"]


@pytest.mark.parametrize("blocked", ARTIFACTS)
def test_one_that_cannot_be_written_takes_no_other_along(run: Path, of_every_kind: MakeReport, blocked: str) -> None:
    (run / blocked / "in the way").mkdir(parents=True)
    assert write_all(of_every_kind(), run, environment={}) == [f"{blocked} was not written: Is a directory"]
    assert written(run) == set(ARTIFACTS) - {blocked}


@pytest.mark.parametrize("faulty", ARTIFACTS)
@pytest.mark.parametrize("error", [ValueError("x\n::error::y"), MemoryError(), RecursionError(), UnicodeError()])
def test_an_internal_error_in_one_report_leaves_the_others(
    run: Path, of_every_kind: MakeReport, monkeypatch: pytest.MonkeyPatch, faulty: str, error: Exception
) -> None:
    def broken(report: RunReport, directory: Path) -> None:
        raise error

    monkeypatch.setattr(module, "WRITERS", {**module.WRITERS, faulty: broken})
    notes = write_all(of_every_kind(), run, environment={})
    assert notes == [f"{faulty} was not written because of an internal error: {type(error).__name__}"]
    assert written(run) == set(ARTIFACTS) - {faulty}


def test_a_full_disk_becomes_a_note_and_leaves_no_partial_file(
    run: Path, of_every_kind: MakeReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    notes = write_all(of_every_kind(), run, environment={})
    assert notes == [f"{name} was not written: No space left on device" for name in ARTIFACTS]
    assert written(run) == set()


def test_further_writers_come_last_and_are_guarded_too(run: Path, of_every_kind: MakeReport) -> None:
    seen: list[set[str]] = []

    def page(report: RunReport, directory: Path) -> None:
        seen.append(written(directory))
        raise PermissionError(errno.EACCES, "Permission denied")

    notes = write_all(of_every_kind(), run, more=[("report.html", page)], environment={})
    assert notes == ["report.html was not written: Permission denied"]
    assert seen == [set(ARTIFACTS)]


def test_a_jobs_summary_gets_the_page(run: Path, of_every_kind: MakeReport, monkeypatch: pytest.MonkeyPatch) -> None:
    job = run / "step.md"
    assert write_all(of_every_kind(), run, environment={"GITHUB_STEP_SUMMARY": str(job)}) == []
    assert job.read_text(encoding="utf-8") == summary_page(of_every_kind()) + "\n"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(run / "other.md"))
    assert write_all(of_every_kind(), run) == []
    assert (run / "other.md").exists()


@pytest.mark.parametrize(
    ("file", "why"),
    [
        ("", ": Is a directory"),
        ("no/file", ": No such file or directory"),
        ("a\x00b", " because of an internal error: ValueError"),
    ],
)
def test_a_jobs_summary_that_cannot_be_written_is_a_note(
    run: Path, of_every_kind: MakeReport, file: str, why: str
) -> None:
    notes = write_all(of_every_kind(), run, environment={"GITHUB_STEP_SUMMARY": str(run / file)})
    assert notes == [f"the job's summary was not written{why}"]
    assert written(run) == set(ARTIFACTS)


def test_an_empty_name_of_the_jobs_summary_is_no_file(run: Path, of_every_kind: MakeReport) -> None:
    assert write_all(of_every_kind(), run, environment={"GITHUB_STEP_SUMMARY": ""}) == []


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_evidence_stops_no_writer(tmp_path: Path, of_every_kind: MakeReport, kind: str) -> None:
    text = HOSTILE[kind]
    hostile_record(tmp_path / "exchanges.ndjson", text)
    hostile_windows(tmp_path / "load_windows.ndjson", text)
    assert write_all(of_every_kind(text, base_url=text, faults=(text,)), tmp_path, environment={}) == []
    assert written(tmp_path) == set(ARTIFACTS)
