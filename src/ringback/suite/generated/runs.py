"""Hypothesis on a short lead: seeded, quiet, bounded, and out of the user's folder; what it found is one `Deviation`.

Importing this module imports Hypothesis.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any

import hypothesis
from _pytest.outcomes import Skipped
from hypothesis import HealthCheck, Phase, Verbosity
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir, storage_directory
from hypothesis.control import current_build_context
from hypothesis.errors import Flaky

from ringback.deployment import ExchangeError
from ringback.suite.deviation import Deviation

__all__ = ["Stage", "falsify", "kept_out_of_sight", "quiet"]


class Stage(Enum):
    """What an example is tried for."""

    GENERATE = auto()
    SHRINK = auto()
    """A deviation was found; a smaller example of it is looked for."""
    LAST = auto()
    """The smallest one is tried once more, for the report."""


class _Stopped(Skipped):
    """What Hypothesis lets through at once, and makes no smaller."""


@dataclass(slots=True)
class _Search:
    one: Callable[[Any, Stage], None]
    attempts_left: int
    first: Deviation | None = None
    last: Deviation | None = None
    trouble: ExchangeError | None = None
    """Why no example could be tried any more."""

    def attempt(self, value: Any) -> None:
        """Try one example; raises `Deviation` if it deviates from the clause that the first one deviated from."""
        stage = Stage.GENERATE
        if self.first is not None:
            stage = Stage.LAST if current_build_context().is_final else Stage.SHRINK
            self.attempts_left -= 1
            if stage is Stage.SHRINK and self.attempts_left < 0:
                return
        try:
            self.one(value, stage)
        except Deviation as deviation:
            if self.first is None:
                self.first = deviation
            elif deviation.clause != self.first.clause:
                return
            if stage is Stage.LAST:
                self.last = deviation
            raise
        except ExchangeError as trouble:
            if self.first is None:
                self.trouble = trouble
                raise _Stopped from None


def falsify(
    values: st.SearchStrategy[Any], one: Callable[[Any, Stage], None], *, seed: int, examples: int, shrinking: int
) -> None:
    """Try `one` on examples; raises the `Deviation` of the smallest that deviates, found in so many more attempts.

    A smallest one that does not deviate once more is no evidence: then the first is reported. Raises the
    `ExchangeError` that keeps an example from being tried, unless a deviation was found before.
    """
    search = _Search(one, shrinking)

    def attempt(value: Any) -> None:
        search.attempt(value)

    test = hypothesis.seed(seed)(quiet(max_examples=examples)(hypothesis.given(value=values)(attempt)))
    with kept_out_of_sight(), contextlib.suppress(Deviation, Flaky, _Stopped):
        test()
    if (found := search.last or search.first) is not None:
        raise found
    if search.trouble is not None:
        raise search.trouble


def quiet(**bounds: Any) -> hypothesis.settings:
    """Settings under which Hypothesis prints nothing, keeps nothing and hurries nobody."""
    return hypothesis.settings(
        database=None, deadline=None, phases=(Phase.generate, Phase.shrink), print_blob=False,
        suppress_health_check=list(HealthCheck), report_multiple_bugs=False, verbosity=Verbosity.quiet, **bounds,
    )  # fmt: skip


@contextlib.contextmanager
def kept_out_of_sight() -> Iterator[None]:
    """What Hypothesis caches goes to a folder of its own for the length of a block, not to where the user works."""
    before = storage_directory(intent_to_write=False).home_directory
    with tempfile.TemporaryDirectory(prefix="ringback-") as folder:
        set_hypothesis_home_dir(Path(folder))
        try:
            yield
        finally:
            set_hypothesis_home_dir(before)
