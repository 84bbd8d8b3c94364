"""Records `examples.json`: for each clause an exchange of a run that passes it, and one that fails it.

`python -m docs.generate.examples [ID...]` checks the embedded sandbox without faults, and for each clause with a fault.
It takes some minutes, so the recordings are kept in the repository. `clauses` makes pages of them.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from ringback.contract.clauses import CLAUSES
from ringback.rundir.exchanges import SavedExchange, read_exchanges
from ringback.sandbox import FAULTS

__all__ = ["SERVED", "Example", "fault_of", "recorded"]

_FILE = Path(__file__).with_name("examples.json")
_PREFERRED = {
    "TRN-02": "wrong-host-certificate",
    "TRN-05": "trailing-comment",
    "TRN-06": "call-state-twice",
    "REQ-01": "full-trigger-refused",
    "REQ-16": "refused-with-200",
    "RES-01": "poll-answers-202",
    "STA-01": "upper-case-states",
    "STA-04": "state-flaps",
    "DST-03": "outcome-sent-too-soon",
    "ROB-01": "nul-500",
}
"""Faults whose examples show more than those of the clause's first fault."""
SERVED = frozenset(
    clause for clause in CLAUSES if clause.startswith(("ACK", "STA", "DST")) or "REQ-01" <= clause <= "REQ-09"
)
"""Clauses of valid requests: where they hold, the answer is 200."""
_TIMING = {"SETTLE": "8s", "REQUEST": "4s", "DELIVERY": "4s", "QUEUED_DELIVERY": "6s"}
_HEADERS = frozenset({"content-type", "project", "location", "retry-after", "allow"})
_LONGEST = 1000


@dataclass(frozen=True, slots=True)
class Example:
    """What a clause looks like: texts of a run with a fault, and an exchange of each run; empty if there is none."""

    fault: str
    expected: str
    observed: str
    broken_request: str
    broken_answer: str
    sound_request: str
    sound_answer: str


def fault_of(clause: str) -> str:
    """The fault that the clause's example has."""
    return _PREFERRED.get(clause) or next(name for name, fault in FAULTS.items() if fault.clauses[0] == clause)


def recorded() -> dict[str, Example]:
    """The recordings, by clause."""
    return {clause: Example(**texts) for clause, texts in json.loads(_FILE.read_text(encoding="utf-8")).items()}


def _record(clause: str, sound: list[SavedExchange]) -> Example | str:
    """The example, or why there is none."""
    fault = fault_of(clause)
    with tempfile.TemporaryDirectory() as folder:
        broken = Path(folder, "broken")
        _check(broken, "--clause", clause, fault=fault)
        verdict = json.loads((broken / "verdict.json").read_text(encoding="utf-8"))
        (found,) = [each for each in verdict["clauses"] if each["id"] == clause]
        if found["verdict"] not in {"fail", "warn"}:
            return f"{found['verdict']} with {fault}: {found['summary']}"
        evidence = found["evidence"][0]
        shown = next((each for each in read_exchanges(broken) if each.id == evidence["exchange"]), None)
        served = [each for each in sound if each.status == 200] if clause in SERVED else sound
        alike = None if shown is None else _most_alike(shown, served)
        return Example(fault, evidence["expected"], _public(evidence["observed"]), *_texts(shown), *_texts(alike))


def _check(out: Path, *arguments: str, fault: str = "") -> None:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("RINGBACK_")}
    variables |= {f"RINGBACK_TIMING__{name}": value for name, value in _TIMING.items()}
    variables["RINGBACK_SANDBOX__RING_TIME"] = "2s"  # polls see each call in progress
    if fault:
        variables["RINGBACK_SANDBOX__FAULTS"] = fault
    command = [sys.executable, "-m", "ringback", "check", *arguments, "--seed", "1", "--out", str(out), "-q"]
    subprocess.run(command, env=variables, check=False, cwd=out.parent, stdout=subprocess.DEVNULL)


def _most_alike(shown: SavedExchange, others: Iterable[SavedExchange]) -> SavedExchange | None:
    """The exchange of the sound run that is most like the one that shows the deviation."""

    def likeness(other: SavedExchange) -> tuple[bool, bool, float]:
        same_body = difflib.SequenceMatcher(None, shown.request_body[:1000], other.request_body[:1000]).ratio()
        return other.purpose == shown.purpose, shown.failure is not None or other.status is not None, same_body

    path = _path(shown.url)
    same = [each for each in others if each.method == shown.method and _path(each.url) == path]
    return max(same, key=likeness, default=None)


def _texts(exchange: SavedExchange | None) -> tuple[str, str]:
    """The request and the answer."""
    if exchange is None:
        return "", ""
    first = f"{exchange.method} {_path(exchange.url)}"
    answer = f"HTTP {exchange.status}" if exchange.status is not None else exchange.failure or "no answer"
    return (
        _message(first, exchange.request_headers, exchange.request_body),
        _message(answer, exchange.response_headers, exchange.response_body),
    )


def _message(first: str, headers: Iterable[tuple[str, str]], body: str) -> str:
    kept = [f"{name}: {_public(value)}".rstrip() for name, value in headers if name.lower() in _HEADERS]
    text = _public("".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in body).strip())
    cut = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return "\n".join([first, *kept, *(["", cut] if cut else [])])


def _path(url: str) -> str:
    return re.sub(r"^https?://[^/]*", "", url)


def _public(text: str) -> str:
    """The text with the documents' addresses in place of this machine's."""
    text = re.sub(r"http://127\.0\.0\.1:\d+/[a-z]{24}", "http://tester.example.com:8099/…", text)
    return re.sub(r"127\.0\.0\.1(:\d+)?", lambda m: "ivr.example.com" + (":22222" if m[1] else ""), text)


def _main(only: list[str]) -> None:
    examples = {clause: asdict(example) for clause, example in recorded().items()} if _FILE.is_file() else {}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(3) as pool:
        _check(Path(folder, "sound"))
        sound = list(read_exchanges(Path(folder, "sound")))
        for clause, example in zip(only, pool.map(lambda clause: _record(clause, sound), only), strict=True):
            print(clause, example if isinstance(example, str) else example.fault, flush=True)
            if isinstance(example, Example):
                examples[clause] = asdict(example)
                ordered = {known: examples[known] for known in CLAUSES if known in examples}
                _FILE.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    _main(sys.argv[1:] or list(CLAUSES))
