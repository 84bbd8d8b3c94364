"""The style sheet: enough contrast in light and dark, and a colour for every color role of the pictures."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

import ringback.reporting.html as package
from ringback.reporting.html.charts.sheet import ColorRole

CSS = (Path(package.__file__).parent / "templates" / "page.css").read_text(encoding="utf-8")
BY_DAY, BY_NIGHT = (
    dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
    for block in re.findall(r":root \{(.*?)\n *\}", CSS, re.DOTALL)[:2]
)
PALETTES = {"day": BY_DAY, "night": BY_DAY | BY_NIGHT}
TONES = ("good", "bad", "warn", "waived", "open", "idle")
READ = [
    *product(("ink", "soft", "accent"), ("paper", "ground", "quote")),
    *((tone, f"{tone}-soft") for tone in TONES),
    *((tone, "paper") for tone in TONES),
    *(("ink", f"{tone}-soft") for tone in TONES),
    ("ink", "shade"),
    ("soft", "shade"),
]
SEEN = [
    *product(
        ("p50", "p95", "p99", "service", "due", "final", "wait", "bad", "good", "open", "ink", "accent"), ("paper",)
    )
]


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_computed_as_wcag_defines_it() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("when", PALETTES)
@pytest.mark.parametrize(("text", "ground"), READ)
def test_text_can_be_read(when: str, text: str, ground: str) -> None:
    palette = PALETTES[when]
    assert contrast(palette[text], palette[ground]) >= 4.5


@pytest.mark.parametrize("when", PALETTES)
@pytest.mark.parametrize(("line", "ground"), SEEN)
def test_lines_can_be_seen(when: str, line: str, ground: str) -> None:
    palette = PALETTES[when]
    assert contrast(palette[line], palette[ground]) >= 3


def test_both_palettes_know_every_ink() -> None:
    assert set(ColorRole) <= set(BY_DAY) == set(BY_NIGHT)
    for role in ColorRole:
        assert f".f-{role} {{ fill: var(--{role}); }} .s-{role} {{ stroke: var(--{role}); }}" in CSS


def test_the_style_loads_no_file() -> None:
    assert not re.search(r"@import|url\(|expression", CSS)
