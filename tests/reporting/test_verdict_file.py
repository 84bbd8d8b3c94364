from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.contract.clauses import CLAUSES
from ringback.contract.verdict import LimitResult, Verdict
from ringback.loadgen.judging.snapshot import LoadSnapshot
from ringback.loadgen.schedule.plan import LoadPlan
from ringback.reporting import SCHEMA_PATH, RunReport, verdict_document, write_verdict
from ringback.rundir.names import VERDICT_FILE
from tests.loadgen.deployments import config_for

MakeReport = Callable[..., RunReport]
SCHEMA = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
HOSTILE = st.text(st.characters(exclude_categories=()), max_size=40)


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("verdict", Verdict)
def test_a_clause_of_each_verdict_fits_the_schema(make_report: MakeReport, verdict: Verdict) -> None:
    found = Verdict.FAIL if verdict in {Verdict.WAIVED, Verdict.WARN} else verdict
    clause_id = "ACK-04" if verdict is Verdict.WARN else "ACK-03"
    report = make_report({clause_id: found}, waivers={"ACK-03": "ticket"} if verdict is Verdict.WAIVED else {})
    document = verdict_document(report)
    VALIDATOR.validate(document)
    clause = next(c for c in document["clauses"] if c["id"] == clause_id)
    assert clause["verdict"] == verdict
    assert (clause["waiver"] == "ticket") is (verdict is Verdict.WAIVED)
    assert bool(clause["evidence"]) is (verdict not in {Verdict.PASS, Verdict.NOT_EXERCISED})


def test_a_report_of_every_kind_fits_the_schema(of_every_kind: MakeReport) -> None:
    document = verdict_document(of_every_kind(embedded=True, dialects=("pending-empty",)))
    VALIDATOR.validate(document)
    assert document["verdict"] == "fail"
    assert document["exit_code"] == 1
    assert document["calls"] == {"accepted": 53, "may_have_dialled": 0, "budget": 60}
    assert document["counts"]["fail"] == 1
    assert sum(document["counts"].values()) == len(CLAUSES) == len(document["clauses"])
    assert document["limits"][0] == {
        "metric": "trigger.latency_ms.p99",
        "limit": "< 500",
        "value": 512.3,
        "verdict": "fail",
    }
    assert document["load"]["calls"]["lost"] == 2
    assert document["started"] == "2026-03-01T12:00:00.250Z"


@pytest.mark.parametrize(
    ("verdicts", "changed", "verdict", "code"),
    [
        ({}, {}, "pass", 0),
        ({"STA-02": Verdict.INCONCLUSIVE}, {}, "inconclusive", 3),
        ({}, {"interrupted": True}, "inconclusive", 130),
        ({"ACK-01": Verdict.FAIL}, {"interrupted": True}, "fail", 130),
        ({}, {"clauses": ()}, "inconclusive", 3),
        ({}, {"clauses": (), "load": {"scenario": "lifecycle"}}, "inconclusive", 3),
    ],
)
def test_every_way_to_end_fits_the_schema(
    make_report: MakeReport, verdicts: dict[str, Verdict], changed: dict[str, Any], verdict: str, code: int
) -> None:
    document = verdict_document(make_report(verdicts, **changed))
    VALIDATOR.validate(document)
    assert (document["verdict"], document["exit_code"]) == (verdict, code)


def test_evidence_has_expected_and_observed(make_report: MakeReport) -> None:
    document = verdict_document(make_report({"ACK-03": Verdict.FAIL, "ACK-04": Verdict.FAIL}, text="same id"))
    by_id = {clause["id"]: clause for clause in document["clauses"]}
    (shown,) = by_id["ACK-03"]["evidence"]
    assert shown["test"] == "test of ACK-03 same id"
    assert shown["expected"] == CLAUSES["ACK-03"].expects
    assert shown["observed"] == "same id"
    assert shown["exchange"] == 17
    assert shown["request"].startswith("POST https://ivr.example.com:22222/v2/call\n")
    assert shown["curl"].startswith("curl ")
    (unshown,) = by_id["ACK-04"]["evidence"]
    assert [unshown[key] for key in ("exchange", "request", "response", "curl")] == [None] * 4


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.pop("verdict"),
        lambda d: d.update(verdict="passed"),
        lambda d: d.update(verdict="pass"),
        lambda d: d.update(exit_code=0),
        lambda d: d.update(exit_code=2),
        lambda d: d.update(reasons=[]),
        lambda d: d.update(schema="ringback/verdict/2"),
        lambda d: d.update(seconds=-1),
        lambda d: d.update(started="yesterday"),
        lambda d: d["counts"].pop("waived"),
        lambda d: d["calls"].update(accepted=-1),
        lambda d: d["clauses"][0].update(id="7"),
        lambda d: d["clauses"][0].update(verdict="skipped"),
        lambda d: d["clauses"][0].update(waiver="why?"),
        lambda d: d["clauses"][0].pop("evidence"),
        lambda d: next(c for c in d["clauses"] if c["verdict"] == "fail").update(evidence=[]),
        lambda d: next(c for c in d["clauses"] if c["verdict"] == "waived").update(waiver=None),
        lambda d: next(c for c in d["clauses"] if c["evidence"])["evidence"][0].pop("curl"),
        lambda d: d["limits"][0].update(value="fast"),
        lambda d: d["limits"][0].update(verdict="warn"),
        lambda d: d["load"].pop("scenario"),
        lambda d: d["load"]["trigger"]["latency_ms"].update(p99_99="slow"),
        lambda d: d["load"]["trigger"]["errors"].update(timeout=-1),
        lambda d: d["load"]["generator"].update(limited=None),
    ],
)
def test_the_schema_turns_broken_documents_away(
    of_every_kind: MakeReport, spoil: Callable[[dict[str, Any]], object]
) -> None:
    document = copy.deepcopy(verdict_document(of_every_kind()))
    VALIDATOR.validate(document)
    spoil(document)
    assert not VALIDATOR.is_valid(document)


