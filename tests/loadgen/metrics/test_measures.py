"""What counts as a request, what as an error, and what is timed."""

from __future__ import annotations

import json

import pytest

from ringback.loadgen.metrics.measures import OWN_FAULTS, Measures


def measures_of(*kinds: str | None) -> Measures:
    measures = Measures()
    for kind in kinds:
        measures.take(kind, 0.2, 0.1)
    return measures


@pytest.mark.parametrize("kind", sorted(OWN_FAULTS))
def test_our_own_faults_are_neither_requests_nor_errors(kind: str) -> None:
    measures = measures_of(kind, None)
    assert (measures.count, measures.failed, measures.latency.count) == (1, 0, 1)
    assert measures.own_faults == {kind: 1}
    assert measures.taken == 2


def test_a_429_is_neither_an_error_nor_timed() -> None:
    measures = measures_of("rate_limited", None)
    assert (measures.count, measures.rate_limited, measures.failed, measures.latency.count) == (2, 1, 0, 1)


@pytest.mark.parametrize("kind", ["timeout", "malformed", "protocol", "too_large", "content_type", "http_500"])
def test_errors_with_an_answer_or_a_timeout_are_timed(kind: str) -> None:
    assert measures_of(kind).failed_service.count == measures_of(kind).failed == 1


def test_quick_refusals_do_not_count_among_the_times_of_successes() -> None:
    measures = Measures()
    for _ in range(99):
        measures.take("http_503", 0.003, 0.003)
    measures.take(None, 0.2, 0.2)
    section = measures.section(("p50",))
    assert section["latency_ms"]["p50"] == 200
    assert section["failed"]["latency_ms"]["p50"] == pytest.approx(3, rel=0.01)


@pytest.mark.parametrize("kind", ["connect", "tls", "connection_lost"])
def test_errors_without_an_answer_are_not_timed(kind: str) -> None:
    assert (measures_of(kind).failed_service.count, measures_of(kind).failed) == (0, 1)


def test_measures_are_merged_and_sent() -> None:
    mine, theirs = measures_of(None, "timeout", "stale"), measures_of("timeout", "rate_limited", None)
    mine.merge(Measures.from_plain(json.loads(json.dumps(theirs.to_plain()))))
    whole = measures_of(None, "timeout", "stale", "timeout", "rate_limited", None)
    assert (mine.count, mine.errors, mine.rate_limited) == (whole.count, whole.errors, whole.rate_limited)
    assert mine.latency.counts == whole.latency.counts
    assert mine.section(("p50",)) == whole.section(("p50",))
    mine.subtract(theirs)
    first = measures_of(None, "timeout", "stale")
    assert (mine.count, mine.errors, mine.own_faults) == (first.count, first.errors, first.own_faults)
    assert mine.latency.counts == first.latency.counts
