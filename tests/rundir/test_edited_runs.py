"""Run directories that were edited or cut off: whatever reads them ends in one line or in whole reports."""

from __future__ import annotations

import functools
import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import example as example_of_edits
from hypothesis import strategies as st

from ringback.comparison.compare import compare_runs, comparison_document
from ringback.replaying.recorded import answer_of, read_recorded
from ringback.rundir.verdict import NotARun, read_run
from tests.cli.commands import Case, Ended, run_all
from tests.redaction.detector import find_secrets

EXAMPLE = Path(__file__).parents[2] / "reports" / "example"
TOKEN = "rb-edited-run-token-SECRET"
LINE = "5557300142"
STRANGER = "5559876543"
READ = ["verdict.json", "exchanges.ndjson", "timelines.ndjson", "load.json", "load_windows.ndjson"]
EXCHANGES = 40
"""Exchanges of the example that are kept, so that reports are written soon."""
CONFIG = f"""\
[deployment]
base_url = "http://127.0.0.1:9"
project = "Collections"
scenario_path = "/ivr/collections"
orchestrator_url = "https://orchestrator.example.com"
display_number = "200"

[lines]
answered = "{LINE}"
"""

JUNK: list[Any] = [
    *(
        None,
        True,
        -1,
        0,
        0.5,
        2**63,
        10**30,
        "",
        "x",
        "9" * 5000,
        "\x1b[31m\x00",
        "\ud800",
        "<script>alert(1)</script>",
    ),
    *([], {}, [[]], {"a": 1}, [None, 1, "a"], "2026-99-99T99:99:99Z", TOKEN, STRANGER, "http://[x", "=1+1", "../../x"),
]
WHOLE = [b"", b"\0" * 9, b"null", b"[]", b"{}", b"\n\n", b"[" * 100_000, b'{"a":' * 50_000, b"1e999", b"\xff\xfe{\0}\0"]


@dataclass(frozen=True)
class Edit:
    """One change of a file: of a value in a JSON text, of bytes, or of the whole."""

    name: str
    how: str
    where: float
    """From 0 to 1: which line, value or byte."""
    junk: Any

    def apply(self, data: bytes) -> bytes:
        at = min(int(self.where * len(data)), len(data) - 1)
        if not data or self.how == "whole":
            return WHOLE[int(self.where * len(WHOLE)) % len(WHOLE)]
        if self.how == "cut off":
            return data[:at]
        if self.how == "byte":
            return data[:at] + bytes([at % 256]) + data[at + 1 :]
        if self.how == "repeat":
            return data + data[at:]
        if not self.name.endswith("ndjson"):
            return self._changed(data)
        lines = data.splitlines()
        number = int(self.where * len(lines)) % len(lines)
        lines[number] = self._changed(lines[number])
        return b"\n".join(lines) + b"\n"

    def _changed(self, text: bytes) -> bytes:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return text
        places = list(_places(value))
        if not places:
            return json.dumps(self.junk).encode()
        if self.how == "url":
            places = [(holder, key) for holder, key in places if key in {"url", "base_url"}]
        holder, key = places[int(self.where * 7919) % len(places)]
        if self.how == "drop":
            del holder[key]
        elif self.how == "rename" and isinstance(holder, dict):
            holder[str(self.junk)[:50]] = holder.pop(key)
        else:
            holder[key] = self.junk
        return json.dumps(value).encode()


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each container with each of its keys."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


EDITS = st.lists(
    st.builds(
        Edit,
        st.sampled_from(READ),
        st.sampled_from(["value", "value", "value", "drop", "rename", "cut off", "byte", "repeat", "whole"]),
        st.floats(0, 1, exclude_max=True),
        st.sampled_from(JUNK),
    ),
    min_size=1,
    max_size=3,
)


@functools.cache
def example() -> dict[str, bytes]:
    files = {name: (EXAMPLE / name).read_bytes() for name in READ}
    kept = files["exchanges.ndjson"].splitlines(keepends=True)[:EXCHANGES]
    return {**files, "exchanges.ndjson": b"".join(kept)}


def written(at: Path, files: dict[str, bytes]) -> Path:
    at.mkdir(parents=True)
    for name, content in files.items():
        (at / name).write_bytes(content)
    return at


def must_end_plainly(end: Ended, codes: set[int]) -> None:
    printed = end.out + end.err
    assert "Traceback" not in printed
    assert "internal error" not in printed
    assert end.code in codes, printed[-2000:]
    assert end.code != 2 or len(end.err.splitlines()) == 1, end.err
    assert not any(ord(c) < 32 and c not in "\n\t" for c in printed)
    assert not find_secrets(printed.encode(), TOKEN, [LINE], ())


def edited_files(edits: list[Edit]) -> dict[str, bytes]:
    files = dict(example())
    for edit in edits:
        files[edit.name] = edit.apply(files[edit.name])
    return files


def must_be_read(folder: Path, edits: list[Edit]) -> None:
    """Read a run with these edits as compare, report and replay do."""
    sound = read_run(written(folder / "sound", example()))
    directory = written(folder / "edited", edited_files(edits))
    try:
        run = read_run(directory)
    except NotARun as why:
        assert str(why).isprintable()
        return
    for one, other in ((sound, run), (run, sound), (run, run)):
        json.dumps(comparison_document(compare_runs(one, other)))
    recorded = read_recorded(directory, run)
    for exchange in recorded.exchanges.values():
        assert answer_of(exchange, recorded.base_url).describe_answer()


def commands_must_be_plain(folder: Path, edits: list[Edit]) -> None:
    """Compare, report and replay a run with these edits."""
    files = edited_files(edits)
    sound = str(written(folder / "sound", example()))
    edited = [str(written(folder / f"edited-{number}", files)) for number in range(2)]
    variables = {"RINGBACK_ACCESS_TOKEN": TOKEN}
    cases = {
        "compare": Case(("compare", sound, edited[0]), variables=variables),
        "back": Case(("compare", edited[0], sound), variables=variables),
        "report": Case(("report", edited[1]), variables=variables),
        "replay": Case(("replay", edited[0], "1", "--yes"), {"ringback.toml": CONFIG}, variables),
    }
    ended = run_all(cases, folder / "commands", 2, 120)
    must_end_plainly(ended["compare"], {0, 1, 2, 3})
    must_end_plainly(ended["back"], {0, 1, 2, 3})
    must_end_plainly(ended["report"], {0, 2})
    must_end_plainly(ended["replay"], {2, 3})  # nothing listens: nothing is ever decided
    for path in Path(edited[1]).iterdir():
        content = path.read_bytes()
        assert path.name in READ or b"internal error" not in content
        assert path.name in READ or not find_secrets(content, TOKEN, [LINE], ()), path.name


def with_edits(check: Callable[[Path, list[Edit]], None], folder: Path, examples: int) -> None:
    """Check so many examples, each in a folder of its own."""
    numbers = itertools.count()

    @settings(
        max_examples=examples, deadline=None, database=None, phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(EDITS)
    @example_of_edits([Edit("exchanges.ndjson", "url", 0.0, "http://[x/v2/call")])
    @example_of_edits([Edit("verdict.json", "url", 0.0, "http://[x")])
    def edited(edits: list[Edit]) -> None:
        place = folder / str(next(numbers))
        check(place, edits)
        shutil.rmtree(place)

    edited()


def test_edited_runs_can_be_read_or_are_named_none(tmp_path: Path) -> None:
    with_edits(must_be_read, tmp_path, 40)


@pytest.mark.slow
def test_commands_read_edited_runs_plainly(tmp_path: Path) -> None:
    with_edits(commands_must_be_plain, tmp_path, 8)
