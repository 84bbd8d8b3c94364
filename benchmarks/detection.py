"""Compares Ringback with plain schemathesis: which faults they find, and in which conforming deployments they fail.

    python benchmarks/detection.py [--per-clause 2] [--stacks sandbox,node] [--out detection.json] [--table]
    python benchmarks/detection.py --calls 10,20,25,40,60 [...]

With `--calls`, Ringback alone checks each deployment with each of these budgets: what a smaller budget costs. These
runs are forks of one process that has imported everything, as their seconds are not reported.

Both tools check the same deployments, each run a new one. Ringback has found a fault if any clause fails, and has found
it on its clause if the fault's main clause fails; a warning about plain HTTP does not count where a deployment supports
nothing else. Schemathesis has a description filled in for each stack (see `plain_schemathesis`), its default phases and
its default checks; it has found a fault if it exits with 1. A conforming deployment is accused if a tool finds
anything.
"""

from __future__ import annotations

import argparse
import functools
import shlex
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.plain_schemathesis import drive, sink
from benchmarks.rows import Row, Rows, add_options, files, run_all, sample, selected

from tests.deployments.catalogue import DeploymentVariant
from tests.deployments.checking import check
from tests.deployments.processes import in_a_fork, in_a_new_process
from tests.deployments.running import deployed

