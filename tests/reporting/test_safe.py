from __future__ import annotations

import shlex
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.reporting import one_line, printable
from ringback.reporting.model.safe import shell_line

ANYTHING = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ünïcödé, 電話, 📞", "plain, ünïcödé, 電話, 📞"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("\x9b2J\x7f", "\\x9b2J\\x7f"),
        ("gnp\u202eexe", "gnp<U+202E>exe"),
        ("a\u200bb\ufeff", "a<U+200B>b<U+FEFF>"),
        ("\ud83d", "\\ud83d"),
        ("one\r\ntwo\tthree", "one\\r\ntwo    three"),
        ("a\u2028b", "a<U+2028>b"),
        ("Z" + "\u0335" * 5, "Z" + "\u0335" * 3 + "<U+0335><U+0335>"),
        ("[bold red]not markup[/]", "[bold red]not markup[/]"),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert printable(text, 1_000) == shown


def test_one_line_spells_line_breaks() -> None:
    assert one_line("one\r\ntwo\tthree", 100) == "one\\r\\ntwo\\tthree"


def test_a_cut_says_what_is_missing() -> None:
    assert printable("a" * 50, 10) == "a" * 10 + "… [40 more characters]"
    assert printable("a" * 11, 10) == "a" * 10 + "… [1 more character]"
    assert one_line("a" * 50, 10) == "a" * 9 + "…"
    assert printable("aaaaaaaa\x1b\x1b", 10) == "aaaaaaaa… [2 more characters]"


@settings(deadline=None)
@given(text=ANYTHING, limit=st.integers(1, 100))
def test_only_harmless_characters_are_left(text: str, limit: int) -> None:
    assert one_line(text, limit).isprintable()
    assert len(one_line(text, limit)) <= limit
    assert printable(text, limit).replace("\n", "").isprintable()
    printable(text, limit).encode("utf-8")


@settings(deadline=None)
@given(text=st.text(st.characters(categories=("L", "N", "P", "S"))))
def test_harmless_text_is_left_alone(text: str) -> None:
    assert printable(text, 10_000) == one_line(text, 10_000) == text


@pytest.mark.skipif(shutil.which("bash") is None, reason="pastes into bash")
@settings(max_examples=60, deadline=None)
@given(
    arguments=st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30), min_size=1, max_size=5
    )
)
def test_a_pasted_line_means_the_same(arguments: list[str]) -> None:
    pasted = shell_line(f"printf '%s\\0' {shlex.join(arguments)}")
    assert pasted.isprintable()
    got = subprocess.run(["bash", "-c", pasted], capture_output=True, check=True).stdout
    assert got == b"".join(argument.encode() + b"\0" for argument in arguments)
