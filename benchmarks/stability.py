"""Checks conforming deployments with many seeds, on a busy machine if wished: do any clauses fail?

    python benchmarks/stability.py [--seeds 20] [--hogs 2] [--jobs 2] [--stacks node] [--out stability.json]

Each run starts a deployment and checks it. `--hogs` starts so many processes that keep a core busy. Exits with 1 if a
deployment was accused, with 2 if a run had no verdict; undecided clauses are printed.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.rows import Row, Rows, add_options, files, run_all, selected

from tests.deployments.catalogue import DeploymentVariant
from tests.deployments.checking import check

_HOG = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add_options(parser)
    parser.add_argument("--seeds", type=int, default=20, metavar="N", help="seeds 1 to N [default: %(default)s]")
    parser.add_argument("--hogs", type=int, default=0, metavar="N", help="busy loops [default: %(default)s]")
    options = parser.parse_args(arguments)
    chosen = [variant for variant in selected(options) if variant.kind == "conforming"]
    rows = Rows(options.out, options.again)
    with files(options.keep) as folder, _hogs(options.hogs):
        work = [
            (key, functools.partial(_run, key, variant, seed, folder / variant.label / str(seed)))
            for seed in range(1, options.seeds + 1)
            for variant in chosen
            for key in [f"{variant.label} {seed} beside {options.hogs}"]
        ]
        lost = run_all(rows, work, options.jobs)
    found = rows.of(key for key, _ in work)
    print("\n".join(report(found)))
    if any(row["broken"] or row["unknown_numbers"] for row in found):
        return 1
    return 2 if lost else 0


def _run(key: str, variant: DeploymentVariant, seed: int, folder: Path) -> Row:
    checked = check(variant, folder, seed=seed)
    undecided = checked.clauses("inconclusive")
    return {
        "key": key,
        "variant": variant.label,
        "seed": seed,
        "code": checked.code,
        "broken": checked.broken,
        "undecided": undecided,
        "summaries": [
            f"{clause['id']}: {clause['summary']}"
            for clause in checked.verdict["clauses"]
            if clause["id"] in {*checked.broken, *undecided}
        ],
        "calls": checked.calls,
        "seconds": round(checked.seconds, 2),
        "unknown_numbers": len(checked.unknown_numbers),
        "outcome": f"exit {checked.code} {' '.join(checked.broken + undecided)}".rstrip(),
    }


def report(rows: Sequence[Row]) -> list[str]:
    """The lines to print: runs that did not pass, then the figures."""
    lines = []
    for word, column in (("accused", "broken"), ("undecided", "undecided")):
        lines += [
            f"{word}: {row['variant']}, seed {row['seed']}: {'; '.join(row['summaries'])}"
            for row in rows
            if row[column]
        ]
    codes = Counter(row["code"] for row in rows)
    lines += [
        f"{len(rows)} runs of {len({row['variant'] for row in rows})} deployments",
        f"accused: {sum(bool(row['broken']) for row in rows)}",
        f"with something undecided: {sum(bool(row['undecided']) for row in rows)}",
        f"exit codes: {', '.join(f'{code}: {count}' for code, count in sorted(codes.items()))}",
        f"accepted calls, most: {max((row['calls'] for row in rows), default=0)}",
        f"seconds, most: {max((row['seconds'] for row in rows), default=0):.1f}",
    ]
    return lines


@contextlib.contextmanager
def _hogs(count: int) -> Iterator[None]:
    """Keep so many cores busy for the length of a `with` block; they end with this process, however it ends."""
    hogs = [subprocess.Popen([sys.executable, "-c", _HOG]) for _ in range(count)]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


if __name__ == "__main__":
    sys.exit(main())
