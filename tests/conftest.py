"""For all tests: explicit and printed seeds, an order, and Ctrl-C as in a terminal."""

from __future__ import annotations

import gc
import random
import shlex
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from ringback.rundir import SINK
from ringback.suite.generated.runs import isolated
from tests.forked import REAL_PYTHON, begin_session, fork_python

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background jobs with Ctrl-C ignored, and children inherit that. Tests that interrupt a command need
    # Ctrl-C as in a terminal.
    signal.signal(signal.SIGINT, signal.default_int_handler)

SEED = "1"
"""The seed of Hypothesis unless --hypothesis-seed is given: the same examples in every run."""

LONGEST = (
    "loadgen/test_plain_locust.py",
    "loadgen/test_scenarios.py",
    "cli/test_runs.py",
    "loadgen/distributed/test_workers.py",
    "cli/test_load.py",
    "loadgen/test_shapes.py",
    "loadgen/test_run.py",
    "suite/test_stateful.py",
    "suite/test_generated.py",
    "reporting/html/test_hostile.py",
    "cli/test_spending.py",
    "cli/test_full_disk.py",
)
"""These files run first, because they take longest: at the end, one worker would run alone."""


@pytest.fixture(scope="session", autouse=True)
def examples_of_the_seed() -> Iterator[None]:
    """Let the seed alone decide the examples, whatever modules earlier tests of this process have imported."""
    with isolated():
        yield


@pytest.fixture(autouse=True)
def secrets_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a sink without the secrets of earlier tests."""
    for name, known in vars(SINK).items():
        monkeypatch.setattr(SINK, name, known)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--order-seed", type=int, metavar="N", help="shuffle the files, and the tests within each")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    gc.set_threshold(50_000, 20, 100)
    worker = hasattr(config, "workerinput")
    if not worker:
        begin_session()
    if worker or config.getoption("dist", "no") == "no":
        fork_python()
    if config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = SEED


def pytest_report_header(config: pytest.Config) -> str:
    return f"seeds: {_seeds(config)}"


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if config.option.verbose < 0:  # then there was no header
        terminalreporter.write_line(f"seeds: {_seeds(config)}")


def _seeds(config: pytest.Config) -> str:
    order = config.option.order_seed
    drawn = f"--hypothesis-seed={config.option.hypothesis_seed}"
    return drawn if order is None else f"{drawn} --order-seed={order}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    groups = list(files.values())
    if config.option.order_seed is not None:
        source = random.Random(config.option.order_seed)
        source.shuffle(groups)
        for group in groups:
            source.shuffle(group)
    else:
        groups.sort(key=_rank)
    items[:] = [item for group in groups for item in group]


def _rank(group: list[pytest.Item]) -> int:
    name = "/".join(group[0].path.parts[-2:])
    return LONGEST.index(name) if name in LONGEST else len(LONGEST)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        report.sections.append(("run it again", _again(item)))
    return report


def _again(item: pytest.Item) -> str:
    """The command that repeats a test; in a shuffled run, with the tests before it in its file."""
    what = item.nodeid.partition("::")[0] if item.config.option.order_seed is not None else shlex.quote(item.nodeid)
    python = Path(REAL_PYTHON)
    if python.is_relative_to(item.config.rootpath):
        python = python.relative_to(item.config.rootpath)
    return f"{python} -m pytest {what} {_seeds(item.config)}"


def pytest_collection_finish() -> None:
    """Everything imported so far stays: the collector need not look at it again and again."""
    gc.freeze()
