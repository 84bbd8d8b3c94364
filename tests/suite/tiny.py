"""A tiny deployment whose answers a test decides, and a session that runs against it."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ringback import clock
from ringback.config import LINE_STATES, Config
from ringback.config.loading import gather
from ringback.suite.loop import LoopThread
from ringback.suite.plan import Plan
from ringback.suite.probes import Probe
from ringback.suite.session import Session
from tests.deployment.hostile import Request, Server, http
from tests.virtual_time import VirtualClock, VirtualLoop, virtual_clock

LINES = {name: f"555000000{digit}" for digit, name in enumerate(LINE_STATES, start=1)}
STATE_OF = {number: LINE_STATES[name] for name, number in LINES.items()}
TOKEN = "rb-suite-token-SECRET"
PORT = 22222
"""The tiny deployment's port in the network of a virtual loop."""
LETTERS = "abcdefghijklmnopqrstuvwxyz"

T = TypeVar("T")
Decision = Callable[["Asked"], int]
PollAnswer = Callable[[list[str], "Tiny"], Any]


@dataclass(frozen=True)
class Asked:
    """A trigger as it arrived."""

    nth: int
    header: str | None
    """The header Project; None if it was not sent."""
    raw: bytes
    body: Any

    @property
    def inputs(self) -> dict[str, str]:
        entries = self.body.get("ScenarioInputParameters", []) if isinstance(self.body, dict) else []
        return {e["Name"]: e["Value"] for e in entries}


@dataclass
class Placed:
    at: float
    state: str


@dataclass
class Tiny:
    """Accepts what `decide` answers 200. A call is final `ring` seconds later; `report` may change polls' answers."""

    decide: Decision = lambda _asked: 200
    report: PollAnswer | None = None
    ring: float = 0.1
    id_of: Callable[[int], Any] = lambda n: f"call-{LETTERS[n // 26 % 26]}{LETTERS[n % 26]}-of-the-tiny"
    triggers: list[Asked] = field(default_factory=list)
    polls: list[list[str]] = field(default_factory=list)
    calls: dict[str, Placed] = field(default_factory=dict)
    _count: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def trigger(self, header: str | None, raw: bytes) -> tuple[int, object]:
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        asked = Asked(len(self.triggers) + 1, header, raw, body)
        self.triggers.append(asked)
        status = self.decide(asked)
        if status != 200:
            return status, {"error": "refused"}
        unique_id = self.id_of(next(self._count))
        if unique_id is None:
            return 200, {}
        self.calls[unique_id] = Placed(clock.monotonic(), STATE_OF.get(asked.inputs.get("_Destination", ""), "Error"))
        return 200, {"UniqueId": unique_id}

    def state(self, unique_id: str) -> str | None:
        """The state of a call now; None while it rings."""
        call = self.calls.get(unique_id)
        return call.state if call is not None and clock.monotonic() - call.at >= self.ring else None

    def poll(self, raw: bytes) -> tuple[int, object]:
        try:
            ids = json.loads(raw)["UniqueIds"]
            self.polls.append(ids)
        except (ValueError, KeyError, TypeError):
            return 400, {}
        if self.report is not None:
            reported = self.report(ids, self)
            return reported if isinstance(reported, tuple) else (200, reported)
        return 200, results({i: state for i in ids if (state := self.state(i)) is not None})

    async def answer(self, request: Request) -> bytes:
        """Answer an HTTP request."""
        if request.method != "POST":
            return http(501, {})
        if request.path == "/v2/call":
            status, reported = self.trigger(request.headers.get("project"), request.body)
        else:
            status, reported = self.poll(request.body)
        return http(status, reported)


def results(states: dict[str, str]) -> dict[str, Any]:
    """A poll's answer as documented."""
    return {"CallResults": [{"UniqueId": i, "CallRequestId": "", "CallState": s} for i, s in states.items()]}


class VirtualLoopThread(LoopThread):
    """A loop in virtual time: time passes while a test waits for `run`."""

    loop: VirtualLoop

    def __init__(self, virtual: VirtualClock) -> None:
        super().__init__(VirtualLoop(virtual, attended=False))

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return super().run(self.loop.attend(coroutine))


class VirtualSession(Session):
    """A session in virtual time, with a tiny deployment in its loop."""

    _loop: VirtualLoopThread

    def __init__(self, tiny: Tiny, config: Config, virtual: VirtualClock) -> None:
        super().__init__(config, 1, None, VirtualLoopThread(virtual))
        self._server = Server(tiny.answer)

    async def _start(self) -> None:
        await self._server.start(PORT)
        await super()._start()

    async def _stop(self) -> None:
        await self._loop.loop.attend(super()._stop())
        await self._server.stop()


def settings(port: int, **sections: dict[str, Any]) -> Config:
    """A configuration for a tiny deployment on that port."""
    tree: dict[str, dict[str, Any]] = {
        "deployment": {
            "base_url": f"http://127.0.0.1:{port}",
            "project": "Collections",
            "scenario_path": "/ivr/collections",
            "orchestrator_url": "https://orchestrator.example.com",
            "display_number": "200",
        },
        "lines": dict(LINES),
        "budget": {"calls": 60, "triggers_per_second": 1000},
        "timing": {"request": "2s", "settle": "2s", "poll_interval": "30ms"},
    }
    for name, table in sections.items():
        tree[name] = {**tree.get(name, {}), **table}
    return gather(None, {"RINGBACK_CONFIG": ""}).build(tree, TOKEN)


@contextlib.contextmanager
def running(
    tiny: Tiny,
    probes: Sequence[Probe] = (),
    *,
    burst: bool = False,
    identical: int = 0,
    pool: int = 0,
    plan: Plan | None = None,
    **sections: dict[str, Any],
) -> Iterator[Session]:
    """A session against a tiny deployment, with its campaign sent: these probes, or a plan."""
    with virtual_clock() as virtual:
        session = VirtualSession(tiny, settings(PORT, **sections), virtual)
        session.open()
        try:
            families = {probe: probe.title.split()[0] for probe in probes}
            session.begin(plan or Plan(tuple(probes), burst, identical, pool, 0, (), families))
            session.record.placed()
            yield session
        finally:
            session.close()
