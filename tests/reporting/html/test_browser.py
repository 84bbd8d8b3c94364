"""The page in a browser, Debian's Chromium: by keyboard, without scripts, in light and dark, and on paper.

`tests/browser` is the npm project that opens the pages; what it saw is judged here.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ringback.reporting import RunReport
from ringback.reporting.html import write_html
from ringback.reporting.model.timelines import write_timelines

from .conftest import CALLS, FROZEN, LIMITS
from .load_runs import MadeUp, write_load_run
from .test_hostile import HOSTILE

pytestmark = pytest.mark.slow

VISITOR = Path(__file__).parents[2] / "browser"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LARGEST_WAIT = 600
PAGES = ("gate", "hostile", "load", "empty", "passing")


@pytest.fixture(scope="session")
def seen(
    tmp_path_factory: pytest.TempPathFactory,
    of_every_kind: Callable[..., RunReport],
    make_report: Callable[..., RunReport],
) -> dict[str, Any]:
    """What a browser saw of each page."""
    if CHROMIUM is None or shutil.which("npm") is None:
        pytest.skip("needs chromium and npm")
    root = tmp_path_factory.mktemp("pages")
    folders = {name: root / name for name in PAGES}
    gate, load = write_load_run(folders["gate"], FROZEN), write_load_run(folders["load"], MadeUp(seconds=600, rate=5))
    hostile = write_load_run(folders["hostile"])
    hostile["calls"]["by_state"] = dict.fromkeys(HOSTILE, 2)
    write_timelines(CALLS, folders["gate"])
    reports = {
        "gate": of_every_kind(load=gate, limits=LIMITS),
        "hostile": of_every_kind("\n".join(HOSTILE), load=hostile),
        "load": make_report(clauses=(), command="load", load=load, limits=LIMITS[-2:]),
        "empty": make_report(clauses=()),
        "passing": make_report(),
    }
    pages = {name: write_html(report, folders[name]) for name, report in reports.items()}
    if not (VISITOR / "node_modules" / "playwright-core").is_dir():
        subprocess.run(
            ["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=VISITOR, check=True, timeout=LARGEST_WAIT
        )
    done = subprocess.run(
        ["node", "visit.mjs", CHROMIUM, *map(str, pages.values())],
        cwd=VISITOR, stdout=subprocess.PIPE, text=True, check=True, timeout=LARGEST_WAIT,
    )  # fmt: skip
    message = json.loads(done.stdout)
    return {name: message[str(path)] for name, path in pages.items()}


@pytest.mark.parametrize("name", PAGES)
def test_it_opens_without_a_complaint_and_without_a_request(seen: dict[str, Any], name: str) -> None:
    visits = [*seen[name]["looks"], seen[name]["withoutScript"]]
    for visit in visits:
        assert visit["console"] == []
        assert visit["dialogs"] == []
        assert len(visit["requests"]) == 1, "the page itself, and nothing else"
        assert visit["requests"][0].startswith("file:")


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_violation(seen: dict[str, Any], name: str) -> None:
    looks = seen[name]["looks"]
    assert {(look["colorScheme"], look["width"]) for look in looks} == {
        (scheme, width) for scheme in ("light", "dark") for width in (1280, 390)
    }
    for look in looks:
        assert look["violations"] == [], f"{look['colorScheme']}, {look['width']} px"


@pytest.mark.parametrize("name", PAGES)
def test_no_element_is_wider_than_the_page(seen: dict[str, Any], name: str) -> None:
    for look in seen[name]["looks"]:
        assert look["spilled"] == [], f"{look['width']} px"


@pytest.mark.parametrize("name", ["gate", "hostile", "passing"])
def test_the_keyboard_goes_everywhere(seen: dict[str, Any], name: str) -> None:
    message = seen[name]["keyboard"]
    assert message["skipped"]
    assert message["landed"] == "main"
    assert message["all"] == 53
    assert message["reachedText"]
    assert message["byText"] >= 1
    assert message["shown"] == f"{message['byText']} of 53 shown"
    assert message["reachedCell"]
    assert message["opened"]
    assert message["closed"]
    assert message["outline"] != "none", "where the keyboard is can be seen"
    assert message["linkOpens"] == 1
    assert message["console"] == []


def test_a_filter_leaves_what_it_names(seen: dict[str, Any]) -> None:
    message = seen["gate"]["keyboard"]
    assert message["reachedFilter"]
    assert message["failing"] == 1
    assert message["kinds"] == ["fail"]


@pytest.mark.parametrize("name", PAGES)
def test_it_works_without_script(seen: dict[str, Any], name: str) -> None:
    message = seen[name]["withoutScript"]
    assert not message["filters"], "no filter that does nothing"
    assert message["opened"] in {True, None}


def test_pictures_are_seen_without_script(seen: dict[str, Any]) -> None:
    assert seen["gate"]["withoutScript"]["pictures"] == 6
    assert seen["gate"]["withoutScript"]["cells"] == 53


@pytest.mark.parametrize("name", PAGES)
def test_hostile_evidence_has_no_effect(seen: dict[str, Any], name: str) -> None:
    message = seen[name]["inert"]
    assert message["dialogs"] == []
    assert message["scripts"] == 1
    assert message["strange"] == 0
    assert message["ran"] is False, "the policy stops a script that the page did not bring"


@pytest.mark.parametrize("name", PAGES)
def test_paper_is_white(seen: dict[str, Any], name: str) -> None:
    message = seen[name]["paper"]
    assert message["ground"] == "rgb(255, 255, 255)"
    assert message["ink"] == "rgb(20, 24, 31)"
    assert message["bytes"] > 1_000
