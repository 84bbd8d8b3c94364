"""`ringback replay` against embedded and separate sandboxes."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from ringback.commands.replay import replay
from ringback.commands.running import Options
from ringback.config import ConfigError

from .commands import ringback, started


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a sandbox that answers accepted triggers with 201."""
    folder = tmp_path_factory.mktemp("faulty")
    end = ringback(
        "check", "--clause", "ACK-01", "--clause", "REQ-02", "--out", "run", folder=folder,
        RINGBACK_SANDBOX__FAULTS="created-201", RINGBACK_SANDBOX__RING_TIME="50ms",
    )  # fmt: skip
    assert end.code == 1, end.out + end.err
    return folder / "run"


def test_a_deviation_is_still_there_until_it_is_fixed(faulty: Path, tmp_path: Path) -> None:
    end = ringback("replay", str(faulty), "ACK-01", folder=tmp_path)
    assert (end.code, end.err) == (1, ""), end.out
    for words in ("at most 1", "expected", "HTTP 201", "still there", "restored: the access token"):
        assert words in end.out
    (left,) = (tmp_path / "reports").glob("*-replay")
    shown = json.loads((left / "replay.json").read_text())
    assert (shown["exit_code"], shown["calls"], shown["clauses"][0]["outcome"]) == (1, 1, "still there")
    assert len((left / "exchanges.ndjson").read_text().splitlines()) == 1, "one request only"

    fixed = tmp_path / "fixed"
    shutil.copytree(faulty, fixed)
    document = json.loads((fixed / "verdict.json").read_text())
    number = document["clauses"][-1]["evidence"][0]["exchange"]
    document["deployment"]["faults"] = []
    (fixed / "verdict.json").write_text(json.dumps(document))
    end = ringback("replay", str(fixed), str(number), "--out", "now", "--quiet", folder=tmp_path)
    assert (end.code, end.err) == (0, ""), end.out
    assert len(end.out.splitlines()) == 1
    assert "-HTTP 201" in json.loads((tmp_path / "now/replay.json").read_text())["differences"]


def test_no_secret_is_written(faulty: Path, tmp_path: Path) -> None:
    end = ringback("replay", str(faulty), "ACK-01", "--out", "now", folder=tmp_path)
    written = end.out + (tmp_path / "now/replay.json").read_text() + (tmp_path / "now/exchanges.ndjson").read_text()
    assert "$RINGBACK_ACCESS_TOKEN" in written
    assert set(re.findall(r'AccessToken\\*": \\*"([^"\\]*)', written)) == {"$RINGBACK_ACCESS_TOKEN"}
    assert "5550000001" not in written


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("{run}", "9999"), "there is no exchange 9999"),
        (("{run}", "ACK-04"), "no exchange in this run is evidence on ACK-04"),
        (("{run}", "nonsense"), "neither"),
        (("nowhere", "1"), "not a run"),
        (("{run}", "ACK-01", "--out", "{run}"), "--out names the run itself"),
        (("{run}", "ACK-01", "--base-url", "http://127.0.0.1:9"), "missing"),
    ],
)
def test_a_mistake_is_one_line(faulty: Path, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    end = ringback("replay", *(a.format(run=faulty) for a in arguments), folder=tmp_path)
    assert end.code == 2, end.out
    assert words in end.complaint()
    assert (faulty / "exchanges.ndjson").is_file()


@dataclass(frozen=True)
class Box:
    """A separate sandbox, and a run against it."""

    folder: Path
    token: str

    def exchange(self, wanted: str) -> str:
        """The number of the first exchange whose URL ends like this."""
        for line in (self.folder / "run/exchanges.ndjson").read_text().splitlines():
            shown = json.loads(line)
            if shown["request"]["url"].endswith(wanted) and shown["response"]["status"] == 200:
                return str(shown["id"])
        raise AssertionError(wanted)


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    folder = tmp_path_factory.mktemp("box")
    arguments = ("sandbox", "--port", "0", "--ring-time", "50ms", "--write-config", "ringback.toml")
    with started(*arguments, folder=folder) as process:
        assert process.stdout is not None
        printed = ""
        while "Press Ctrl-C to stop it" not in printed:
            line = process.stdout.readline()
            assert line, "it ended early"
            printed += line
        token = re.search(r"RINGBACK_ACCESS_TOKEN=(\S+)", printed)
        assert token is not None
        end = ringback(
            "check", "--clause", "RES-01", "--out", "run", "-q", folder=folder, RINGBACK_ACCESS_TOKEN=token[1]
        )
        assert end.code == 0, end.out + end.err
        yield Box(folder, token[1])


def test_a_poll_is_sent_without_asking(box: Box) -> None:
    number = box.exchange("/v2/callresult")
    end = ringback("replay", "run", number, "--out", "p", "-q", folder=box.folder, RINGBACK_ACCESS_TOKEN=box.token)
    assert (end.code, end.err) == (0, ""), end.out
    assert "no call placed" in end.out


def test_a_trigger_is_not_sent_unless_somebody_says_so(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    number = box.exchange("/v2/call")
    end = ringback("replay", "run", number, "--out", "t", folder=box.folder, RINGBACK_ACCESS_TOKEN=box.token)
    assert end.code == 2
    assert "add --yes" in end.complaint()
    assert not (box.folder / "t").exists(), "nothing was sent"

    monkeypatch.chdir(box.folder)
    monkeypatch.setenv("RINGBACK_ACCESS_TOKEN", box.token)
    asked: list[str] = []

    def no(question: str) -> bool:
        asked.append(question)
        return False

    with pytest.raises(ConfigError, match="nothing was sent"):
        replay(Console(quiet=True), Path("run"), number, Options(out=Path("t")), yes=False, ask=no)
    assert "may place a call" in asked[0]
    assert not Path("t").exists()

    end = ringback(
        "replay", "run", number, "--out", "t", "--yes", "-q", folder=box.folder, RINGBACK_ACCESS_TOKEN=box.token
    )
    assert (end.code, end.err) == (0, ""), end.out
    assert "1 call placed" in end.out


def test_another_deployment_is_not_asked_unless_it_is_named(box: Box, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(box.folder / "run", run)
    text = (run / "verdict.json").read_text().replace("https://127.0.0.1", "https://elsewhere.example")
    (run / "verdict.json").write_text(text)
    end = ringback("replay", str(run), "1", "--yes", folder=box.folder, RINGBACK_ACCESS_TOKEN=box.token)
    assert end.code == 2
    assert "--base-url" in end.complaint()


def test_a_stopped_deployment_is_undecided(box: Box, tmp_path: Path) -> None:
    number = box.exchange("/v2/call")
    end = ringback(
        "replay", "run", number, "--yes", "--base-url", "https://127.0.0.1:9", "--out", str(tmp_path / "gone"), "-q",
        folder=box.folder, RINGBACK_ACCESS_TOKEN=box.token,
    )  # fmt: skip
    assert (end.code, end.err) == (3, ""), end.out
    assert "no connection" in end.out
    assert "no call placed" in end.out
