"""The generator's watch over itself: whether it was fast enough for its figures to be the deployment's.

What lives here: what makes a window one in which the generator was the limit, what makes a run one, and what to do
about it; and what a process can read of itself (processor, open files, ports). Windows are judged by their figures
alone, so that it makes no difference which process judges them.
"""

from __future__ import annotations

import os
import resource
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ringback.loadgen.metrics.window import Window

__all__ = ["CPU_LIMIT", "LAG_LIMIT", "Judgement", "Mark", "OwnProcess", "causes", "judge", "note", "open_question"]

LAG_LIMIT = 0.1
"""Seconds: when 1 % of the requests left later than this after they were due, latencies are no longer trusted."""
CPU_LIMIT = 0.9
"""Share of one core: Python runs on one, and above this, requests wait for the generator."""
_DOMINANT = 0.1
"""Share of a run's windows beyond which the generator decided what was measured."""
_LOST = 0.01
"""Share of the arrivals beyond which those that the generator did not get sent decide, whenever they were due."""
_MORE_THAN_A_HICCUP = 3
"""Late requests that a short run must have: 1 % of less than 300 is a single hiccup of the machine, or two."""
_ENOUGH = 2.0
"""Seconds: the processor's share of a shorter run says little, start-up being part of it."""
_HALF = 0.5
"""Seconds: likewise of a window, that may have been cut."""

_LATE, _CPU, _DROPPED, _STARVED, _BACKLOG = "late", "cpu", "dropped", "starved", "backlog"
_MORE_WORKERS = frozenset({_LATE, _CPU, _DROPPED, _BACKLOG})
"""Causes against which more workers help."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What is remembered of a window: was there anything to send in it, and in what was the generator the limit."""

    busy: bool
    causes: frozenset[str]

    @classmethod
    def joined(cls, marks: Iterable[Mark]) -> Mark:
        """The mark of windows that will be one."""
        told = tuple(marks)
        return cls(any(mark.busy for mark in told), frozenset().union(*(mark.causes for mark in told)))


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether the generator was the limit: of so many `windows` with requests, in so many, by what (a clause each)."""

    limited: bool
    windows: int
    limited_windows: int
    limited_by: tuple[str, ...]
    kinds: frozenset[str] = frozenset()
    """The causes that count, by kind."""


def causes(window: Window, most_backlog: int | None = None) -> dict[str, str]:
    """In what the generator was the limit in a window, by kind of cause, in a clause; empty if it was not.

    `most_backlog` bounds the results that may wait in the receiver.
    """
    told = {}
    lag = window.lag.percentile(99)
    if lag is not None and lag > LAG_LIMIT:
        told[_LATE] = f"1 % of its requests left {lag * 1000:.0f} ms or more after they were due"
    cpu = window.cpu
    if cpu is not None and cpu > CPU_LIMIT and window.wall >= _HALF:
        told[_CPU] = f"it used {cpu:.0%} of a core"
    if dropped := window.counters["dropped"]:
        told[_DROPPED] = f"{dropped} arrivals could not be sent in time"
    if window.starved:
        told[_STARVED] = f"{window.starved} requests failed for want of open files, ports or memory"
    if most_backlog is not None and window.backlog > most_backlog:
        told[_BACKLOG] = f"{window.backlog} results waited in the receiver"
    return told


def judge(marks: Iterable[Mark], part: Window, whole: Window, most_backlog: int | None = None) -> Judgement:
    """Whether the generator was the limit of a run, by the marks of the windows that figures are taken from.

    `part` is those windows in one, `whole` all of the run's. It was, if it was so in more than 10 % of the windows
    in which there was anything to send, or if more than 1 % of all arrivals or requests were dropped or starved. What
    a short run has of one hiccup is forgiven: fewer than three late requests, one late window in which less than 1 %
    of all requests were late, and a processor's share of less than two seconds.
    """
    busy = [mark for mark in marks if mark.busy]
    often = Counter(cause for mark in busy for cause in mark.causes)
    late, all_sent = part.lag.above(LAG_LIMIT), part.lag.count
    forgiven = set()
    if late < _MORE_THAN_A_HICCUP or (often[_LATE] == 1 and late < _LOST * all_sent):
        forgiven.add(_LATE)
    if part.wall < _ENOUGH:
        forgiven.add(_CPU)
    counting = sum(1 for mark in busy if mark.causes - forgiven)
    arrivals, dropped = whole.counters["scheduled"], whole.counters["dropped"]
    lost = dropped > _LOST * arrivals or whole.starved > _LOST * whole.taken
    clauses = {
        _LATE: f"1 % of its requests left more than {LAG_LIMIT * 1000:.0f} ms after they were due",
        _CPU: f"it used more than {CPU_LIMIT:.0%} of a core",
        _DROPPED: f"{dropped} arrivals could not be sent in time",
        _STARVED: f"{whole.starved} requests failed for want of open files, ports or memory",
        _BACKLOG: f"more than {most_backlog} results waited in the receiver",
    }
    if dropped and lost:
        often.setdefault(_DROPPED, 0)
    if whole.starved and lost:
        often.setdefault(_STARVED, 0)
    return Judgement(
        limited=lost or counting > _DOMINANT * len(busy),
        windows=len(busy),
        limited_windows=sum(1 for mark in busy if mark.causes),
        limited_by=tuple(
            clause + (f" ({often[kind]} of {len(busy)} windows)" if often[kind] else "")
            for kind, clause in clauses.items()
            if kind in often
        ),
        kinds=frozenset(often),
    )


def open_question(judgement: Judgement, workers: int = 1) -> str | None:
    """Why a run can't be called passed if the generator was its limit, and the mend; None if it was not."""
    if not judgement.limited:
        return None
    mends = []
    if judgement.kinds & _MORE_WORKERS:
        mends += [f"use --workers {2 * workers} (or more)", "lower the rate"]
    if _STARVED in judgement.kinds:
        mends.append("raise the limit of open files (ulimit -n), or use more machines")
    return (
        f"the load generator was itself the limit: {'; '.join(judgement.limited_by)}; times are not the deployment's: "
        + ", or ".join(mends)
    )


