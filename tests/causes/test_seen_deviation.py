"""A deviation that one answer shows is found although no valid trigger is accepted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import CONFIG, TOKEN, ringback

from .servers import Answer, http, serving


def echoing(body: bytes) -> bytes:
    """401 to everything, with the request in the answer."""
    return http(401, f"not authorised: {body.decode()}")(b"")


@pytest.mark.parametrize(("answer", "found"), [(echoing, True), (http(401, "not authorised"), False)])
def test_a_token_in_an_answer_is_found_where_everything_is_refused(answer: Answer, found: bool, tmp_path: Path) -> None:
    with serving(answer) as server:
        (tmp_path / "my.toml").write_text(CONFIG.replace("http://127.0.0.1:{port}", server.base_url))
        end = ringback(
            "check", "--config", "my.toml", "--out", "run", folder=tmp_path, RINGBACK_ACCESS_TOKEN=TOKEN
        )  # fmt: skip
    verdict = json.loads((tmp_path / "run" / "verdict.json").read_text())
    by_clause = {clause["id"]: clause["verdict"] for clause in verdict["clauses"]}
    assert by_clause.pop("ROB-04") == ("fail" if found else "inconclusive"), end.out
    assert end.code == (1 if found else 3)
    assert "fail" not in by_clause.values()
    assert TOKEN not in end.out + end.err
    assert TOKEN not in "".join(path.read_text() for path in (tmp_path / "run").iterdir() if path.is_file())
