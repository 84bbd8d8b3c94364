"""The catalogue is whole and in order, and finds clauses for those who mistype them."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from collections import Counter

import pytest

from ringback.contract.clauses import CLAUSES, SECTIONS, Clause, Level, UnknownClause, clause

COUNTS = {"TRN": 6, "REQ": 16, "ACK": 4, "RES": 9, "STA": 5, "DST": 8, "ROB": 5}
ADVISORY = {"TRN-01", "ACK-04", "DST-08", "ROB-05"}
MUST = {
    *("TRN-05", "REQ-01", "REQ-02", "REQ-03", "REQ-04", "REQ-09", "REQ-10", "REQ-11"),
    *("ACK-01", "ACK-02", "ACK-03", "RES-01", "RES-02", "RES-03", "RES-04", "RES-05"),
    *("STA-01", "STA-02", "STA-03", "DST-01"),
}

each_clause = pytest.mark.parametrize("entry", CLAUSES.values(), ids=CLAUSES)


def test_ids_are_numbered_without_gaps_in_the_order_of_the_sections() -> None:
    expected = [f"{section}-{n:02}" for section, count in COUNTS.items() for n in range(1, count + 1)]
    assert list(CLAUSES) == expected
    assert list(SECTIONS) == list(COUNTS)


def test_keys_are_the_clauses_own_ids_and_sections() -> None:
    assert all(entry.id == clause_id and entry.section == clause_id[:3] for clause_id, entry in CLAUSES.items())


def test_levels_are_those_of_the_contract() -> None:
    by_level = {level: {entry.id for entry in CLAUSES.values() if entry.level is level} for level in Level}
    assert by_level[Level.MUST] == MUST
    assert by_level[Level.ADVISORY] == ADVISORY
    assert by_level[Level.SHOULD] == set(CLAUSES) - MUST - ADVISORY


@each_clause
def test_texts_fit_where_they_are_shown(entry: Clause) -> None:
    assert 10 <= len(entry.title) <= 70
    assert not entry.title.endswith(".")
    assert entry.statement.endswith(".")
    assert entry.basis.endswith(".")
    assert entry.fix.endswith(".")
    assert 10 <= len(entry.expects) <= 110
    assert not entry.expects.endswith(".")
    for field in dataclasses.fields(entry):
        assert str(getattr(entry, field.name)).isprintable(), f"{entry.id}.{field.name} is one line of text"


@each_clause
def test_a_statement_is_at_most_two_sentences(entry: Clause) -> None:
    assert len(re.findall(r"\.(?: |$)", entry.statement)) <= 2


@pytest.mark.parametrize("field", ["title", "statement", "expects", "fix"])
def test_no_two_clauses_share_a_text(field: str) -> None:
    repeated = [text for text, n in Counter(getattr(entry, field) for entry in CLAUSES.values()).items() if n > 1]
    assert repeated == []


@each_clause
def test_the_texts_of_a_clause_differ(entry: Clause) -> None:
    texts = [entry.title, entry.statement, entry.basis, entry.expects, entry.fix]
    assert len({text.lower().rstrip(".") for text in texts}) == len(texts)


def test_lookup_ignores_case_and_blanks() -> None:
    assert clause(" ack-03 ") is CLAUSES["ACK-03"]


@pytest.mark.parametrize(("typed", "meant"), [("ACK-30", "ACK-03"), ("AKC-03", "ACK-03"), ("STA04", "STA-04")])
def test_an_unknown_id_names_near_ones(typed: str, meant: str) -> None:
    with pytest.raises(UnknownClause, match=f"unknown clause '{typed}'") as caught:
        clause(typed)
    assert meant in caught.value.near
    assert meant in str(caught.value)


def test_an_id_like_no_other_points_to_the_list() -> None:
    with pytest.raises(UnknownClause, match=r"docs/clauses\.md"):
        clause("hello world")


def test_the_catalogue_cannot_be_changed_by_those_who_import_it() -> None:
    with pytest.raises(TypeError):
        CLAUSES["TRN-01"] = CLAUSES["TRN-02"]  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        CLAUSES["TRN-01"].level = Level.MUST  # type: ignore[misc]


def test_importing_the_catalogue_loads_no_heavy_library() -> None:
    heavy = "{'yaml', 'jsonschema', 'pydantic', 'httpx', 'pytest', 'rich', 'locust'}"
    probe = f"import sys, ringback.contract.clauses; print(sorted({heavy} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.strip() == "[]"
