"""Relative links of pages outside the site lead to files, and their anchors to headings."""

from __future__ import annotations

import re
import subprocess

import pytest

from .blocks import ROOT

LISTED = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
PAGES = [name for name in LISTED.splitlines() if not name.startswith("docs/")]
LINK = re.compile(r"\]\((?![a-z]+:)([^)#\s]*)(?:#([^)\s]+))?\)")


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    here = ROOT / page
    text = here.read_text(encoding="utf-8")
    for path, anchor in LINK.findall(re.sub(r"```.*?```|`[^`\n]+`", "", text, flags=re.DOTALL)):
        target = (here.parent / path).resolve() if path else here
        assert target.exists(), f"{page}: {path}"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target.read_text(encoding="utf-8")), f"{page}: {path}#{anchor}"
