from __future__ import annotations

import io
import os
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ringback.reporting import CheckState, LoadProgress, Progress
from ringback.reporting.terminal.screen import ReportConsole

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


@dataclass
class Pty:
    """A pseudo-terminal: text written to `file` arrives in `seen`."""

    file: io.TextIOWrapper
    master: int
    _read: list[bytes] = field(default_factory=list)

    def listen(self) -> None:
        try:
            while data := os.read(self.master, 65_536):
                self._read.append(data)
        except OSError:
            return

    @property
    def seen(self) -> str:
        return b"".join(self._read).decode("utf-8", "replace")

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + 20
        while text not in self.seen:
            assert time.monotonic() < deadline, f"{text!r} never came: {self.seen!r}"
            time.sleep(0.01)  # a terminal sets no event


@pytest.fixture
def pty(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pty]:
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    master, slave = os.openpty()
    with os.fdopen(slave, "w", encoding="utf-8") as file:
        terminal = Pty(file, master)
        reader = threading.Thread(target=terminal.listen)
        reader.start()
        yield terminal
    reader.join(20)
    os.close(master)


def show(progress: Progress, *numbers: int) -> None:
    progress.watch(lambda: CheckState(*numbers))


def test_a_terminal_sees_one_line(pty: Pty) -> None:
    screen = ReportConsole(file=pty.file, width=100)
    with Progress(screen) as progress:
        show(progress, 12, 53, 34, 60, 9)
        pty.wait_for("12 of 53 clauses · 34 of 60 calls placed · 9 ringing · ")
        show(progress, 53, 53, 48, 0, 0)
        pty.wait_for("53 of 53 clauses · 48 calls placed · ")
        screen.print("said meanwhile")
    pty.wait_for(SHOW)
    assert "said meanwhile" in pty.seen
    assert pty.seen.index(HIDE) < pty.seen.rindex(SHOW)
    assert screen.file is pty.file
    assert "\x1b[1A" not in pty.seen.split("said meanwhile")[0]  # the view has only one line


def test_a_narrow_terminal_still_sees_one_line(pty: Pty) -> None:
    with Progress(ReportConsole(file=pty.file, width=30)) as progress:
        show(progress, 12, 53, 34, 60, 9)
        pty.wait_for("12/53 clauses · 34/60")
        pty.wait_for("…")
    pty.wait_for(SHOW)
    assert "calls placed" not in pty.seen


def test_at_60_columns_the_line_is_whole(pty: Pty) -> None:
    with Progress(ReportConsole(file=pty.file, width=60)) as progress:
        show(progress, 53, 53, 56, 60, 12, 3)
        pty.wait_for("53/53 clauses · 56/60 calls · 3 unsure · 12 ringing · 0 s")
        show(progress, 9, 53, 34, 60, 9)
        pty.wait_for("9 of 53 clauses · 34 of 60 calls placed · 9 ringing · ")
    pty.wait_for(SHOW)
    assert "…" not in pty.seen


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_the_terminal_is_restored_after_an_exception(pty: Pty, error: type[BaseException]) -> None:
    screen = ReportConsole(file=pty.file)
    threads = set(threading.enumerate())
    with pytest.raises(error), Progress(screen) as progress:
        show(progress, 1, 53, 1, 60, 1)
        pty.wait_for("1 of 53")
        raise error
    pty.wait_for(SHOW)
    assert screen.file is pty.file
    for thread in set(threading.enumerate()) - threads:
        thread.join(20)
        assert not thread.is_alive(), "a thread that draws outlives the line"


def test_at_most_eight_updates_a_second(pty: Pty) -> None:
    updates = 0
    begun = time.monotonic()
    with Progress(ReportConsole(file=pty.file, width=100)) as progress:
        while time.monotonic() < begun + 1:
            updates += 1
            show(progress, updates, 10**9, 0, 60, 0)
            time.sleep(0.0005)  # lets the drawing thread run
    seconds = time.monotonic() - begun
    pty.wait_for(SHOW)
    drawn = len(re.findall(r"\d+ of 1000000000 clauses", pty.seen))
    assert 1 <= drawn <= 8 * seconds + 3  # one at each end, one for rounding
    assert updates > drawn


def test_many_threads_may_update(pty: Pty) -> None:
    def work() -> None:
        for number in range(500):
            show(progress, number, 500, number, 500, 0)

    with Progress(ReportConsole(file=pty.file, width=100)) as progress:
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        pty.wait_for("499 of 500 clauses · 499 of 500 calls placed")


def test_redirected_output_does_not_swallow_it(pty: Pty) -> None:
    """Replace the file descriptor by another file and restore it, as pytest does."""
    kept = os.dup(pty.file.fileno())
    try:
        with Progress(ReportConsole(file=pty.file, width=100)) as progress, Path(os.devnull).open("w") as silence:
            os.dup2(silence.fileno(), pty.file.fileno())
            show(progress, 7, 53, 0, 60, 0)
            pty.wait_for("7 of 53")
            os.dup2(kept, pty.file.fileno())
    finally:
        os.close(kept)
    pty.wait_for(SHOW)


@pytest.mark.parametrize("options", [{}, {"force_terminal": True}, {"terse": True}])
def test_without_a_terminal_nothing_is_written(options: dict[str, bool]) -> None:
    pipe, threads = io.StringIO(), threading.enumerate()
    with Progress(ReportConsole(file=pipe, **options)) as progress:
        show(progress, 1, 53, 1, 60, 1)
        assert threading.enumerate() == threads, "nobody is there to draw later"
    assert pipe.getvalue() == ""


def test_quiet_on_a_terminal_writes_nothing(pty: Pty) -> None:
    threads = threading.enumerate()
    with Progress(ReportConsole(file=pty.file, terse=True)) as progress:
        show(progress, 1, 53, 1, 60, 1)
        assert threading.enumerate() == threads, "nobody is there to draw later"
    assert pty.seen == ""


def test_a_dumb_terminal_is_spared(pty: Pty, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    threads = threading.enumerate()
    with Progress(ReportConsole(file=pty.file)) as progress:
        show(progress, 1, 53, 1, 60, 1)
        assert threading.enumerate() == threads, "nobody is there to draw later"
    assert pty.seen == ""


def test_at_60_columns_a_load_run_is_whole() -> None:
    printed = io.StringIO()
    screen = ReportConsole(file=printed, width=60)
    progress = LoadProgress(screen, "20 a second", 1000, ())
    calls = {
        "accepted": 900,
        "unfinished": 120,
        "final": 780,
        "lost": 3,
        "by_state": {"Answered": 500, "No Answer": 280},
    }
    section = {"calls": calls, "generator": {"lag_ms": {"p99": 1.25}, "limited": True}}
    progress.update({"section": section, "seconds": 12, "duration": 60, "phase": "steady", "sent": 5})
    screen.print(progress.render())
    assert "…" not in printed.getvalue()
    words = " ".join(printed.getvalue().split())
    for part in ("the generator is the bottleneck", "900 accepted of at most 1,000", "No Answer 280)", "3 lost"):
        assert part in words
    assert max(map(len, printed.getvalue().splitlines())) <= 60
