"""`ringback replay RUN CLAUSE` where several requests show the deviation: trigger, wait, poll."""

from __future__ import annotations

import json
import re
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.serving import serving

from .commands import CONFIG, Ended, ringback, started

TOKEN = "rb-replayed-token-SECRET-0123456"
"""As long as an embedded sandbox's; requests of another length are not restored."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a sandbox that ends calls to busy lines as No Answer."""
    folder = tmp_path_factory.mktemp("faulty")
    end = ringback(
        "check", "--clause", "STA-03", "--out", "run", "-q", folder=folder,
        RINGBACK_SANDBOX__FAULTS="busy-is-no-answer", RINGBACK_SANDBOX__RING_TIME="50ms",
    )  # fmt: skip
    assert end.code == 1, end.out + end.err
    return folder / "run"


def script_of(run: Path) -> dict[str, Any]:
    (clause,) = json.loads((run / "verdict.json").read_text())["clauses"]
    script: dict[str, Any] = clause["script"]
    return script


def test_every_report_has_the_script(run: Path) -> None:
    script = script_of(run)
    assert len(script["exchanges"]) == 2
    text = "\n".join(script["commands"])
    assert "${RINGBACK_ACCESS_TOKEN}" in text
    assert "${RINGBACK_LINES__BUSY}" in text
    assert "sleep" in text
    assert not re.search(r"555000\d", text)
    shown = script["commands"][-3]
    assert "id1" in shown
    assert "Repeat these requests" in (run / "report.html").read_text()
    for name in ("summary.md", "junit.xml", "results.sarif"):
        assert "id1" in (run / name).read_text(), name
    end = ringback("report", str(run), folder=run.parent)
    assert end.code in {0, 1}, end.err
    assert "Repeat these requests" in (run / "report.html").read_text(), "a report that is made again has it too"


def test_the_deviation_is_still_there_until_it_is_fixed(run: Path, tmp_path: Path) -> None:
    end = ringback("replay", str(run), "STA-03", "--out", "now", folder=tmp_path)
    assert (end.code, end.err) == (1, ""), end.out
    assert "still there" in end.out
    shown = json.loads((tmp_path / "now/replay.json").read_text())
    assert [step["exchange"] for step in shown["steps"]] == script_of(run)["exchanges"]
    assert (shown["calls"], shown["exit_code"], shown["exchange"]) == (1, 1, shown["steps"][-1]["exchange"])
    assert "No Answer" in shown["now"]

    fixed = copied(run, tmp_path / "fixed", verdict=lambda text: text.replace('"busy-is-no-answer"', ""))
    end = ringback("replay", str(fixed), "sta-03", "--out", "then", "-q", folder=tmp_path)
    assert (end.code, end.err) == (0, ""), end.out
    assert "as expected now" in end.out


