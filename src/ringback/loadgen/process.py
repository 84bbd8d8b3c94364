"""The child process of a load run, seen from its parent: it is started, listened to, interrupted, and ended in time."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ringback import clock
from ringback.config import Config
from ringback.config.loading import as_environment
from ringback.deployment.access import redactor_for
from ringback.interrupts import SIGNALS, answering
from ringback.loadgen.task import Task
from ringback.rundir import SINK, write_whole
from ringback.rundir.names import LOG_FILE

__all__ = ["Ended", "LoadProcess", "start_process"]

_GRACE = 30.0
"""Seconds that the child has to start and to end, beside the run itself."""
_INTERRUPT_GRACE = 10.0
"""Seconds that an interrupted child has to report what it saw."""


@dataclass(slots=True)
class Ended:
    """How the child ended, and what it reported."""

    interrupted: bool = False
    out_of_time: bool = False
    """Whether it was interrupted because its time was over."""
    failure: str | None = None
    """Why there is no result of its own; None if there is one."""
    open_questions: tuple[str, ...] = ()
    no_master: bool = False
    """Whether this was a worker that found no master."""
    last_section: dict[str, Any] | None = None
    unwritten: str | None = None
    """Why the child could not write its files into the run's directory; None if it did."""


def start_process(task: Task, config: Config, **options: Any) -> subprocess.Popen[bytes]:
    """Start a process of a load run, with these options of `Popen`. It ends when its standard input does."""
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", "ringback.loadgen", *task.arguments], stdin=subprocess.PIPE, **options
    )
    assert process.stdin is not None  # noqa: S101 - it was asked for
    with contextlib.suppress(BrokenPipeError):  # a process that died at once is noticed by its exit code
        process.stdin.write(
            json.dumps({"task": task.to_plain(), "configuration": as_environment(config)}).encode() + b"\n"
        )
        process.stdin.flush()
    return process


class LoadProcess:
    """Does a task in a child process, which gets task and configuration (access token included) by standard input."""

    def __init__(self, config: Config, task: Task, directory: Path) -> None:
        self.config = config
        self.task = task
        self.directory = directory
        self._said: deque[str] = deque(maxlen=200)

    def follow(
        self,
        on_progress: Callable[[Mapping[str, Any]], None] | None,
        on_reading: Callable[[Mapping[str, Any]], None],
        max_time: float | None = None,
    ) -> Ended:
        """Start the child and stay with it to its end; it is gone when this returns or raises.

        `on_reading` is called with the readings (`live.reading`) of a task that is `live`. After `max_time` seconds the
        child is interrupted, and reports what it saw.
        """
        begun = clock.monotonic()
        # Signals wait until the child, which inherits the mask, is ready to react to them.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            child = start_process(
                self.task, self.config, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env={name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")},
                start_new_session=True,
            )  # fmt: skip
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        lines: queue.SimpleQueue[bytes | int | None] = queue.SimpleQueue()
        readers = [
            threading.Thread(target=_read_lines, args=(child.stdout, lines.put), daemon=True),
            threading.Thread(target=_read_lines, args=(child.stderr, self._hear), daemon=True),
        ]
        try:
            for reader in readers:
                reader.start()
            with answering(lines.put):
                end = None if max_time is None else begun + max_time
                ended = self._listen(child, lines, on_progress, on_reading, end)
                if ended.out_of_time:
                    limit = f"the load run reached its time limit of {max_time:g} s (--max-time)"
                    ended.open_questions = (limit, *ended.open_questions)
        finally:
            if child.poll() is None:
                child.kill()
            child.wait()
            for reader in readers:
                reader.join()
            for stream in (child.stdin, child.stdout, child.stderr):
                assert stream is not None  # noqa: S101 - all were asked for
                with contextlib.suppress(OSError):
                    stream.close()
            self._write_log()
        return ended

    def _listen(
        self,
        child: subprocess.Popen[bytes],
        lines: queue.SimpleQueue[bytes | int | None],
        on_progress: Callable[[Mapping[str, Any]], None] | None,
        on_reading: Callable[[Mapping[str, Any]], None],
        end: float | None,
    ) -> Ended:
        """Take in the child's lines, and signals that ask for an end (their count), each as it comes."""
        deadline = clock.monotonic() + self._longest()
        ended = Ended()
        has_ended = False
        while True:
            try:
                until = deadline if end is None else min(deadline, end)
                line = lines.get(timeout=max(0.0, until - clock.monotonic()))
            except queue.Empty:
                if end is not None and not ended.out_of_time:
                    ended.out_of_time = True
                    deadline = end = clock.monotonic() + _INTERRUPT_GRACE
                    with contextlib.suppress(ProcessLookupError):
                        child.send_signal(signal.SIGINT)
                    continue
                ended.failure = "the load generator did not come to its end in time and was stopped"
                return ended
            if line is None:
                break
            if isinstance(line, int):
                if ended.interrupted:
                    ended.failure = "the load run was stopped in the middle"
                    return ended
                ended.interrupted = True
                deadline = clock.monotonic() + _INTERRUPT_GRACE
                with contextlib.suppress(ProcessLookupError):
                    child.send_signal(signal.SIGINT)
                continue
            message = json.loads(line)
            if message["event"] == "end":
                has_ended = True
                ended.open_questions = tuple(message.get("open_questions", ()))
                ended.interrupted |= message.get("interrupted", False) and not ended.out_of_time
                ended.failure = message.get("failed")
                ended.last_section = message.get("section", ended.last_section)
                ended.unwritten = message.get("unwritten")
                ended.no_master = message.get("no_master", False)
            elif message["event"] == "waiting" and on_progress is not None:
                on_progress({"waiting": message["came"]})
            elif message["event"] == "reading":
                on_reading(message["reading"])
            elif message["event"] == "progress":
                ended.last_section = message["section"]
                if on_progress is not None:
                    on_progress({**message["figures"], "section": message["section"]})
        code = child.wait()
        if code != 0 or not has_ended:
            ended.failure = self._cause(code)
        return ended

    def _longest(self) -> float:
        """Seconds that the child may take; a worker takes as long as its master."""
        plan, timing = self.task.plan, self.config.timing
        if plan is None:
            return 365 * 86_400.0
        longest = plan.delay + plan.duration + timing.settle + timing.delivery + 4 * timing.request
        searching = 20 * timing.request if plan.what.searches else 0.0
        patience = 0.0 if self.task.address is None else self.task.address.patience
        return longest + 2 * self.config.load.poll_interval + searching + patience + _GRACE

    def _cause(self, code: int) -> str:
        cause = f"it was killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        last = redactor_for(self.config).clean(self._said[-1])[:200] if self._said else ""
        return f"the load generator died ({cause}){': ' + last if last else ''}"

    def _hear(self, line: bytes | None) -> None:
        if line is not None:
            self._said.append(line.decode("utf-8", "replace").rstrip())

    def _write_log(self) -> None:
        if self._said:
            text = redactor_for(self.config).clean("\n".join(self._said))
            with contextlib.suppress(OSError):  # a log that finds no room must not cost the run's result
                write_whole(self.directory / LOG_FILE, SINK.document(text + "\n"))


def _read_lines(stream: IO[bytes], put: Callable[[bytes | None], object]) -> None:
    for line in stream:
        put(line)
    put(None)
