"""The dial guard compared with an oracle of careless readers: no body passes from which one of them would dial."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ringback.deployment.guard import DialGuard, StrangerRefused
from tests.matrix.conftest import TURN

from .guard_bodies import BASE, CALLER, HARMLESS, LINES, Hostile, hostile, mutated
from .guard_volume import dialled_numbers, tally

T = TypeVar("T")
GUARD = DialGuard(LINES, CALLER, HARMLESS)


EXPLORE = bool(os.environ.get("RINGBACK_EXPLORE"))
"""If set, each run has different bodies, to find new holes; by default they are always the same."""


def examples(count: int) -> settings:
    return settings(
        max_examples=count, deadline=None, suppress_health_check=list(HealthCheck), database=None,
        derandomize=not EXPLORE,
    )  # fmt: skip


class Drawn:
    """Choices that Hypothesis makes, and so can shrink."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data

    def choice(self, options: Sequence[T], /) -> T:
        return options[self.randrange(len(options))]

    def randrange(self, stop: int, /) -> int:
        return self._data.draw(st.integers(0, stop - 1))


def passes(request: Hostile) -> bool:
    try:
        GUARD.check(request.url, request.headers, request.body)
    except StrangerRefused:
        return False
    return True


def judge(request: Hostile) -> str:
    """Return `refused` or `passed`. A request that passes must dial nothing but a line."""
    if not passes(request):
        return "refused"
    assert not request.certain, f"a number that is not a line passed: {request}"
    assert not dialled_numbers(request.body), f"a reader would dial another number: {request}"
    return "passed"


@examples(300)
@given(st.data())
def test_no_constructed_number_passes(data: st.DataObject) -> None:
    """Hypothesis shrinks what it finds; the tests below check many more bodies."""
    judge(hostile(Drawn(data)))


@examples(200)
@given(st.data())
def test_no_damaged_body_passes_from_which_a_reader_would_dial(data: st.DataObject) -> None:
    choose = Drawn(data)
    judge(mutated(choose, hostile(choose)))


@pytest.mark.parametrize(("seed", "damaged"), [(20, False), (21, True)])
def test_thousands_of_bodies(seed: int, damaged: bool) -> None:
    assert_enough_of_each(tally(GUARD, seed, 3_000, damaged=damaged), damaged=damaged)


@pytest.mark.slow
@pytest.mark.parametrize("damaged", [False, True], ids=["whole", "damaged"])
def test_tens_of_thousands_of_bodies(damaged: bool) -> None:
    """Other bodies in each commit; a failure names the command that repeats it."""
    seed = 22 + 2 * (TURN % 1000) + damaged
    assert_enough_of_each(tally(GUARD, seed, 30_000, damaged=damaged), damaged=damaged)


def assert_enough_of_each(counts: Counter[str], *, damaged: bool) -> None:
    """Both outcomes occurred, and the oracle found numbers in most bodies that were made to have one."""
    print(dict(counts))
    assert counts["refused"] > 0
    assert counts["passed"] > 0
    assert counts["dialled numbers seen"] > counts["read"] * (0.25 if damaged else 0.5)


_NAMES_A_NUMBER = re.compile(r"destinat|phone|telefon|msisdn|callee|display|caller|calling|uri", re.IGNORECASE)


def is_ordinary(text: str) -> bool:
    """Whether a text is like values of project variables: no long number, no name of one, no escape, no JSON."""
    digits = sum(map(str.isdigit, unicodedata.normalize("NFKC", text)))
    return (
        digits < 7
        and text.lstrip()[:1] not in {*"{[<'", '"'}
        and not {"\\", "%", "&", "+"} & set(text)
        and not _NAMES_A_NUMBER.search(text)
    )


