"""docs/http.md shows what check and load make of HTTP's oddities, and they agree."""

from __future__ import annotations

from pathlib import Path

from .oddities import INTRODUCTION, page

PAGE = Path(__file__).parents[2] / "docs" / "http.md"


def test_the_page_is_what_the_servers_show() -> None:
    made = page()
    assert made == PAGE.read_text(encoding="utf-8"), "run: python -m tests.causes.oddities > docs/http.md"
    for line in made.removeprefix(INTRODUCTION).split("\n\n")[0].splitlines():
        _, _, check, load, _, _ = line.split("|")
        assert (check.strip() == "accepted") == (load.strip() == "accepted"), line
