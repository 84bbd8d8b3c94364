"""What the master and the workers of a load run send each other: messages of the type `ringback` in Locust's protocol.

From the master (`do`): `ping` (with `sent`); `begin` (a run begins: its number `run`, `plan`, `member`, `budget`,
`fingerprint`); `order` (with its `number`; see `WorkerRun.carry_out`); `fates` (what became of these `digests`?);
`leave` (the run is over, or did not begin: `why`).

From a worker (`what`): `pong` (with `sent` and its `clock`); `parts` (all that it knows, of the run `run`, and the
number of the order that it carried out last); `fates`.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from hashlib import blake2b
from types import SimpleNamespace

from ringback import clock
from ringback.config import Config
from ringback.loadgen.variables import digest_of

__all__ = ["MESSAGE", "REPORT_EVERY", "ClockOffset", "fingerprint", "ignore_wall_clock", "shares"]

MESSAGE = "ringback"
"""The type of our messages in Locust's protocol."""
REPORT_EVERY = 0.5
"""Seconds between two messages in which a worker sends its parts."""


def fingerprint(config: Config) -> str:
    """A hash of what master and workers must agree on: the deployment, the lines and the variables."""
    deployment = config.deployment
    facts = [
        deployment.base_url, deployment.project, deployment.tenant, deployment.scenario_path,
        deployment.display_number, *config.lines.configured.items(),
    ]  # fmt: skip
    if config.load.variables_file is not None:
        facts += [digest_of(config.load.variables_file), config.load.variables_order]
    return blake2b(json.dumps(facts).encode(), digest_size=12).hexdigest()


def shares(budget: int | None, members: int) -> list[int | None]:
    """A budget of calls divided among workers, exactly; None stands for no limit."""
    if budget is None:
        return [None] * members
    return [budget // members + (number < budget % members) for number in range(members)]


@dataclass(slots=True)
class ClockOffset:
    """How far another process's clock is ahead of ours (Cristian, 1989); right within `error` seconds.

    Of all messages there and back, the quickest counts.
    """

    offset: float = 0.0
    """Seconds by which the other clock is ahead of ours."""
    error: float = math.inf
    answers: int = 0

    def take(self, sent: float, theirs: float, received: float) -> None:
        """Take a ping sent at `sent`, read at `theirs` by the other clock, whose answer came at `received`."""
        self.answers += 1
        error = (received - sent) / 2
        if error < self.error:
            self.error = error
            self.offset = theirs - (sent + received) / 2


def ignore_wall_clock() -> None:
    """Have Locust's runners date heartbeats and orders by the clock that only runs forward.

    By the wall clock, a worker quits when its machine's clock is set forward, because its master seems to be gone, and
    it discards orders to spawn users when its master's clock is set back.
    """
    import locust.runners  # it patches the standard library: all else here does without

    vars(locust.runners)["time"] = SimpleNamespace(time=clock.monotonic)
