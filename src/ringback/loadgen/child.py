"""The process in which a load run happens: Locust's environment and local runner, without its command line.

It is told its plan as an argument and its configuration by the environment. It tells its progress as lines of JSON on
standard output, writes the load section to a file, and dies with its parent.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gevent
from gevent import monkey
from locust.env import Environment
from locust.util.load_locustfile import load_locustfile

from ringback.config import load_config
from ringback.loadgen.engine import LoadRun
from ringback.loadgen.guarding import guard_for
from ringback.loadgen.plan import LoadPlan
from ringback.loadgen.run import check_budget
from ringback.loadgen.users import LoadUser
from ringback.resources import load_path

__all__ = ["main"]

_TELL_EVERY = 0.5


def main(arguments: list[str]) -> int:
    """Run the plan `arguments[0]`, writing to the file `arguments[1]`; `arguments[2]` says whether it is embedded."""
    _die_with_parent()
    logging.basicConfig(level=logging.ERROR)
    plan, target, embedded = LoadPlan.from_text(arguments[0]), Path(arguments[1]), arguments[2] == "embedded"
    config = load_config(environ=os.environ)
    user = _scenario(plan)
    environment = Environment(user_classes=[user], host=config.deployment.base_url)
    run = LoadRun(
        config, guard_for(config), environment, scenario=plan.scenario, seed=plan.seed,
        budget=check_budget(config, embedded=embedded),
    )  # fmt: skip
    for number in (signal.SIGINT, signal.SIGTERM):
        gevent.signal_handler(number, run.stop, "interrupted")
    teller = gevent.spawn(_tell, run, plan)
    _load(run, environment, plan)
    interrupted = "interrupted" in run.open_questions()
    if interrupted:
        run.abandon()
    else:
        run.drain()
    teller.kill()
    _write(target, run.section())
    _say({"event": "end", "interrupted": interrupted, "open_questions": run.open_questions()})
    return 0


def _scenario(plan: LoadPlan) -> type[LoadUser]:
    """The user class of the plan's scenario, set to the plan's rate and duration."""
    users, _shapes = load_locustfile(str(load_path() / f"{plan.scenario}.py"))
    (user,) = users.values()
    assert issubclass(user, LoadUser)  # noqa: S101 - the scenarios are ours
    user.rate = plan.rate
    user.duration = plan.duration
    return user


def _load(run: LoadRun, environment: Environment, plan: LoadPlan) -> None:
    """Have Locust run the users until all arrivals have been sent, or the run is stopped."""
    runner = environment.create_local_runner()
    users = 1 if plan.rate is not None else plan.connections
    run.start()
    runner.start(users, spawn_rate=users)
    if runner.spawning_greenlet is not None:
        runner.spawning_greenlet.join()
    over = gevent.spawn(runner.user_greenlets.join)
    gevent.wait([over, run.stopped], count=1)
    run.stopped.set()
    over.kill()
    runner.quit()


def _tell(run: LoadRun, plan: LoadPlan) -> None:
    while True:
        gevent.sleep(_TELL_EVERY)
        phase = "draining" if run.stopped.is_set() else "sending"
        figures = {"phase": phase, "duration": plan.duration, **run.progress()}
        _say({"event": "progress", "figures": figures, "section": run.section()})


def _say(line: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _write(target: Path, section: Mapping[str, Any]) -> None:
    unfinished = target.with_suffix(".part")
    unfinished.write_text(json.dumps(section, indent=2) + "\n", encoding="utf-8")
    unfinished.replace(target)


def _die_with_parent() -> None:
    """Standard input is a pipe that only the parent holds: when it ends, so do we, even from within a dead loop."""
    start_thread = monkey.get_original("_thread", "start_new_thread")
    read, leave = os.read, os._exit

    def watch() -> None:
        while read(0, 4096):
            pass
        leave(1)

    start_thread(watch, ())
