"""Shared by the benchmarks over the catalogue: choosing deployments, running several at a time, resuming runs."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.deployments.catalogue import STACKS, DeploymentVariant, missing, variants

__all__ = ["Row", "Rows", "add_options", "files", "run_all", "sample", "selected"]

Row = dict[str, Any]
"""JSON values; `key` identifies the run, so that it is made only once."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of all these benchmarks."""
    parser.add_argument("--stacks", default=",".join(STACKS), help="comma-separated [default: %(default)s]")
    parser.add_argument("--only", default="", metavar="REGEX", help="deployments whose stack/name matches")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="runs at a time [default: %(default)s]")
    parser.add_argument("--out", type=Path, metavar="FILE", help="JSON rows; runs that it has are not repeated")
    parser.add_argument("--again", metavar="REGEX", help="run these again, even if they are in --out")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="folder for the files of all runs")


def selected(options: argparse.Namespace) -> list[DeploymentVariant]:
    """The deployments that `--stacks` and `--only` select; prints which stacks this machine cannot run."""
    stacks = options.stacks.split(",")
    if unknown := set(stacks) - set(STACKS):
        raise SystemExit(f"no such stack: {', '.join(sorted(unknown))}; choose from {', '.join(STACKS)}")
    for stack in stacks:
        if reason := missing(stack):
            print(f"left out: {stack} ({reason})", file=sys.stderr)
    return [variant for variant in variants(stacks) if re.search(options.only, variant.label)]


def sample(chosen: Iterable[DeploymentVariant], per_clause: int) -> list[DeploymentVariant]:
    """Keep only `per_clause` faults for each stack and clause, always the same ones, and all conforming deployments."""
    chosen = list(chosen)
    alike: dict[tuple[str, str], list[DeploymentVariant]] = {}
    for variant in chosen:
        if variant.kind == "fault":
            alike.setdefault((variant.stack, variant.clauses[0]), []).append(variant)
    kept = {fault for faults in alike.values() for fault in sorted(faults, key=_lot)[:per_clause]}
    return [variant for variant in chosen if variant.kind == "conforming" or variant in kept]


def _lot(variant: DeploymentVariant) -> bytes:
    return hashlib.sha256(variant.label.encode()).digest()


class Rows:
    """The rows of earlier runs and of this one, saved as they arrive; keys that match `again` are dropped."""

    def __init__(self, path: Path | None, again: str | None = None) -> None:
        self._path = path
        saved = json.loads(path.read_text(encoding="utf-8")) if path is not None and path.exists() else []
        self._rows: dict[str, Row] = {
            row["key"]: row for row in saved if again is None or not re.search(again, row["key"])
        }

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def add(self, row: Row) -> None:
        """Add a row, and save all rows."""
        self._rows[row["key"]] = row
        if self._path is not None:
            text = ",\n".join(json.dumps(row) for row in self._rows.values())
            new = self._path.with_name(self._path.name + ".new")
            new.write_text(f"[\n{text}\n]\n", encoding="utf-8")
            new.replace(self._path)

    def of(self, keys: Iterable[str]) -> list[Row]:
        """The rows with these keys, as far as they exist."""
        return [self._rows[key] for key in keys if key in self._rows]


def run_all(rows: Rows, work: Sequence[tuple[str, Callable[[], Row]]], jobs: int) -> int:
    """Make the runs that have no row; returns how many failed. `work` has keys and functions that make rows."""
    due = {key: make for key, make in work if key not in rows}
    lost = 0
    with ThreadPoolExecutor(jobs) as pool:
        running = {pool.submit(make): key for key, make in due.items()}
        try:
            for done, future in enumerate(as_completed(running), start=1):
                lost += not _take(rows, running[future], future.exception(), future, f"{done}/{len(due)}")
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return lost


def _take(rows: Rows, key: str, error: BaseException | None, future: Any, progress: str) -> bool:
    if error is not None:
        print(f"{progress} {key}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return False
    row = future.result()
    rows.add(row)
    print(f"{progress} {key}: {row['outcome']}", file=sys.stderr, flush=True)
    return True


@contextmanager
def files(keep: Path | None) -> Iterator[Path]:
    """A folder for the files of all runs: `keep`, or a temporary one."""
    if keep is not None:
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="ringback-benchmark-", ignore_cleanup_errors=True) as directory:
        yield Path(directory)
