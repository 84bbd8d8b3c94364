"""Banned words do not appear: each has a plain word in its place."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SUFFIXES = {".py", ".md", ".toml", ".html", ".j2", ".mjs"}

INSTEAD = {
    r"told": "reported, described, configured",
    r"tells of": "reports, shows",
    r"telling": "reporting",
    r"mend(s|ed|ing)?": "fix",
    r"(is|are) \w+(-\d+)?'s? matter": "covered by",
    r"doors?": "client",
    r"crews?": "runner",
    r"shelf|shelves": "closed windows",
    r"errands?": "task",
    r"wish(es)?": "options",
    r"meeting": "address",
    r"players?": "worker",
    r"doubtful": "indeterminate",
    r"unasked": "unrequested",
    r"withheld": "held back by the rate limit",
    r"unkept": "failed",
    r"nobody's": "unknown",
    r"strangers": "unknown ids, numbers that are not lines",
    r"tastes?": "dialect",
    r"once more": "again, retries",
    r"in vain": "without effect",
    r"for good": "permanently",
    r"a fault of its own": "an internal error",
}
"""Patterns, and the words to use instead."""

EXCEPTIONS: dict[str, str] = {
    "tests/test_words.py": "lists the words",
}
"""Files that may use them, and why."""


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    return [name for name in listed.stdout.splitlines() if Path(name).suffix in SUFFIXES and (ROOT / name).is_file()]


WORDS = re.compile(rf"(?<![a-z])(?:{'|'.join(f'(?:{pattern})' for pattern in INSTEAD)})(?![a-z])")


def found_in(text: str) -> list[str]:
    """The banned words in a text, also as parts of names, each with its line."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", line).lower().replace("’", "'")
        found += [f"line {number}: {match[0]}" for match in WORDS.finditer(apart)]
    return found


def test_tracked_files_use_plain_words() -> None:
    read = [name for name in tracked() if name not in EXCEPTIONS]
    found = {name: words for name in read if (words := found_in((ROOT / name).read_text(encoding="utf-8")))}
    assert not found, "INSTEAD says what to write"


@pytest.mark.parametrize("text", ["What is told.", "_mended = 1", "class CallDoor:", "It is ROB-01's matter."])
def test_a_word_is_found_in_prose_and_in_names(text: str) -> None:
    assert len(found_in(text)) == 1


@pytest.mark.parametrize("text", ["A mendicant outdoors.", "an amendment", "We wished to be retold."])
def test_other_words_that_contain_one_are_allowed(text: str) -> None:
    assert not found_in(text)
