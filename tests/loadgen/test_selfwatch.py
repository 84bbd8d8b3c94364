"""The generator's watch over itself."""

from __future__ import annotations

import time

import pytest

from ringback.loadgen.selfwatch import SelfWatch


def busy(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_a_generator_that_keeps_time_is_no_limit() -> None:
    watch = SelfWatch()
    for _ in range(1000):
        watch.note_lag(0.002)
    assert watch.limits() == ()
    assert watch.section(("p99",))["limited"] is False


def test_late_requests_make_the_generator_the_limit() -> None:
    watch = SelfWatch()
    for number in range(1000):
        watch.note_lag(0.25 if number % 50 == 0 else 0.001)
    (told,) = watch.limits()
    assert "left 250 ms or more after they were due" in told
    assert watch.section(("p99",))["limited"] is True


def test_a_single_hiccup_in_a_short_run_is_forgiven() -> None:
    watch = SelfWatch()
    for number in range(50):
        watch.note_lag(0.25 if number == 7 else 0.001)
    assert watch.limits() == ()


def test_the_processor_share_is_measured_while_sending() -> None:
    watch = SelfWatch()
    watch.start()
    busy(0.1)
    time.sleep(0.1)
    watch.stop()
    assert 0.05 < watch.section(())["cpu"] < 0.95


def test_a_saturated_processor_makes_the_generator_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    now = {"wall": 0.0, "cpu": 0.0}
    monkeypatch.setattr(time, "perf_counter", lambda: now["wall"])
    monkeypatch.setattr(time, "process_time", lambda: now["cpu"])
    watch = SelfWatch()
    watch.start()
    now.update(wall=10.0, cpu=9.5)
    watch.stop()
    assert watch.limits() == ("it used 95% of a core",)


def test_want_of_files_or_ports_and_dropped_arrivals_make_the_generator_the_limit() -> None:
    watch = SelfWatch()
    watch.own_faults, watch.dropped = 2, 5
    assert [told.split()[0] for told in watch.limits()] == ["5", "2"]
