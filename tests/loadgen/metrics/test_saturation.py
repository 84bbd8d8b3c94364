"""When the load generator counts as the limit."""

from __future__ import annotations

import pytest

from ringback.loadgen.metrics.saturation import open_question
from ringback.loadgen.metrics.windows import Windows
from ringback.loadgen.schedule.origin import TRIGGER


def course(seconds: int = 20, rate: int = 100, late: dict[int, float] | None = None, cpu: float = 0.3) -> Windows:
    """A run in which the requests of some seconds (`late`: second -> share of them) left 250 ms late."""
    windows = Windows(name="me")
    for second in range(seconds):
        share = (late or {}).get(second, 0.0)
        for number in range(rate):
            lag = 0.25 if number < share * rate else 0.001
            windows.take(TRIGGER, second + number / rate, 0.01 + lag, 0.01)
        windows.tick(second + 1.0, scheduled=rate * (second + 1), cpu=cpu * (second + 1))
    windows.close()
    return windows


def test_a_punctual_generator_is_not_the_limit() -> None:
    judgement = course().steady_part().judgement
    assert (judgement.limited, judgement.windows, judgement.limited_windows) == (False, 20, 0)
    assert judgement.limited_by == ()
    assert open_question(judgement) is None


def test_late_windows_make_the_generator_the_limit() -> None:
    judgement = course(late=dict.fromkeys(range(3), 0.5)).steady_part().judgement
    assert judgement.limited
    assert judgement.limited_by == ("1 % of its requests left more than 100 ms after they were due (3 of 20 windows)",)
    text = open_question(judgement, workers=1)
    assert text is not None
    assert text.startswith("trigger.latency_ms.p95 may be off by 2")
    assert "lateness in 3 of 20 windows" in text
    assert "workers" not in text, "a moment's lateness is no lack of workers"


def test_a_generator_that_is_late_most_of_the_time_needs_more_workers() -> None:
    judgement = course(late=dict.fromkeys(range(12), 0.5)).steady_part().judgement
    text = str(open_question(judgement, workers=1))
    assert text.endswith("use --workers 2 (or more), or lower the rate")
    assert "--workers 6" in str(open_question(judgement, workers=3))


@pytest.mark.parametrize(
    ("workers", "cores", "advice"),
    [
        (1, 8, "use --workers 2 (or more), or lower the rate"),
        (1, 2, "use --workers 2, or lower the rate"),
        (3, 4, "use --workers 4, or lower the rate"),
        (2, 2, "use more machines (--role), because more workers than cores do not help, or lower the rate"),
    ],
)
def test_no_more_workers_are_advised_than_there_are_cores(workers: int, cores: int, advice: str) -> None:
    judgement = course(late=dict.fromkeys(range(12), 0.5)).steady_part().judgement
    assert str(open_question(judgement, workers, cores)).endswith(f"not the deployment's: {advice}")


@pytest.mark.parametrize(("share", "limited"), [(0.1, False), (0.3, False), (0.5, True), (1.0, True)])
def test_one_bad_window_in_eight_counts_by_what_it_does_to_the_figures(share: float, limited: bool) -> None:
    judgement = course(seconds=8, late={3: share}).steady_part().judgement
    assert (judgement.limited, judgement.limited_windows) == (limited, 1)
    assert bool(judgement.uncertain) is limited


def test_a_deployment_that_is_slow_in_other_windows_makes_no_figure_uncertain() -> None:
    """A stall of the deployment is in the windows around the generator's hiccup, and stays in the figures."""
    windows = Windows(name="me")
    for second in range(8):
        for number in range(100):
            service = 1.0 if second in {2, 3, 4, 5} else 0.01
            lag = 0.12 if second == 7 and number < 3 else 0.001
            windows.take(TRIGGER, second + number / 100, service + lag, service)
        windows.tick(second + 1.0, scheduled=100 * (second + 1), cpu=0.3 * (second + 1))
    windows.close()
    judgement = windows.steady_part().judgement
    assert (judgement.limited, judgement.limited_windows, judgement.uncertain) == (False, 1, ())


def test_a_busy_processor_that_changes_no_figure_limits_nothing() -> None:
    windows = Windows(name="me")
    for second in range(8):
        for number in range(100):
            windows.take(TRIGGER, second + number / 100, 0.011, 0.01)
        windows.tick(second + 1.0, scheduled=100 * (second + 1), cpu=0.2 * (second + 1) + (0.75 if second >= 3 else 0))
    windows.close()
    assert (windows.steady_part().judgement.limited, windows.steady_part().judgement.limited_windows) == (False, 1)


def test_a_few_limited_windows_are_counted_and_do_not_limit_the_run() -> None:
    judgement = course(late={7: 0.5, 11: 0.5}).steady_part().judgement
    assert (judgement.limited, judgement.limited_windows) == (False, 2)
    assert open_question(judgement) is None


@pytest.mark.parametrize(
    ("late", "limited"), [({1: 0.02}, False), ({1: 0.06}, False), ({1: 0.02, 3: 0.02}, False), ({1: 0.3}, True)]
)
def test_a_single_hiccup_in_a_short_run_is_forgiven(late: dict[int, float], limited: bool) -> None:
    assert course(seconds=5, late=late).steady_part().judgement.limited is limited


def test_a_saturated_processor_makes_the_generator_the_limit() -> None:
    judgement = course(cpu=0.95).steady_part().judgement
    assert (judgement.limited, judgement.limited_windows) == (True, 20)
    assert judgement.limited_by == ("it used more than 90% of a core (20 of 20 windows)",)


def test_the_processors_share_is_ignored_in_a_run_of_a_second() -> None:
    assert not course(seconds=1, cpu=0.99).steady_part().judgement.limited


def test_windows_outside_the_steady_part_do_not_count() -> None:
    windows = Windows((10, 20))
    for second in range(30):
        for number in range(50):
            lag = 0.0 if 10 <= second < 20 else 0.3
            windows.take(TRIGGER, second + number / 50, 0.01 + lag, 0.01)
    windows.close()
    assert windows.steady_part().judgement.windows == 10
    assert not windows.steady_part().judgement.limited


def test_dropped_arrivals_and_missing_files_count_in_the_whole_run() -> None:
    windows = Windows((0, 10), name="me")
    for second in range(10):
        for number in range(50):
            windows.take(TRIGGER, second + number / 50, 0.01, 0.01, "generator" if number == 0 else None)
        windows.tick(second + 1.0, scheduled=50 * (second + 1))
    windows.tick(11.0, scheduled=510, dropped=10)
    windows.close()
    judgement = windows.steady_part().judgement
    assert judgement.limited
    assert [text.split()[0] for text in judgement.limited_by] == ["10", "10"]
    assert "ulimit -n" in str(open_question(judgement))


def test_one_dropped_arrival_of_a_thousand_does_not_limit_the_run() -> None:
    windows = Windows(name="me")
    for second in range(20):
        windows.tick(second + 1.0, scheduled=50 * (second + 1), dropped=int(second == 19))
    windows.close()
    assert (windows.steady_part().judgement.limited, windows.steady_part().judgement.limited_windows) == (False, 1)
