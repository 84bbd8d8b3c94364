"""A strict reader of pages: every element is closed, and every reference has its target."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

VOID = {"meta", "link", "input", "br", "hr", "img"}
RAW = {"script", "style"}


@dataclass
class Page:
    """The contents of a page."""

    tags: Counter[str] = field(default_factory=Counter)
    ids: list[str] = field(default_factory=list)
    references: set[str] = field(default_factory=set)
    """Ids that the page refers to."""
    addresses: list[str] = field(default_factory=list)
    """Addresses that a browser might load or follow."""
    attributes: set[str] = field(default_factory=set)
    classes: set[str] = field(default_factory=set)
    text: str = ""
    policy: str = ""
    hashes: dict[str, list[str]] = field(default_factory=dict)
    title: str = ""


def read_page(path: Path) -> Page:
    """Read a page; AssertionError if its form is wrong."""
    source = path.read_bytes().decode("utf-8", "strict")
    assert source.startswith("<!DOCTYPE html>"), source[:40]
    reader = _Reader()
    reader.feed(source)
    reader.close()
    assert not reader.open, f"left open: {reader.open}"
    page = reader.page
    twice = [one for one, times in Counter(page.ids).items() if times > 1]
    assert not twice, f"ids given twice: {twice}"
    missing = page.references - set(page.ids)
    assert not missing, f"nothing has these ids: {missing}"
    return page


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self.open: list[str] = []
        self._raw = ""
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._take(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert "svg" in self.open, f"<{tag}/> outside of a picture"
        self._take(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> where {self.open[-3:]} are open, at {self.getpos()}"
        self.open.pop()
        if tag in RAW:
            digest = base64.b64encode(hashlib.sha256(self._raw.encode()).digest()).decode()
            self.page.hashes.setdefault(tag, []).append(f"'sha256-{digest}'")
            self._raw = ""

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in RAW:
            self._raw += data
        elif self.open[-1:] == ["title"] and "svg" not in self.open:
            self.page.title += data
        else:
            self.page.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data[:80]}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data[:80]}")

    def _take(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.page.tags[tag] += 1
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice"
        for name, value in attrs:
            self.page.attributes.add(name)
            self._attribute(tag, name, value or "")

    def _attribute(self, tag: str, name: str, value: str) -> None:
        match name:
            case "id":
                self.page.ids.append(value)
            case "class":
                self.page.classes.update(value.split())
            case "href" if value.startswith("#"):
                self.page.references.add(value[1:])
            case "aria-labelledby" | "aria-describedby" | "for":
                self.page.references.update(value.split())
            case "src" | "href" | "action" | "srcset" | "data" | "poster" | "formaction" | "ping" | "background":
                self.page.addresses.append(value)
            case "content" if tag == "meta" and "default-src" in value:
                self.page.policy = value
            case _ if value.startswith("url(#"):
                self.page.references.add(value[5:].rstrip(")"))
