"""Files of variables: which are read, which are refused with line and fix, and which call gets which row."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.config import ConfigError
from ringback.loadgen.variables import Order, PersonalValues, Rows, RowSource, RowsUsedUp, check_rows, read_rows
from tests.loadgen.deployments import config_for

SECRET = "Annegret"


def written(folder: Path, content: str | bytes, name: str = "customers.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


CSV = '\ufefffirstName,note\r\nAnna,"a, ""b""\nand c"\r\n\r\nJosé,\r\n'
NDJSON = '{"firstName": "Anna", "note": "a, \\"b\\"\\nand c"}\n\n{"note": "", "firstName": "José"}\n'


@pytest.mark.parametrize(("content", "name", "lines"), [(CSV, "c.csv", (2, 5)), (NDJSON, "c.ndjson", (1, 3))])
def test_both_forms_are_read_alike(content: str, name: str, lines: tuple[int, ...], tmp_path: Path) -> None:
    rows = read_rows(written(tmp_path, content, name))
    assert rows.names == ("firstName", "note")
    assert rows.values == (("Anna", 'a, "b"\nand c'), ("José", ""))
    assert rows.lines == lines
    assert rows.variables(1) == (("firstName", "José"), ("note", ""))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("c.csv", "", "c.csv: empty"),
        ("c.csv", "\n\n", "c.csv: empty"),
        ("c.csv", "firstName\n", "c.csv: no rows"),
        ("c.csv", f"firstName,city\nAnna,Bonn\n{SECRET}\n", "c.csv: line 3: 1 values, and there are 2"),
        ("c.csv", f"firstName,city\n{SECRET},Bonn,x\n", "c.csv: line 2: 3 values, and there are 2"),
        ("c.csv", f'firstName,city\nA,B\n"{SECRET},Bonn\n', "c.csv: line 3: not CSV"),
        ("c.csv", f"firstName;city\n{SECRET};Bonn\n", "c.csv: line 1: one column; separate columns by commas"),
        ("c.csv", b"firstName\nAnna\nJos\xe9\n", "c.csv: line 3: not UTF-8; save the file as UTF-8"),
        ("c.csv", "firstName,_Destination\nA,5550000001\n", "c.csv: line 1: the name of column 2 begins with _"),
        ("c.csv", "_DisplayNumber\n200\n", "c.csv: line 1: the name of column 1 begins with _"),
        ("c.csv", " _x\n200\n", "c.csv: line 1: the name of column 1 begins with _"),
        ("c.csv", f"a,a\n{SECRET},B\n", "c.csv: line 1: column 2 has the same name as another"),
        ("c.csv", f"a,\n{SECRET},B\n", "c.csv: line 1: column 2 has no name"),
        ("c.csv", f"a\n{SECRET * 40}\n", "c.csv: line 2: column 1 has 320 characters"),
        ("c.csv", "a\nx\ufffc\n", "c.csv: line 2: column 1 has a character that stands for none"),
        ("c.ndjson", "", "c.ndjson: empty"),
        ("c.ndjson", f'{{"a": "{SECRET}"}}\n{{"a": \n', "c.ndjson: line 2: not JSON"),
        ("c.ndjson", f'["{SECRET}"]', "c.ndjson: line 1: not an object"),
        ("c.ndjson", '{"a": 5}', "c.ndjson: line 1: a value that is not text"),
        ("c.ndjson", '{"a": {"b": "c"}}', "c.ndjson: line 1: a value that is not text"),
        ("c.ndjson", f'{{"a": "x"}}\n{{"b": "{SECRET}"}}', "c.ndjson: line 2: other variables than the first line"),
        ("c.ndjson", '{"a": "x", "a": "y"}', "c.ndjson: line 1: "),
        ("c.ndjson", '{"a": "\\ud800"}', "c.ndjson: line 1: column 1 has a character that stands for none"),
        ("c.ndjson", '{"_Destination": "5550000001"}', "c.ndjson: line 1: the name of column 1 begins with _"),
        ("c.ndjson", "[" * 100_000, "c.ndjson: line 1: not JSON"),
        ("c.xlsx", "PK", "c.xlsx: neither .csv nor .ndjson"),
    ],
)
def test_a_faulty_file_is_refused_with_its_line_and_without_a_value(
    name: str, content: str | bytes, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as refused:
        read_rows(written(tmp_path, content, name))
    assert message in str(refused.value)
    assert SECRET not in str(refused.value)


def test_a_missing_file_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"load\.variables_file.*no such file"):
        config_for("http://127.0.0.1:1", load__variables_file=str(tmp_path / "none.csv"))


@pytest.mark.parametrize(
    "content",
    [
        "customer\n1234567\n", "day\n2026-11-27\n", "phone\n491234\n", "Destination\n55\n", "callee\nsip:anna\n",
        "note\n+49 170 1234567\n", "note\n１２３４５６７\n", "note\ntel:5551234\n",
        'note\n"{""_Destination"": ""112""}"\n',
    ],
)  # fmt: skip
def test_a_row_that_could_be_dialled_is_refused_before_anything_is_sent(content: str, tmp_path: Path) -> None:
    heading, _, row = content.partition("\n")
    path = written(tmp_path, f"{heading}\n" + "harmless\n" * (0 if heading != "note" else 70) + row)
    line = 2 if heading != "note" else 72
    with pytest.raises(ConfigError, match=f"customers.csv: line {line}: a variable that might be dialled"):
        check_rows(config_for("http://127.0.0.1:1", load__variables_file=str(path)), 1)


def test_ordinary_customers_are_accepted(tmp_path: Path) -> None:
    content = 'firstName,balance,city,note\nAnna,"1,234.50",Köln,"O\'Neil ""x"" <b> 100 %"\n李,0,東京,🙂\n'
    check_rows(config_for("http://127.0.0.1:1", load__variables_file=str(written(tmp_path, content))), 2)


def test_more_workers_than_rows_can_share_none(tmp_path: Path) -> None:
    path = written(tmp_path, "a\nx\ny\n")
    with pytest.raises(ConfigError, match="2 rows, and 3 workers"):
        check_rows(config_for("http://127.0.0.1:1", load__variables_file=str(path)), 3)


def some_rows(count: int) -> Rows:
    return Rows("c.csv", ("a",), tuple((str(n),) for n in range(count)), tuple(range(2, count + 2)))


def taken(source: RowSource, most: int) -> list[int]:
    found = []
    for _ in range(most):
        try:
            ((_name, value),) = source.take()
        except RowsUsedUp:
            break
        found.append(int(value))
    return found


@given(st.integers(1, 40), st.integers(1, 6), st.sampled_from(["in order", "random", "once"]))
def test_workers_share_the_rows_without_overlap(count: int, members: int, order: Order) -> None:
    shares: list[set[int]] = []
    for number in range(min(members, count)):
        source = RowSource(some_rows(count), order, (number, members), random.Random(1))
        share = taken(source, 3 * count)
        if order == "once":
            assert share == sorted(set(share)), "each row once, in order"
        if order == "in order":
            assert share[: len(set(share))] == sorted(set(share))
            assert len(share) == 3 * count, "from the beginning again"
        shares.append(set(share))
    assert sum(map(len, shares)) == len(set().union(*shares))
    if order != "random":
        assert sum(map(len, shares)) == count or members > count


def test_a_worker_without_a_row_can_not_begin() -> None:
    with pytest.raises(ValueError, match="fewer rows"):
        RowSource(some_rows(2), "once", (2, 3), random.Random(1))


@pytest.mark.parametrize(
    ("unique_id", "shown"),
    [
        ("5f0c2b1e-9a77-4a0e-8d0d-0a5b8f0f6c11", True),
        ("call-annegret-17", False),
        ("xxANNEGRETxx", False),
        ("li-77", False),
        ("alice-li77", True),
        ("x" * 200, False),
    ],
)
def test_ids_that_repeat_a_value_are_hidden(unique_id: str, shown: bool) -> None:
    rows = Rows("c.csv", ("a", "b"), ((SECRET, "Li"), ("", "7")), (2, 3))
    assert (PersonalValues(rows).clean(unique_id) == unique_id) is shown
    assert PersonalValues(None).clean(unique_id) == unique_id


def test_ndjson_keeps_what_csv_can_not_say(tmp_path: Path) -> None:
    value = "a\u2028b\x85c"
    assert read_rows(written(tmp_path, json.dumps({"a": value}), "c.jsonl")).values == ((value,),)
    assert read_rows(written(tmp_path, f"a\n{value}\n")).values == ((value,),)


def test_where_the_project_s_variables_are_declared_a_file_may_have_no_others(tmp_path: Path) -> None:
    path = written(tmp_path, "firstName,city\nAnna,Bonn\n")
    config = config_for("http://127.0.0.1:1", load__variables_file=str(path))
    check_rows(config.model_copy(update={"variables": (("city", "Ulm"), ("firstName", "Eva"), ("x", ""))}), 1)
    with pytest.raises(ConfigError, match="column 2 is not one of the project's"):
        check_rows(config.model_copy(update={"variables": (("firstName", "Eva"),)}), 1)