def test_the_documented_example_fits_the_schema() -> None:
    page = (Path(__file__).parents[2] / "docs" / "verdict.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    VALIDATOR.validate(json.loads(example))


def test_members_may_be_added(of_every_kind: MakeReport) -> None:
    document = verdict_document(of_every_kind())
    document["later"] = document["clauses"][0]["later"] = document["load"]["later"] = {"more": 1}
    VALIDATOR.validate(document)


@settings(deadline=None)
@given(text=HOSTILE)
def test_the_file_reads_back_with_any_text(
    tmp_path_factory: pytest.TempPathFactory, of_every_kind: MakeReport, text: str
) -> None:
    report = of_every_kind(text)
    written = write_verdict(report, tmp_path_factory.getbasetemp() / "hostile").read_bytes()
    assert written.isascii()
    document = json.loads(written)
    assert document == verdict_document(report)
    json.dumps(document, ensure_ascii=False).encode("utf-8")  # no lone surrogate is left
    VALIDATOR.validate(document)


def test_the_same_run_gives_the_same_bytes(tmp_path: Path, make_report: MakeReport) -> None:
    forth = {"scenario": "lifecycle", "trigger": {"count": 3, "errors": {"timeout": 1, "connect": 2}}}
    back = {"trigger": {"errors": {"connect": 2, "timeout": 1}, "count": 3}, "scenario": "lifecycle"}
    first = write_verdict(make_report(load=forth), tmp_path / "1").read_bytes()
    assert first == write_verdict(make_report(load=back), tmp_path / "2").read_bytes()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_json_lacks_is_null(make_report: MakeReport, value: float) -> None:
    limits = (LimitResult("trigger.latency_ms.p99", "< 5", value, Verdict.INCONCLUSIVE),)
    load = {"scenario": "poll", "poll": {"latency_ms": {"p50": value, "p90": [value]}}}
    document = verdict_document(make_report(limits=limits, load=load))
    assert document["limits"][0]["value"] is None
    assert document["load"]["poll"]["latency_ms"] == {"p50": None, "p90": [None]}


def test_a_value_that_json_lacks_is_an_error(make_report: MakeReport) -> None:
    with pytest.raises(TypeError, match="set"):
        verdict_document(make_report(load={"scenario": {"lifecycle"}}))


def test_the_file_is_replaced_whole(tmp_path: Path, make_report: MakeReport, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_verdict(make_report(), tmp_path / "runs" / "1")
    assert path == tmp_path / "runs" / "1" / VERDICT_FILE
    before = path.read_bytes()

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:10])
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="no space"):
        write_verdict(make_report({"ACK-01": Verdict.FAIL}), path.parent)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_the_load_section_is_documented_to_the_last_member(make_report: MakeReport) -> None:
    section = LoadSnapshot.empty(config_for("http://127.0.0.1:1"), LoadPlan("lifecycle", 1.0, 1, 1.0, 1)).section()
    VALIDATOR.validate(verdict_document(make_report(load=section)))
    assert undocumented(section, SCHEMA["$defs"]["load"]) == []


def undocumented(value: object, schema: dict[str, Any], path: str = "load") -> list[str]:
    """Members of a value that its schema does not name."""
    if not isinstance(value, dict) or "additionalProperties" in schema:
        return []
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    known = schema.get("properties", {})
    missing = [f"{path}.{name}" for name in value if name not in known]
    nested = [undocumented(value[name], known[name], f"{path}.{name}") for name in value if name in known]
    return missing + [name for names in nested for name in names]