class _Deployment(BaseHTTPRequestHandler):
    """Accepts every trigger, reports nothing, and keeps what it was sent."""

    seen: ClassVar[list[dict[str, Any]]] = []
    triggered: ClassVar[threading.Event] = threading.Event()
    refuses: ClassVar[bool] = False

    def do_POST(self) -> None:
        self.seen.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        is_trigger = self.path == "/v2/call"
        answer = b'{"UniqueId": "new-call"}' if is_trigger else b'{"CallResults": []}'
        self.send_response(400 if self.refuses else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2" if self.refuses else str(len(answer)))
        self.end_headers()
        self.wfile.write(b"{}" if self.refuses else answer)
        if is_trigger:
            self.triggered.set()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose configuration names a deployment that reports nothing."""
    _Deployment.seen.clear()
    _Deployment.triggered.clear()
    monkeypatch.setattr(_Deployment, "refuses", False)
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), _Deployment)) as port:
        (tmp_path / "ringback.toml").write_text(CONFIG.format(port=port))
        yield tmp_path


def copied(
    run: Path, to: Path, verdict: Callable[[str], str] = str, exchanges: Callable[[list[Any]], list[Any]] = list
) -> Path:
    """A copy of the run with changes."""
    shutil.copytree(run, to)
    (to / "verdict.json").write_text(verdict((to / "verdict.json").read_text()))
    lines = [json.loads(line) for line in (to / "exchanges.ndjson").read_text().splitlines()]
    (to / "exchanges.ndjson").write_text("".join(f"{json.dumps(line)}\n" for line in exchanges(lines)))
    return to


def replayed(folder: Path, run: Path, *arguments: str, settle: str = "3s", calls: str = "60") -> Ended:
    base_url = re.search(r'base_url = "(.*)"', (folder / "ringback.toml").read_text())
    assert base_url is not None
    return ringback(
        "replay", str(run), "STA-03", "--base-url", base_url[1], "--config", "ringback.toml", "--out", "now",
        *arguments, folder=folder, RINGBACK_ACCESS_TOKEN=TOKEN,
        RINGBACK_TIMING__SETTLE=settle, RINGBACK_BUDGET__CALLS=calls,
    )  # fmt: skip


def test_nothing_is_dialled_without_a_yes(run: Path, folder: Path) -> None:
    end = replayed(folder, run)
    assert end.code == 2
    assert "add --yes" in end.complaint()
    assert not _Deployment.seen


def test_it_polls_for_the_new_call_until_its_settle_time_is_over(run: Path, folder: Path) -> None:
    end = replayed(folder, run, "--yes", "-q", settle="4s")
    assert (end.code, end.err) == (3, ""), end.out
    assert "a call was still in progress" in end.out
    assert "1 call placed" in end.out
    trigger, *polls = _Deployment.seen
    assert trigger["AccessToken"] == TOKEN
    assert len(polls) > 1
    assert all(poll == {"UniqueIds": ["new-call"]} for poll in polls)


def test_a_refused_trigger_is_followed_by_no_poll(run: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Deployment, "refuses", True)
    end = replayed(folder, run, "--yes", "-q")
    assert (end.code, end.err) == (3, ""), end.out
    assert "no UniqueId" in end.out
    assert "no call placed" in end.out
    assert len(_Deployment.seen) == 1


_BUSY = "$RINGBACK_LINES__BUSY"
_DIALS_BUSY = f'_Destination", "Value": "{_BUSY}"'


def _with_number(number: str, spelt: Callable[[str], str] = str) -> Callable[[list[Any]], list[Any]]:
    """Another number in place of the line, and the length that fits."""

    def edit(lines: list[Any]) -> list[Any]:
        for line in lines:
            request = line["request"]
            if _DIALS_BUSY in request["body"]:
                request["body"] = request["body"].replace(_DIALS_BUSY, _DIALS_BUSY.replace(_BUSY, spelt(number)))
                request["bytes"] += len(spelt(number)) - len("5550000002")
        return lines

    return edit


def _in_url(lines: list[Any]) -> list[Any]:
    for line in lines:
        line["request"]["url"] += "?Destination=5559998888"
    return lines


def _in_a_header(lines: list[Any]) -> list[Any]:
    for line in lines:
        line["request"]["headers"].append(["X-Destination", "5559998888"])
    return lines


def _in_the_poll(lines: list[Any]) -> list[Any]:
    for line in lines:
        if line["request"]["url"].endswith("result"):
            line["request"]["body"] = line["request"]["body"].replace("]", ', {"Destination": "5559998888"}]')
            line["request"]["bytes"] = len(line["request"]["body"])
    return lines


EDITS: dict[str, Callable[[list[Any]], list[Any]]] = {
    "another number": _with_number("5559998888"),
    "another number, escaped": _with_number("5559998888", lambda n: "".join(f"\\u003{digit}" for digit in n)),
    "two numbers": _with_number('5550000002"}, {"Name": "_Destination", "Value": "5559998888'),
    "in the URL": _in_url,
    "in a header": _in_a_header,
    "in the poll": _in_the_poll,
}


UNRESTORED = {"in the URL"}
"""Edits after which a request is no longer one to an endpoint."""


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_run_dials_no_other_number(run: Path, folder: Path, edit: str) -> None:
    end = replayed(folder, copied(run, folder / "edited", exchanges=EDITS[edit]), "--yes")
    assert end.code == 2, end.out + end.err
    assert ("not sent" if edit not in UNRESTORED else "endpoints") in end.complaint()
    assert not _Deployment.seen, "nothing was sent"
    assert "5559998888" not in end.out + end.err


def _wordy(numbers: list[int]) -> Callable[[str], str]:
    def edit(text: str) -> str:
        document = json.loads(text)
        document["clauses"][0]["script"]["exchanges"] = numbers
        return json.dumps(document)

    return edit


def _the_trigger_again(times: int) -> Callable[[list[Any]], list[Any]]:
    def edit(lines: list[Any]) -> list[Any]:
        (trigger,) = (line for line in lines if _DIALS_BUSY in line["request"]["body"])
        return [*lines, *({**trigger, "id": 100 + n, "at": trigger["at"] + n} for n in range(times))]

    return edit


@pytest.mark.parametrize(("times", "words"), [(3, "budget.calls"), (13, "12 at most")])
def test_a_script_of_many_triggers_is_refused(run: Path, folder: Path, times: int, words: str) -> None:
    numbers = [100 + n for n in range(times)]
    edited = copied(run, folder / "edited", verdict=_wordy(numbers), exchanges=_the_trigger_again(times))
    end = replayed(folder, edited, "--yes", calls="2")
    assert end.code == 2
    assert words in end.complaint()
    assert not _Deployment.seen


@pytest.mark.parametrize("kept", [0, 5])
def test_a_truncated_run_is_one_line(run: Path, folder: Path, kept: int) -> None:
    edited = copied(run, folder / "edited", exchanges=lambda lines: lines[:kept])
    end = replayed(folder, edited, "--yes")
    assert end.code == 2
    assert "exchange" in end.complaint()
    (edited / "exchanges.ndjson").unlink()
    end = replayed(folder, edited, "--yes")
    assert end.code == 2
    assert "exchanges.ndjson" in end.complaint()
    assert not _Deployment.seen


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": "ringback/verdict/1"}', ""])
def test_a_broken_verdict_is_one_line(run: Path, folder: Path, text: str) -> None:
    end = replayed(folder, copied(run, folder / "edited", verdict=lambda _: text), "--yes")
    assert end.code == 2
    assert "not a run" in end.complaint()


def _a_minute_apart(lines: list[Any]) -> list[Any]:
    for line in lines:
        line["at"] += 60 if line["request"]["url"].endswith("result") else 0
    return lines


def test_ctrl_c_while_it_waits_reports_the_call(run: Path, folder: Path) -> None:
    edited = copied(run, folder / "edited", exchanges=_a_minute_apart)
    base_url = re.search(r'base_url = "(.*)"', (folder / "ringback.toml").read_text())
    assert base_url is not None
    arguments = (
        "replay",
        str(edited),
        "STA-03",
        "--base-url",
        base_url[1],
        "--config",
        "ringback.toml",
        "--out",
        "now",
        "--yes",
    )
    with started(*arguments, folder=folder, RINGBACK_ACCESS_TOKEN=TOKEN) as process:
        assert _Deployment.triggered.wait(60)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert "Traceback" not in out + err
    assert "interrupted" in out
    assert "1 call placed" in out
    assert json.loads((folder / "now/replay.json").read_text())["exit_code"] == 130
    assert len(_Deployment.seen) == 1


def _replaced(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new)


FAULTS = [
    ("same-id-for-line", "ACK-03"), ("translated-states", "STA-01"), ("ringing-while-pending", "STA-01"),
    ("busy-never-ends", "STA-02"), ("all-answered", "STA-03"), ("result-read-once", "STA-04"),
    ("result-turns-error", "STA-04"), ("answered-while-ringing", "STA-05"), ("result-shown-too-soon", "STA-05"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "clause"), FAULTS)
def test_a_fault_is_found_again_and_its_repair_is_not_blamed(tmp_path: Path, fault: str, clause: str) -> None:
    end = ringback(
        "check", "--clause", clause, "--out", "run", "-q", folder=tmp_path, RINGBACK_SANDBOX__FAULTS=fault,
        RINGBACK_TIMING__SETTLE="6s",
    )  # fmt: skip
    assert end.code == 1, end.out + end.err
    # Whether a poll meets a call in progress is a matter of milliseconds; then it is undecided, but never as expected.
    still = {1, 3} if clause == "STA-05" else {1}
    for faults, codes in ((fault, still), ("", {0, 3})):
        now = f'"{faults}"' if faults else ""
        edited = copied(tmp_path / "run", tmp_path / f"of-{faults}", _replaced(f'"{fault}"', now))
        end = ringback(
            "replay", str(edited), clause, "--out", f"now-{faults}", "-q", folder=tmp_path,
            RINGBACK_TIMING__SETTLE="6s",
        )  # fmt: skip
        assert end.code in codes, end.out + end.err
