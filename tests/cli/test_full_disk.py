"""A full disk costs evidence but not the verdict: the result of a run always reaches the terminal."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from ringback.reporting.formats.verdict_file import SCHEMA_PATH
from ringback.sandbox import SandboxSettings, launch

from .commands import CONFIG, LINES, TOKEN, Ended, ringback

GOOD = SandboxSettings(
    port=0, tls=False, access_token=TOKEN, project="Collections", scenario_path="/ivr/collections", lines=LINES,
    ring_seconds=0.1, queued_delivery_seconds=0.2,
)  # fmt: skip
FAULTY = replace(GOOD, faults=("html-content-type",))
CHECK = ("check", "--clause", "ACK", "--clause", "TRN-04", "--seed", "1", "--out", "run")
LOAD = ("load", "--rate", "20", "--duration", "1s", "--out", "run")
MORE = "[load]\nbudget_calls = 100\n"


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    with launch(GOOD) as good, launch(FAULTY) as faulty:
        yield {"good": good.settings.port, "faulty": faulty.settings.port}


def run(folder: Path, port: int, *arguments: str, largest: int | None = None) -> Ended:
    """Run a command whose files may have at most `largest` bytes, as on a full disk."""
    (folder / "ringback.toml").write_text(CONFIG.format(port=port) + MORE)
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({largest}, {largest}))"
    return ringback(
        *arguments, folder=folder, before="" if largest is None else limited, RINGBACK_ACCESS_TOKEN=TOKEN
    )  # fmt: skip


def verdict_of(folder: Path) -> dict[str, object]:
    document = json.loads((folder / "run/verdict.json").read_text())
    jsonschema.Draft202012Validator(json.loads(SCHEMA_PATH.read_text())).validate(document)
    assert isinstance(document, dict)
    return document


def whole_lines(path: Path) -> int:
    text = path.read_text()
    assert text == "" or text.endswith("\n")
    return len([json.loads(line) for line in text.splitlines()])


@pytest.mark.parametrize(("where", "code"), [("good", 0), ("faulty", 1)])
@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
def test_a_check_on_a_full_disk_still_has_its_verdict(
    tmp_path: Path, ports: dict[str, int], where: str, code: int, quiet: tuple[str, ...]
) -> None:
    end = run(tmp_path, ports[where], *CHECK, *quiet, largest=5000)
    assert end.code == code, end.out + end.err
    assert f"exit {code}:" in end.out
    assert verdict_of(tmp_path)["exit_code"] == code
    ET.parse(tmp_path / "run/junit.xml")
    assert 0 < whole_lines(tmp_path / "run/exchanges.ndjson") < 10
    for name in ("exchanges.ndjson ends early", "exchanges.har was not written", "report.html was not written"):
        assert end.err.count(f"ringback: {name}: File too large\n") == 1, end.err
    assert "Traceback" not in end.out + end.err
    assert not [path.name for path in (tmp_path / "run").iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(("where", "code"), [("good", 0), ("faulty", 1)])
def test_a_verdict_without_room_for_evidence_is_written_bare(
    tmp_path: Path, ports: dict[str, int], where: str, code: int
) -> None:
    run(tmp_path, ports[where], *CHECK, "--quiet")
    room = (tmp_path / "run/verdict.json").stat().st_size - 100
    end = run(tmp_path, ports[where], *CHECK, "--quiet", "--force", largest=room)
    assert end.code == code, end.out + end.err
    document = verdict_of(tmp_path)
    assert document["exit_code"] == code
    assert "the disk was full: exchanges and load figures are missing" in json.dumps(document["notes"])
    assert "ringback: verdict.json was written without exchanges and load figures: File too large" in end.err


def test_a_load_run_on_a_full_disk_still_has_its_verdict(tmp_path: Path, ports: dict[str, int]) -> None:
    end = run(tmp_path, ports["good"], *LOAD, largest=3000)  # standard output is such a file too
    assert end.code in {0, 3}, end.out + end.err
    assert f"exit {end.code}:" in end.out
    document = verdict_of(tmp_path)
    assert document["exit_code"] == end.code
    assert "20 of 100 calls placed" in end.out
    assert "ringback: load.json and load_windows.ndjson were not written: File too large\n" in end.err
    assert "Traceback" not in end.out + end.err


def test_a_terminal_that_fails_does_not_change_the_exit_code(tmp_path: Path, ports: dict[str, int]) -> None:
    full = "import os; os.dup2(os.open('/dev/full', os.O_WRONLY), 1)"
    (tmp_path / "ringback.toml").write_text(CONFIG.format(port=ports["faulty"]))
    end = ringback(*CHECK, folder=tmp_path, before=full, RINGBACK_ACCESS_TOKEN=TOKEN)
    assert end.code == 1
    assert end.err == "ringback: standard output could not be written: No space left on device\n"
    assert verdict_of(tmp_path)["exit_code"] == 1


def test_a_directory_that_vanishes_is_made_again(tmp_path: Path, ports: dict[str, int]) -> None:
    """The record of exchanges is missing, but the verdict is there."""
    out = tmp_path / "run"
    vanishing = (
        "import shutil, ringback.commands.check as c\n"
        "def check(*a, _run=c.run_check, **n):\n"
        f"    found = _run(*a, **n); shutil.rmtree({str(out)!r}); return found\n"
        "c.run_check = check\n"
    )
    (tmp_path / "ringback.toml").write_text(CONFIG.format(port=ports["faulty"]))
    end = ringback(*CHECK, folder=tmp_path, before=vanishing, RINGBACK_ACCESS_TOKEN=TOKEN)
    assert end.code == 1, end.err
    assert verdict_of(tmp_path)["exit_code"] == 1


@contextlib.contextmanager
def mounted(at: Path, options: str) -> Iterator[Path]:
    """A file system with these options, such as a size; skips the test if it can't be mounted."""
    at.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(at)]
    made = subprocess.run(mount, capture_output=True, check=False)
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.decode().strip()}")
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
def test_space_is_reserved_on_a_disk_that_fills_up(tmp_path: Path, ports: dict[str, int]) -> None:
    with mounted(tmp_path / "disk", "size=1100000") as disk:
        end = run(disk, ports["faulty"], *CHECK)
        assert end.code == 1, end.out + end.err
        assert "exit 1:" in end.out
        assert end.err.count("ringback: exchanges.ndjson ends early: No space left on device\n") == 1, end.err
        document = verdict_of(disk)
        assert document["exit_code"] == 1
        assert any(clause["evidence"] for clause in document["clauses"])  # type: ignore[attr-defined]  # a list
        assert whole_lines(disk / "run/exchanges.ndjson") > 0
        for name in ("junit.xml", "summary.md", "report.html"):
            assert (disk / "run" / name).stat().st_size > 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
