"""Generated pages are what the code says now, and they are complete."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Iterator
from typing import Any

import pytest
from docs.generate.causes import causes
from docs.generate.clauses import render as render_clauses
from docs.generate.examples import SERVED, fault_of, recorded
from docs.generate.metrics import metrics
from docs.generate.pages import PAGES
from docs.generate.source import attribute_texts

from ringback.config import model
from ringback.config.limits import Limit
from ringback.config.lines import Line
from ringback.config.scalars import Section
from ringback.contract.clauses import CLAUSES
from ringback.contract.verdict import ExitCode
from ringback.deployment import causes as diagnosis
from ringback.rundir import names
from ringback.sandbox import FAULTS

from .blocks import ROOT


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_current(name: str) -> None:
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == PAGES[name](), "run: python -m docs.generate"


def test_every_clause_has_an_anchor() -> None:
    page = render_clauses()
    for clause in CLAUSES:
        assert f"\n### {clause}\n" in page
        assert f"](#{clause.lower()})" in page


def test_every_clause_has_an_example_of_the_fault_that_is_chosen_for_it() -> None:
    examples = recorded()
    assert examples.keys() == CLAUSES.keys(), "run: python -m docs.generate.examples"
    for clause, example in examples.items():
        assert example.fault == fault_of(clause), f"run: python -m docs.generate.examples {clause}"
        assert clause in FAULTS[example.fault].clauses
        assert example.observed


def test_what_passes_is_answered_as_the_clause_requires() -> None:
    for clause, example in recorded().items():
        status = example.sound_answer.partition("\n")[0]
        if clause in SERVED and status:
            assert status == "HTTP 200", clause
        if "REQ-10" <= clause <= "REQ-16":
            assert status.startswith("HTTP 4"), clause


def test_examples_hold_no_token_and_no_number() -> None:
    text = (ROOT / "docs" / "generate" / "examples.json").read_text(encoding="utf-8")
    assert "demo-access-token" not in text
    assert "5550000" not in text
    assert "127.0.0.1" not in text


@pytest.mark.parametrize(
    "section", [Line, *(each for each in vars(model).values() if inspect.isclass(each) and issubclass(each, Section))]
)
def test_every_key_has_its_meaning_beside_it(section: type[Section]) -> None:
    if section in {Section, model.Config, model.Lines}:
        return
    texts = attribute_texts(section)
    assert not [key for key in section.model_fields if not texts[key]], "give the key a docstring"


def test_every_file_and_exit_code_has_its_meaning_beside_it() -> None:
    assert not [name for name, text in attribute_texts(names).items() if name.endswith("_FILE") and not text]
    assert all(attribute_texts(ExitCode).values())


def _written_out() -> Iterator[str]:
    """The longer literal texts of the functions that find a cause."""
    tree = ast.parse(inspect.getsource(diagnosis))
    finders = {"_of_port", "_of_answer", "_by_status", "_redirect"}
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and function.name in finders:
            for node in ast.walk(function):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) > 12:
                    yield node.value
    yield diagnosis._REFUSES


def test_every_cause_has_an_entry() -> None:
    shown = "\n".join(cause.sentence for cause in causes())
    missing = [text for text in _written_out() if text not in shown and text != "client-certificate"]
    assert not missing, "add a sample to docs/generate/causes.py"


def _leaves(node: Any, path: str = "") -> Iterator[str]:
    if isinstance(node, dict):
        for name, member in node.items():
            yield from _leaves(member, f"{path}.{name}" if path else name)
    elif isinstance(node, int | float) and not isinstance(node, bool):
        yield path


def test_every_metric_that_a_run_reports_and_a_limit_may_name_is_listed() -> None:
    listed = {name for name, _ in metrics()}
    kinds = {name.rpartition(".")[0] for name in listed if name.endswith((".kind", ".p99"))}
    section = json.loads((ROOT / "reports" / "example" / "load.json").read_text(encoding="utf-8"))
    for path in _leaves(section):
        try:
            Limit.parse(path, "< 1")
        except ValueError:
            continue
        assert path in listed or path.rpartition(".")[0] in kinds, path


def test_every_listed_metric_can_be_limited() -> None:
    for name, text in metrics():
        Limit.parse(name, "< 1")
        assert text, name