names = st.sampled_from(["John Doe", "王小明", "Αλέξανδρος Παπαδόπουλος", "محمد", "Zoë 🎉", "Tô Lan", 'O\'Neil "Jo"'])
anything = st.text(max_size=60).filter(is_ordinary).map(lambda text: f"{text} .")
variables = st.builds(
    lambda name, value: {"Name": f"var {name}", "Value": value}, st.text("abcxyz_é", max_size=8), anything
)
ids = st.text("0123456789abcdefABCDEF-_:/.+=@%&'\"\\{}[] é王🎉٣", min_size=1, max_size=24) | st.integers(0, 10**20).map(
    str
)
lines = st.sampled_from(LINES)
mistyped_lines: st.SearchStrategy[Any] = st.one_of(
    lines,
    lines.map(lambda line: [line]),
    lines.map(lambda line: {"a": [line, None]}),
    st.sampled_from([int(line) for line in LINES if line.isdigit() and line[0] != "0"]),
    st.sampled_from([None, "", True, False, [], {}]),
)


@st.composite
def legitimate(draw: st.DrawFn) -> dict[str, Any]:
    """A trigger as the suite sends it: complete, incomplete, or with wrong types."""
    entries: list[Any] = [
        {"Name": "_DisplayNumber", "Value": CALLER},
        {"Name": "_Destination", "Value": draw(mistyped_lines)},
        *draw(st.lists(variables, max_size=3)),
    ]
    body = {
        "Project": HARMLESS[0],
        "ConversationId": draw(st.sampled_from(["rb-qwertyuiop", "conversation 12", "é"])),
        "AccessToken": HARMLESS[1],
        "ScenarioPath": HARMLESS[2],
        "OrchestratorUrl": HARMLESS[3],
        "Tenant": draw(st.sampled_from(["Default", "", None, True, [], {}, 7])),
        "EndUser": {"Name": draw(names), "Phone": draw(mistyped_lines), "Email": "johndoe@example.com"},
        "Locale": "tr-TR",
        "ScenarioInputParameters": draw(st.permutations(entries)),
        "ResultDestination": draw(st.sampled_from([HARMLESS[4] + "/results/abc", None, "", "http://[::1]:99/x"])),
        "SendResultImmediately": draw(st.sampled_from([True, False, None, "true", 1])),
    }
    for left_out in draw(st.sets(st.sampled_from(sorted(body)), max_size=3)):
        del body[left_out]
    return body


def send(body: bytes, path: str = "/v2/call") -> None:
    headers = [("Host", "ivr.example.com:22222"), ("Content-Type", "application/json"), ("Project", HARMLESS[0])]
    GUARD.check(BASE + path, [*headers, ("Content-Length", str(len(body)))], body)


@examples(400)
@given(legitimate(), st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_legitimate_triggers_pass(body: dict[str, Any], ascii_only: bool, indent: Any) -> None:
    send(json.dumps(body, ensure_ascii=ascii_only, indent=indent).encode())


@examples(200)
@given(st.lists(ids, max_size=30), st.booleans())
def test_polls_pass_with_any_ids(asked: list[str], ascii_only: bool) -> None:
    send(json.dumps({"UniqueIds": asked}, ensure_ascii=ascii_only).encode("utf-8", "replace"), "/v2/callresult")


@examples(200)
@given(
    lines,
    names.filter(str.isprintable).filter(lambda name: "'" not in name),
    st.sampled_from(["whole", "bom", "no end", "no comma", "twice", "broken", "garbage", "nul"]),
)
def test_malformed_triggers_of_lines_pass(line: str, name: str, damage: str) -> None:
    entries = [{"Name": "_DisplayNumber", "Value": line}, {"Name": "_Destination", "Value": line}]
    text = json.dumps(
        {
            "Project": HARMLESS[0], "AccessToken": HARMLESS[1], "ScenarioPath": HARMLESS[2],
            "OrchestratorUrl": "https://orchestrator.invalid", "ConversationId": "rb-qwertyuiop",
            "EndUser": {"Name": name, "Phone": line},
            "ScenarioInputParameters": entries,
        },
        ensure_ascii=False,
    )  # fmt: skip
    body = text.encode()
    damages = {
        "whole": body,
        "bom": b"\xef\xbb\xbf" + body,
        "no end": body[: body.rindex(b"]")],
        "no comma": body.replace(b', "ScenarioInput', b' "ScenarioInput'),
        "twice": body.replace(b'{"Project"', b'{"Project": "x", "Project"'),
        "broken": body.replace(b"rb-", b"rb-\xff"),
        "garbage": body + b"]",
        "nul": body.replace(b"rb-", b"rb-\0"),
    }
    send(damages[damage])