@pytest.mark.parametrize("entries", [8, 10, 12])
def test_a_disk_without_room_for_more_files_still_has_the_verdict(
    tmp_path: Path, ports: dict[str, int], entries: int
) -> None:
    """Entries for its root, the configuration, the run's folder and few files."""
    with mounted(tmp_path / "disk", f"nr_inodes={entries}") as disk:
        end = run(disk, ports["faulty"], *CHECK)
        assert end.code == 1, end.out + end.err
        assert "exit 1:" in end.out
        assert "Traceback" not in end.out + end.err
        assert verdict_of(disk)["exit_code"] == 1
        assert not [path.name for path in (disk / "run").iterdir() if path.name.startswith(".")]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system that is read-only")
@pytest.mark.parametrize("arguments", [CHECK, CHECK[:-2], LOAD, ("gate",)])
def test_a_directory_that_cannot_be_written_is_named_before_anything_is_sent(
    tmp_path: Path, ports: dict[str, int], arguments: tuple[str, ...]
) -> None:
    with mounted(tmp_path / "disk", "size=1100000") as disk:
        (disk / "ringback.toml").write_text(CONFIG.format(port=ports["good"]) + MORE)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        end = ringback(*arguments, folder=disk, RINGBACK_ACCESS_TOKEN=TOKEN)
        assert end.code == 2
        assert "(Read-only file system); name another folder" in end.complaint()
