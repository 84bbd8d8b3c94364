"""The shell commands of the documentation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PAGES", "ROOT", "Block", "blocks_of", "command_lines"]

ROOT = Path(__file__).parents[2]
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "reports/README.md",
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md")),
]
_BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<why>.+?) -->\n+)?^```(?:sh|console|bash)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of commands; `not_run` is the reason why no test runs it."""

    page: str
    text: str
    not_run: str | None


def blocks_of(page: str) -> list[Block]:
    """The blocks of a page in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [Block(page, match["text"], match["why"]) for match in _BLOCK.finditer(text)]


def command_lines(text: str) -> list[str]:
    """Each `ringback` command in a block, on one line and without its comment."""
    joined = re.sub(r"\\\n\s*", " ", text)
    found = []
    for line in joined.splitlines():
        command = re.sub(r"\s#.*$", "", line)
        match = re.match(r"(?:\s*[A-Z_]+=(?:'[^']*'|\S+))*\s*(ringback(?:\s.*)?)$", command)
        if match:
            found.append(match[1].strip())
    return found
