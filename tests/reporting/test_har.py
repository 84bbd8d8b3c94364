from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import referencing
from referencing.jsonschema import DRAFT6

from ringback.contract.verdict import Evidence, Finding, Verdict
from ringback.deployment.evidence import Recorder
from ringback.deployment.redaction import Redactor
from ringback.reporting import RunReport
from ringback.reporting.formats.har import har_document, write_har
from ringback.rundir.names import EXCHANGES_FILE, HAR_FILE

from .hostile_evidence import HOSTILE, hostile_record

MakeReport = Callable[..., RunReport]
SCHEMAS = [json.loads(path.read_text()) for path in (Path(__file__).parent / "schemas" / "har-1.2").glob("*.json")]
REGISTRY: referencing.Registry[Any] = referencing.Registry().with_resources(
    [(schema["$id"], DRAFT6.create_resource(schema)) for schema in SCHEMAS]
)
VALIDATOR = jsonschema.Draft6Validator({"$ref": "har.json#"}, registry=REGISTRY)


def valid(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The entries of an archive, checked against the schema and the text of the format."""
    VALIDATOR.validate(document)
    entries = document["log"]["entries"]
    for entry in entries:
        assert entry["time"] == sum(entry["timings"].values()) >= 0
        assert datetime.fromisoformat(entry["startedDateTime"]).tzinfo is not None
        assert entry["request"]["url"].isascii()
        assert entry["request"]["url"].isprintable()
    assert [e["startedDateTime"] for e in entries] == sorted(e["startedDateTime"] for e in entries)
    json.dumps(document, ensure_ascii=False).encode("utf-8")
    assert isinstance(entries, list)
    return entries


def recorded(path: Path, count: int = 3, body: bytes = b'{"UniqueId": "x"}') -> Path:
    recorder = Recorder(Redactor("the-access-token-of-this-run", {"busy": "5550000002"}), path)
    for nth in range(count):
        recorder.record(
            purpose=f"trigger {nth}",
            begun=float(nth),
            ended=nth + 0.25,
            method="POST",
            url="https://ivr.example.com:22222/v2/call?a=1&b=",
            request_headers=[("content-type", "application/json"), ("project", "")],
            request_body=b'{"AccessToken": "the-access-token-of-this-run", "to": "5550000002"}',
            status=200,
            response_headers=[("content-type", "application/json"), ("set-cookie", "a=b"), ("set-cookie", "c=d")],
            response_body=body,
        )
    recorder.record(
        purpose="poll", begun=50.0, ended=60.0, method="POST", url="https://ivr.example.com:22222/v2/callresult",
        request_headers=[], request_body=b"", failure="timeout",
    )  # fmt: skip
    recorder.close()
    return path


def test_exchanges_as_developer_tools_read_them(tmp_path: Path, make_report: MakeReport) -> None:
    recorded(tmp_path / EXCHANGES_FILE)
    path = write_har(make_report(), tmp_path)
    assert path == tmp_path / HAR_FILE
    document = json.loads(path.read_bytes())
    entries = valid(document)
    first, last = entries[0], entries[-1]
    assert first["timings"] == {"send": 0, "wait": 250.0, "receive": 0}
    assert first["request"]["queryString"] == [{"name": "a", "value": "1"}, {"name": "b", "value": ""}]
    assert first["request"]["postData"]["mimeType"] == "application/json"
    assert first["response"]["status"] == 200
    assert first["response"]["content"] == {"size": 17, "mimeType": "application/json", "text": '{"UniqueId": "x"}'}
    assert [header["value"] for header in first["response"]["headers"]] == ["application/json", "a=b", "c=d"]
    assert (last["response"]["status"], last["response"]["_error"], last["time"]) == (0, "timeout", 10_000.0)
    assert "4 of 4 recorded exchanges" in document["log"]["comment"]


def test_redacted_text_stays_redacted(tmp_path: Path, make_report: MakeReport) -> None:
    recorded(tmp_path / EXCHANGES_FILE)
    write_har(make_report(), tmp_path)
    written = (tmp_path / HAR_FILE).read_text()
    assert "the-access-token" not in written
    assert "5550000002" not in written
    assert "$RINGBACK_LINES__BUSY" in written


def test_evidence_is_named_and_comes_first(tmp_path: Path, make_report: MakeReport) -> None:
    recorded(tmp_path / EXCHANGES_FILE, 50)
    finding = Finding("ACK-03", Verdict.FAIL, "t", "s", evidence=(Evidence(40, "r", "a", "c"),))
    document = har_document(make_report(findings=[finding]), tmp_path, most_entries=3)
    comments = [entry["comment"] for entry in valid(document)]
    assert comments == [
        "exchange 1: trigger 0",
        "exchange 2: trigger 1",
        "exchange 40: trigger 39 (evidence for ACK-03)",
    ]
    assert "3 of 51 recorded exchanges" in document["log"]["comment"]
    assert "The other 48 were left out" in document["log"]["comment"]


def test_the_size_is_bounded(tmp_path: Path, make_report: MakeReport) -> None:
    recorded(tmp_path / EXCHANGES_FILE, 100, b"y" * 10_000)
    document = har_document(make_report(), tmp_path, most_bytes=100_000)
    entries = valid(document)
    assert 5 < len(entries) < 15  # the last one is small
    assert len(json.dumps(document["log"]["entries"])) < 110_000
    assert f"The other {101 - len(entries)} were left out" in document["log"]["comment"]


@pytest.mark.parametrize(
    "broken",
    [
        b'{"id": 9, "purpose": "cut sh',
        b"\x00\xff\n",
        b"[" * 100_000 + b"\n",
        b"[]\n7\nnull\n{}\n",
        b'{"id": "9", "started": "2026-01-01T00:00:00Z"}\n{"id": 9, "started": "yesterday"}\n',
    ],
)
def test_lines_without_an_exchange_are_skipped(tmp_path: Path, make_report: MakeReport, broken: bytes) -> None:
    path = recorded(tmp_path / EXCHANGES_FILE)
    with path.open("ab") as file:
        file.write(broken)
    assert len(valid(har_document(make_report(), tmp_path))) == 4


def test_members_of_wrong_types_are_tolerated(tmp_path: Path, make_report: MakeReport) -> None:
    path = tmp_path / EXCHANGES_FILE
    odd = {"id": 1, "started": "2026-01-01T00:00:00", "seconds": -3, "request": {"headers": [["a"], 7, ["b", 5]]}}
    path.write_text(json.dumps({**odd, "response": {"status": "x", "headers": {}, "bytes": "many", "body": 7}}))
    (entry,) = valid(har_document(make_report(), tmp_path))
    assert (entry["time"], entry["response"]["status"], entry["startedDateTime"][-6:]) == (0.0, 0, "+00:00")


def test_without_a_record_there_is_no_archive(tmp_path: Path, make_report: MakeReport) -> None:
    assert write_har(make_report(), tmp_path) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_evidence_stays_text(tmp_path: Path, make_report: MakeReport, kind: str) -> None:
    hostile_record(tmp_path / EXCHANGES_FILE, HOSTILE[kind])
    path = write_har(make_report(), tmp_path)
    assert path is not None
    written = path.read_bytes()
    assert written.isascii()
    assert len(written) < 2_000_000
    (entry,) = valid(json.loads(written))
    assert set(entry) == {"startedDateTime", "time", "request", "response", "cache", "timings", "comment"}