TOOLS = ("ringback", "schemathesis")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add_options(parser)
    parser.add_argument("--per-clause", type=int, metavar="N", help="N faults for each stack and clause, not all")
    parser.add_argument("--tools", default=",".join(TOOLS), help="comma-separated [default: %(default)s]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="print a table for the README, in Markdown")
    parser.add_argument("--calls", default="", metavar="N,N", help="budgets of calls to compare, by Ringback alone")
    options = parser.parse_args(arguments)
    budgets = [int(number) for number in options.calls.split(",") if number]
    tools = ["ringback"] if budgets else [tool for tool in TOOLS if tool in options.tools.split(",")]
    chosen = selected(options)
    if options.per_clause is not None:
        chosen = sample(chosen, options.per_clause)
    rows = Rows(options.out, options.again)
    with files(options.keep) as folder, sink() as destination:
        work = [
            _job(tool, variant, options.seed, folder, destination, calls)
            for tool in tools
            for calls in budgets or (None,)
            for variant in chosen
        ]
        lost = run_all(rows, work, options.jobs)
    found = rows.of(key for key, _ in work)
    if budgets:
        print(curve({n: Summary("ringback", [r for r in found if r["limit"] == n]) for n in budgets}))
        return 2 if lost else 0
    summaries = [Summary(tool, [row for row in found if row["tool"] == tool]) for tool in tools]
    print(
        markdown(summaries, arguments if arguments is not None else sys.argv[1:]) if options.table else plain(summaries)
    )
    return 2 if lost else 0


def _job(
    tool: str, variant: DeploymentVariant, seed: int, folder: Path, destination: str, calls: int | None
) -> tuple[str, Callable[[], Row]]:
    key = f"{tool} {variant.label} {seed}" + (f" of {calls} calls" if calls is not None else "")
    run = functools.partial(_ringback, variant, seed, folder / tool / str(calls or "") / variant.label, calls)
    if tool == "schemathesis":
        run = functools.partial(_schemathesis, variant, seed, folder / tool / variant.label, destination)
    return key, functools.partial(_row, key, tool, variant, run)


def _row(key: str, tool: str, variant: DeploymentVariant, run: Callable[[], Row]) -> Row:
    known = {"key": key, "tool": tool, "variant": variant.label, "kind": variant.kind}
    return known | {"clauses": list(variant.clauses)} | run()


def _ringback(variant: DeploymentVariant, seed: int, folder: Path, calls: int | None) -> Row:
    checked = check(variant, folder, seed=seed, calls=calls, run=in_a_new_process if calls is None else in_a_fork)
    broken = checked.broken
    return {
        "accused": bool(broken),
        "broken": broken,
        "undecided": checked.clauses("inconclusive"),
        "code": checked.code,
        "calls": checked.calls,
        "limit": calls,
        "seconds": round(checked.seconds, 2),
        "unknown_numbers": len(checked.unknown_numbers),
        "outcome": f"exit {checked.code}, broken: {' '.join(broken) or 'nothing'}",
    }


def _schemathesis(variant: DeploymentVariant, seed: int, folder: Path, destination: str) -> Row:
    with deployed(variant, folder) as deployment:
        driven = drive(deployment, folder, seed, destination)
        unknown_numbers = len(deployment.unknown_numbers())
    if driven.code not in (0, 1):
        raise RuntimeError(f"exit {driven.code}: {driven.printed[-2000:]}")
    return {
        "accused": driven.code == 1,
        "broken": list(driven.findings),
        "code": driven.code,
        "calls": driven.calls,
        "seconds": round(driven.seconds, 2),
        "unknown_numbers": unknown_numbers,
        "outcome": f"exit {driven.code}, {', '.join(driven.findings) or 'no failure'}",
    }


class Summary:
    """The results of one tool over all its runs."""

    def __init__(self, tool: str, rows: list[Row]) -> None:
        self.tool = tool
        self.rows = rows
        self.faults = [row for row in rows if row["kind"] == "fault"]
        self.conforming = [row for row in rows if row["kind"] == "conforming"]
        self.missed = [row for row in self.faults if not row["accused"]]
        self.accused = [row for row in self.conforming if row["accused"]]
        self.elsewhere = [row for row in self.faults if row["accused"] and row["clauses"][0] not in row["broken"]]
        self.knows_clauses = tool == "ringback"

    def cells(self) -> list[tuple[str, str]]:
        """The cells of the table: heading and value."""
        faults, found = len(self.faults), len(self.faults) - len(self.missed)
        right = _share(found - len(self.elsewhere), faults) if self.knows_clauses else "-"
        failing = [len(row["broken"]) for row in self.faults if row["accused"]]
        calls = [row["calls"] for row in self.rows]
        seconds = [row["seconds"] for row in self.rows]
        return [
            ("tool", self.tool),
            ("faults detected", _share(found, faults)),
            ("on the right clause", right),
            ("failing clauses, median", f"{statistics.median(failing):g}" if self.knows_clauses and failing else "-"),
            ("conforming accused", _share(len(self.accused), len(self.conforming))),
            ("accepted calls a run, median (most)", f"{statistics.median(calls):.0f} ({max(calls)})" if calls else "-"),
            ("seconds a run, median", f"{statistics.median(seconds):.1f}" if seconds else "-"),
        ]

    def details(self) -> list[str]:
        """The runs that went wrong, one per line."""
        lines = [f"missed: {row['variant']} ({' '.join(row['clauses'])})" for row in self.missed]
        lines += [f"accused: {row['variant']}: {', '.join(row['broken'])}" for row in self.accused]
        if self.knows_clauses:
            lines += [
                f"on another clause: {row['variant']} ({' '.join(row['clauses'])}): {' '.join(row['broken'])}"
                for row in self.elsewhere
            ]
            lines += [
                f"undecided: {row['variant']}: {' '.join(row['undecided'])}"
                for row in self.conforming
                if row["undecided"]
            ]
        lines += [
            f"not lines, but dialled: {row['variant']}: {row['unknown_numbers']}"
            for row in self.rows
            if row["unknown_numbers"]
        ]
        return [f"  {line}" for line in lines]


def curve(by_budget: Mapping[int, Summary]) -> str:
    """What Ringback finds with each budget, as a table in Markdown, and the runs that went wrong."""
    lines = ["| budget.calls | faults detected | conforming accused | undecided clauses, conforming, median |"]
    lines.append("|---:|---:|---:|---:|")
    for calls, summary in by_budget.items():
        figures = dict(summary.cells())
        undecided = statistics.median([len(row["undecided"]) for row in summary.conforming] or [0])
        lines.append(f"| {calls} | {figures['faults detected']} | {figures['conforming accused']} | {undecided:g} |")
    for calls, summary in by_budget.items():
        lines += ["", f"with {calls} calls", *(line for line in summary.details() if "undecided" not in line)]
    return "\n".join(lines)


def plain(summaries: Sequence[Summary]) -> str:
    """The summaries as text: figures, then each run that went wrong."""
    lines: list[str] = []
    for summary in summaries:
        (_, tool), *figures = summary.cells()
        lines += [tool, *(f"  {heading}: {value}" for heading, value in figures), *summary.details(), ""]
    return "\n".join(lines)


def markdown(summaries: Sequence[Summary], arguments: Sequence[str]) -> str:
    """The summaries as a table, under the command that prints it."""
    columns = [summary.cells() for summary in summaries]
    header, *body = [(row[0][0], *(value for _, value in row)) for row in zip(*columns, strict=True)]
    lines = [("", *header[1:]), ("---", *("---:" for _ in columns)), *body]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"```sh\npython benchmarks/detection.py {shlex.join(arguments)}\n```\n\n{table}"


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / whole:.0f} %)" if whole else "-"


if __name__ == "__main__":
    sys.exit(main())
