"""What Locust runs: `locust -f load/locustfile.py --headless -u 10 -t 30s`, or without `--headless` for its web page.

The deployment is the one that `ringback.toml` and the environment name, or the embedded sandbox if they name none. Each
user stands for one arrival a second, so Locust's users, spawn rate and shapes set the rate, and its tags choose among
tasks. A shape is a `LoadTestShape` in a file of yours: `-f load/locustfile.py,shape.py`.

The scenarios are `LifecycleUser` (it runs unless another is named), `TriggerUser`, `PollUser`, `DeliveryUser` and
`MixedUser`: `locust -f load/locustfile.py TriggerUser` runs one, two names run both. Users of further files run
beside the first. On the web page the tab *Calls* tells what became of the calls; `--class-picker` offers all scenarios.

With `--processes`, or `--master` and `--worker`, each worker keeps its own ledger and logs its own counts; the master
makes one account of them, duplicate ids across workers included, shares out the budget (never a call over), and its
exit code is the one that counts. A worker that comes after a test has begun places no calls in it. Where no deployment
is named, each process loads an embedded sandbox of its own. What `ringback load` does beyond that (schedules that
workers share arrival by arrival, a live dashboard, reports in a run directory) does not happen here.

A mistake in the configuration ends Locust with exit code 2; broken limits end it with 1, and a run that decides nothing
with 3.
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
