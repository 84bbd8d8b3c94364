"""A machine that has too little of something: open files, memory, file entries, a directory that can be written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringback.sandbox import SandboxSettings, launch

from .commands import CONFIG, LINES, TOKEN, Ended, ringback

GOOD = SandboxSettings(
    port=0, tls=False, access_token=TOKEN, project="Collections", scenario_path="/ivr/collections", lines=LINES,
    ring_seconds=0.1, queued_delivery_seconds=0.2,
)  # fmt: skip
CHECK = ("check", "--clause", "ACK", "--clause", "ROB-03", "--seed", "1", "--out", "run")
LOAD = ("load", "--rate", "20", "--duration", "1s", "--out", "run")
MORE = "[load]\nbudget_calls = 100\n[result_destination]\nlisten = '127.0.0.1:0'\n"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with launch(GOOD) as sandbox:
        yield sandbox.settings.port


def run(folder: Path, port: int, *arguments: str, before: str = "") -> Ended:
    """Run a command against a conforming deployment after this Python code."""
    (folder / "ringback.toml").write_text(CONFIG.format(port=port) + MORE)
    return ringback(*arguments, folder=folder, before=before, RINGBACK_ACCESS_TOKEN=TOKEN)


def limited(kind: str, value: int) -> str:
    return f"import resource; resource.setrlimit(resource.{kind}, ({value}, {value}))"


@pytest.mark.parametrize(
    ("arguments", "files"), [(CHECK, 20), (LOAD, 40), (("gate", "--out", "run"), 100), (("doctor",), 255)]
)
def test_too_few_open_files_are_named_before_anything_is_sent(
    tmp_path: Path, port: int, arguments: tuple[str, ...], files: int
) -> None:
    end = run(tmp_path, port, *arguments, before=limited("RLIMIT_NOFILE", files))
    assert end.code == 2
    assert end.complaint() == (
        f"ringback: ulimit -n: {files} open files are too few; allow at least 256, such as: ulimit -n 4096"
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("arguments", [CHECK, LOAD], ids=lambda a: a[0])
def test_the_fewest_open_files_are_enough(tmp_path: Path, port: int, arguments: tuple[str, ...]) -> None:
    end = run(tmp_path, port, *arguments, before=limited("RLIMIT_NOFILE", 256))
    assert end.code in {0, 3}, end.out + end.err
    assert json.loads((tmp_path / "run/verdict.json").read_text())["exit_code"] == end.code


def test_a_low_limit_of_open_files_is_raised_as_far_as_it_may(tmp_path: Path, port: int) -> None:
    low = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (40, 4096))"
    assert run(tmp_path, port, *CHECK, before=low).code in {0, 3}


def test_too_little_memory_is_named_before_anything_is_sent(tmp_path: Path, port: int) -> None:
    end = run(tmp_path, port, *CHECK, before=limited("RLIMIT_AS", 400 * 2**20))
    assert end.code == 2
    assert end.complaint() == (
        "ringback: ulimit -v: 400 MB of memory are too little; allow at least 512 MB: ulimit -v 524288"
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("MemoryError()", "this machine ran out of memory"),
        ("OSError(24, 'Too many open files')", "this machine ran out of open files (see ulimit -n)"),
        ("OSError(99, 'Cannot assign requested address')", "this machine ran out of free local ports"),
    ],
)
def test_what_the_machine_lacks_is_no_internal_error_and_no_finding(
    tmp_path: Path, port: int, error: str, words: str
) -> None:
    """In the middle of a run: the calls that were placed are kept, and no clause fails."""
    lacking = f"""
import itertools
from ringback.deployment.transport import GuardedTransport
before, numbers = GuardedTransport.send, itertools.count()
async def lacking(*given, **named):
    if next(numbers) >= 10:
        raise {error}
    return await before(*given, **named)
GuardedTransport.send = lacking
"""
    end = run(tmp_path, port, *CHECK, before=lacking)
    assert end.code == 3, end.out + end.err
    assert "internal error" not in end.out + end.err
    document = json.loads((tmp_path / "run/verdict.json").read_text())
    assert words in json.dumps(document)
    assert not [clause for clause in document["clauses"] if clause["verdict"] == "fail"]
