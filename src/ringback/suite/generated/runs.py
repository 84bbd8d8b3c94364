"""Running Hypothesis: seeded, quiet, bounded, without files in the user's folder; the result is one `Deviation`.

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
from unittest import mock

import hypothesis
from _pytest.outcomes import Skipped
from hypothesis import HealthCheck, Phase, Verbosity
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir, storage_directory
from hypothesis.control import current_build_context
from hypothesis.errors import Flaky
from hypothesis.internal.cache import LRUCache
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

from ringback.deployment import ExchangeError
from ringback.suite.deviation import Deviation

__all__ = ["Stage", "falsify", "isolated", "quiet"]


class Stage(Enum):
    """What an example is tried for."""

    GENERATE = auto()
    SHRINK = auto()
    """A deviation was found; this looks for a smaller example of it."""
    LAST = auto()
    """The smallest example is tried again, for the report."""


class _Stopped(Skipped):
    """Ends Hypothesis at once, without shrinking."""


@dataclass(slots=True)
class _Search:
    one: Callable[[Any, Stage], None]
    attempts_left: int
    first: Deviation | None = None
    last: Deviation | None = None
    trouble: ExchangeError | None = None
    """Why examples could not be tried any more."""

    def attempt(self, value: Any) -> None:
        """Try one example; raises `Deviation` if it deviates from the same clause as the first deviation."""
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
    """Try `one` on examples; raises the `Deviation` of the smallest that deviates, after `shrinking` attempts at most.

    If the smallest does not deviate again, raises the first deviation. Raises the `ExchangeError` that prevents an
    example, unless a deviation was found before.
    """
    search = _Search(one, shrinking)

    def attempt(value: Any) -> None:
        search.attempt(value)

    test = hypothesis.seed(seed)(quiet(max_examples=examples)(hypothesis.given(value=values)(attempt)))
    with isolated(), contextlib.suppress(Deviation, Flaky, _Stopped):
        test()
    if (found := search.last or search.first) is not None:
        raise found
    if search.trouble is not None:
        raise search.trouble


def quiet(**bounds: Any) -> hypothesis.settings:
    """Settings with which Hypothesis prints nothing, stores nothing and has no deadline."""
    return hypothesis.settings(
        database=None, deadline=None, phases=(Phase.generate, Phase.shrink), print_blob=False,
        suppress_health_check=list(HealthCheck), report_multiple_bugs=False, verbosity=Verbosity.quiet, **bounds,
    )  # fmt: skip


@contextlib.contextmanager
def isolated() -> Iterator[None]:
    """Within the block, Hypothesis draws what the seed alone decides, and stores its cache in a temporary folder.

    Otherwise it also draws constants that it reads from the source of imported modules outside site-packages. An
    editable checkout, an installed wheel and a run beside a user's own modules would then draw different values.
    """
    before = storage_directory(intent_to_write=False).home_directory
    with (
        tempfile.TemporaryDirectory(prefix="ringback-") as folder,
        mock.patch.object(providers, "_get_local_constants", Constants),
        mock.patch.object(providers, "CONSTANTS_CACHE", LRUCache(1024)),
    ):
        set_hypothesis_home_dir(Path(folder))
        try:
            yield
        finally:
            set_hypothesis_home_dir(before)
