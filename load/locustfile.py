"""What Locust runs: `locust -f load/locustfile.py --headless -u 10 -t 30s`, or without `--headless` for its web page.

The deployment is the one that `ringback.toml` and the environment name, or the embedded sandbox if they name none. Each
user stands for one arrival a second, so Locust's users, spawn rate and shapes set the rate, and its tags choose among
tasks. A shape is a `LoadTestShape` in a file of yours: `-f load/locustfile.py,shape.py`.

The scenarios are `LifecycleUser` (the default), `TriggerUser`, `PollUser`, `DeliveryUser` and `MixedUser`. `locust -f
load/locustfile.py TriggerUser` runs one; two names run both. Users in further files run in addition to the default. On
the web page, the tab *Calls* shows what became of the calls; `--class-picker` offers all scenarios.

With `--processes`, or `--master` and `--worker`, each worker has its own ledger and logs its own counts. The master
makes one account of them, finds duplicate ids across workers, and divides the budget, which is never exceeded; its exit
code is the result. A worker that connects after a test has begun places no calls in it. If no deployment is named, each
process loads its own embedded sandbox. Only `ringback load` has exact schedules shared by workers, a live view, and
reports in a run directory.

Exit codes: 1 for failed limits, 2 for a mistake in the configuration, 3 for an inconclusive run.
"""

from __future__ import annotations

from locust import events

from delivery import DeliveryUser
from lifecycle import LifecycleUser
from mixed import MixedUser
from poll import PollUser
from ringback.loadgen.plain_locust import attach
from trigger import TriggerUser

__all__ = ["DeliveryUser", "LifecycleUser", "MixedUser", "PollUser", "TriggerUser"]

attach(events, unless_named=(DeliveryUser, MixedUser, PollUser, TriggerUser))
