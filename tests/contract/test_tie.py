"""Clauses, contract tests and openapi.yaml belong together: nothing in one that another does not know.

The contract tests are read, not imported: what counts is the clause marks in their source, on
functions, on classes, in ``pytestmark`` and in ``pytest.param(..., marks=...)``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ringback.contract.clauses import CLAUSES
from ringback.contract.description import clause_ids_in_description
from ringback.resources import contract_tests_path


@dataclass(frozen=True)
class MarkedTest:
    """One test function of the contract suite and the clause ids that its marks name."""

    place: str
    clauses: tuple[str, ...]


def read_tests(source: str, file: str) -> Iterator[MarkedTest]:
    """Every test function in a module's source, with the marks it has or inherits."""
    yield from _tests_of(ast.parse(source, file), (), file)


def _tests_of(scope: ast.Module | ast.ClassDef, inherited: tuple[str, ...], file: str) -> Iterator[MarkedTest]:
    for statement in scope.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and _assigns_pytestmark(statement):
            inherited += _marks(statement)
    for statement in scope.body:
        if isinstance(statement, ast.ClassDef) and statement.name.startswith("Test"):
            yield from _tests_of(statement, inherited + _marks(*statement.decorator_list), file)
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and statement.name.startswith("test"):
            yield MarkedTest(
                f"{file}:{statement.lineno} {statement.name}",
                inherited + _marks(*statement.decorator_list),
            )


def _assigns_pytestmark(statement: ast.Assign | ast.AnnAssign) -> bool:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in targets)


def _marks(*nodes: ast.AST) -> tuple[str, ...]:
    """The ids in every ``...mark.clause("ID", ...)`` within these nodes."""
    return tuple(
        argument.value
        for node in nodes
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("mark.clause")
        for argument in call.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    )


def suite() -> list[MarkedTest]:
    """The contract suite's tests, in the order of its files."""
    root = contract_tests_path()
    return [
        test
        for path in sorted(root.rglob("*.py"))
        for test in read_tests(path.read_text(encoding="utf-8"), str(path.relative_to(root.parent)))
    ]


def listed(heading: str, items: list[str]) -> str:
    return "\n  ".join([f"{heading}:", *items])


class TestReading:
    """The reader itself, on sources whose marks are known."""

    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            ("@pytest.mark.clause('ACK-01')\ndef test_a(): ...", ("ACK-01",)),
            ("@pytest.mark.clause('ACK-01', 'ACK-02')\nasync def test_a(): ...", ("ACK-01", "ACK-02")),
            ("@mark.clause('ACK-01')\n@pytest.mark.clause('ACK-02')\ndef test_a(): ...", ("ACK-01", "ACK-02")),
            ("pytestmark = pytest.mark.clause('ACK-01')\ndef test_a(): ...", ("ACK-01",)),
            ("def test_a(): ...\npytestmark = [x, pytest.mark.clause('ACK-01')]", ("ACK-01",)),
            ("@pytest.mark.clause('ACK-01')\nclass TestA:\n  def test_a(self): ...", ("ACK-01",)),
            (
                "@pytest.mark.parametrize('n', [param(1, marks=mark.clause('ACK-01'))])\ndef test_a(n): ...",
                ("ACK-01",),
            ),
            ("@pytest.mark.slow('ACK-01')\ndef test_a(): ...", ()),
            ("def test_a():\n  pytest.mark.clause('ACK-01')", ()),
        ],
    )
    def test_finds_the_marks_of_a_test(self, source: str, expected: tuple[str, ...]) -> None:
        (found,) = read_tests(source, "test_x.py")
        assert found.clauses == expected

    def test_skips_what_pytest_would_not_collect(self) -> None:
        source = "def helper(): ...\nclass Helper:\n  def test_a(self): ...\n"
        assert list(read_tests(source, "test_x.py")) == []

    def test_says_where_a_test_stands(self) -> None:
        (found,) = read_tests("\n\ndef test_a(): ...", "contract_tests/test_x.py")
        assert found.place == "contract_tests/test_x.py:3 test_a"


class TestTie:
    """The catalogue, the suite and openapi.yaml, held against each other."""

    def test_every_clause_has_a_test(self) -> None:
        marked = {clause_id for test in suite() for clause_id in test.clauses}
        missing = [f"{entry.id} {entry.title}" for entry in CLAUSES.values() if entry.id not in marked]
        assert not missing, listed("clauses without a test in contract_tests/", missing)

    def test_every_test_has_a_clause(self) -> None:
        unmarked = [test.place for test in suite() if not test.clauses]
        assert not unmarked, listed("contract tests without a clause mark", unmarked)

    def test_every_mark_names_a_known_clause(self) -> None:
        unknown = [
            f"{test.place}: {clause_id}" for test in suite() for clause_id in test.clauses if clause_id not in CLAUSES
        ]
        assert not unknown, listed("clause marks with an unknown id", unknown)

    def test_openapi_and_catalogue_name_the_same_clauses(self) -> None:
        places = clause_ids_in_description()
        missing = [f"{entry.id} {entry.title}" for entry in CLAUSES.values() if entry.id not in places]
        unknown = [f"{clause_id} at {where}" for clause_id, where in places.items() if clause_id not in CLAUSES]
        assert not missing, listed("clauses that no x-clauses in openapi.yaml names", missing)
        assert not unknown, listed("ids in openapi.yaml that the catalogue does not have", unknown)


def test_the_suite_is_where_the_tie_reads_it() -> None:
    assert contract_tests_path() == Path(__file__).parents[2] / "contract_tests"
