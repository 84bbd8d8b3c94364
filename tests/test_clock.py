"""The one clock: what begins has a date, and a duration that no jump of the wall clock changes."""

from __future__ import annotations

from datetime import datetime, timedelta

from ringback import clock
from tests.virtual_time import VirtualClock


class Jumping(VirtualClock):
    jump = timedelta()

    def wall(self) -> datetime:
        return super().wall() + self.jump


def test_a_jump_of_the_wall_clock_changes_no_duration() -> None:
    with clock.installed(here := Jumping()):
        start = clock.start()
        here.advance(90)
        here.jump = timedelta(hours=-3)
        assert start.seconds() == 90
        assert clock.wall() < start.date