def note(judgement: Judgement) -> str | None:
    """What a reader should know of a run in which the generator was the limit for a while, and no longer."""
    if judgement.limited or not judgement.limited_windows:
        return None
    return (
        f"the load generator was itself the limit in {judgement.limited_windows} of {judgement.windows} windows, "
        f"which are marked: {'; '.join(judgement.limited_by)}"
    )


class OwnProcess:
    """What this process can read of itself. Where a system does not tell (ports, outside Linux), it is None."""

    def __init__(self) -> None:
        self._cpu = time.process_time()
        self.most_files = 0
        """The most open files that `read` saw."""
        self.most_ports: int | None = None

    def start(self) -> None:
        """The sending begins: seconds of processor count from here."""
        self._cpu = time.process_time()

    @property
    def cpu(self) -> float:
        """Seconds of processor since the start, of all threads."""
        return time.process_time() - self._cpu

    def read(self) -> None:
        """Count open files and ports in use; it takes about a microsecond a file, so not too often."""
        self.most_files = max(self.most_files, open_files())
        if (ports := ports_in_use()) is not None:
            self.most_ports = max(self.most_ports or 0, ports)

    def section(self) -> Mapping[str, Any]:
        """Members of `generator` in the load section: the most that `read` saw, and what the system allows."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return {
            "open_files": self.most_files,
            "open_files_limit": None if soft == resource.RLIM_INFINITY else soft,
            "ports": self.most_ports,
            "ports_limit": ports_allowed(),
        }


def open_files() -> int:
    """Files, sockets among them, that this process has open now; 0 where the system does not tell."""
    try:
        return len(os.listdir("/dev/fd")) - 1  # noqa: PTH208 - names only, and quick
    except OSError:
        return 0


def ports_in_use() -> int | None:
    """TCP sockets of this machine (or network namespace) that may hold a local port, those that just closed too."""
    try:
        lines = Path("/proc/net/sockstat").read_text(encoding="ascii").splitlines()
        words = next(line.split() for line in lines if line.startswith("TCP:"))
        told = dict(zip(words[1::2], map(int, words[2::2]), strict=False))
        return told["inuse"] + told["tw"]
    except (OSError, ValueError, KeyError, StopIteration):
        return None


def ports_allowed() -> int | None:
    """Local ports that the system gives out for connections to one address."""
    try:
        first, last = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()
        return int(last) - int(first) + 1
    except (OSError, ValueError):
        return None
