from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ringback.contract.verdict import LimitResult, Verdict
from ringback.reporting import RunReport
from ringback.reporting.formats.badge import badge, write_badge
from ringback.rundir.names import BADGE_FILE

from .hostile_evidence import HARMLESS, HOSTILE

MakeReport = Callable[..., RunReport]
SVG = "{http://www.w3.org/2000/svg}"


def contrast_to_white(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)


@pytest.mark.parametrize(
    ("verdicts", "changed", "shown", "title"),
    [
        ({}, {}, "pass 53/53", "Ringback: pass. 53 of 53 clauses pass"),
        ({"ACK-03": Verdict.FAIL}, {}, "fail 52/53", "Ringback: fail. 1 of 53 clauses broken, 52 of 53 clauses pass"),
        ({"STA-02": Verdict.INCONCLUSIVE}, {}, "inconclusive 52/53", "Ringback: inconclusive. 1 clause undecided"),
        (
            {},
            {"clauses": (), "limits": (LimitResult("calls.lost", "== 0", 0.0, Verdict.PASS),)},
            "pass",
            "Ringback: pass. 1 limit held",
        ),
        ({}, {"clauses": ()}, "inconclusive", "Ringback: inconclusive. no verdict could be reached"),
    ],
)
def test_the_verdict_can_be_read_and_heard(
    tmp_path: Path,
    make_report: MakeReport,
    verdicts: dict[str, Verdict],
    changed: dict[str, Any],
    shown: str,
    title: str,
) -> None:
    path = write_badge(make_report(verdicts, **changed), tmp_path)
    assert path == tmp_path / BADGE_FILE
    root = ET.fromstring(path.read_bytes())
    assert [text.text for text in root.iter(f"{SVG}text")] == ["ringback", shown]
    assert root.get("role") == "img"
    assert root.get("aria-label") == root.findtext(f"{SVG}title")
    assert (root.findtext(f"{SVG}title") or "").startswith(title)
    fills = [fill for rect in root.iter(f"{SVG}rect") if (fill := rect.get("fill"))]
    assert len(fills) == 2
    assert all(contrast_to_white(fill) > 4.5 for fill in fills)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} == {
        "svg", "title", "clipPath", "rect", "g", "text",
    }  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_text_of_a_deployment_is_not_in_the_badge(of_every_kind: MakeReport, kind: str) -> None:
    text = HOSTILE[kind]
    assert badge(of_every_kind(text, base_url=text, faults=(text,))) == badge(of_every_kind(HARMLESS))
