"""Finds the contents of an EndUser in text, all of which is personal data.

It recognises JSON (also cut off, or within a JSON string), forms, XML, YAML and printed objects
(`EndUser(Name=Given Family)`), and a name next to a telephone number or an e-mail address.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from ringback.deployment.redaction.personal import LabelledSpan

__all__ = ["end_users"]

_USER = r"end[_ -]?user"
_KEY = re.compile(
    rf"(?P<quote>\\{{0,8}}[\"'])?(?<![a-z]){_USER}(?(quote)(?P=quote))(?P<colon>\s{{0,64}}[:=]>?\s{{0,64}})?",
    re.IGNORECASE,
)
_PATH = re.compile(
    rf"(?<![a-z]){_USER}(?:\]?[.\[:/_-])(?P<member>name|phone|email)\]?\\{{0,8}}[\"']?\s{{0,8}}[=:]\s{{0,8}}\\{{0,8}}[\"']?"
    r"(?P<value>[^&\"'<>\\\n;,}]{1,4096})",
    re.IGNORECASE,
)
_TAG = re.compile(rf"<(?:[\w-]{{1,64}}:)?{_USER}(?P<attributes>\s[^<>]{{0,4096}})?>", re.IGNORECASE)
_TAG_END = re.compile(rf"</(?:[\w-]{{1,64}}:)?{_USER}\s{{0,8}}>", re.IGNORECASE)
_ELEMENT = re.compile(r"<(?:[\w-]{1,64}:)?(?P<member>[\w-]{1,64})[^<>]{0,256}>(?P<value>[^<]*)|>(?P<bare>[^<]*)")
_MEMBER = re.compile(
    r"(?:(?<![\w.])(?P<member>[\w.]{1,64})[\"']?\s{0,8}[=:]>?\s{0,8})(?:\"(?P<double>[^\"\n]*)\"?|'(?P<single>[^'\n]*)'?"
    r"|(?P<bare>[^\s\"',;&()\[\]{}<>][^\"',;&)\]}<>\n]*))"
)
_BESIDE = re.compile(
    r"(?<![\w.])name=(?P<value>[^&\s\"'<>;_=][^&\s\"'<>;=]{0,4096})(?=[&;](?:[^\s\"'<>]{0,512}[&;])?(?:phone|e?mail)=)"
    r"|(?<![\w.])(?:phone|e?mail)=[^\s\"'<>]{0,512}?[&;]name=(?P<after>[^&\s\"'<>;_=][^&\s\"'<>;=]{0,4096})"
    r"|(?P<quote>\\{0,8}\")name(?P=quote)\s{0,8}:\s{0,8}(?P=quote)(?P<json>[^\"\\_][^\"\\]{0,4096})(?P=quote)"
    r"(?=\s{0,8},\s{0,8}(?P=quote)(?:phone|e?mail)(?P=quote))"
    r"|(?P<other>\\{0,8}\")(?:phone|e?mail)(?P=other)\s{0,8}:\s{0,8}(?P=other)[^\"\\]{0,512}(?P=other)\s{0,8},\s{0,8}(?P=other)name"
    r"(?P=other)\s{0,8}:\s{0,8}(?P=other)(?P<last>[^\"\\_][^\"\\]{0,4096})(?P=other)"
    r"|<name>(?P<xml>[^<>_][^<>]{0,4096})</name>(?=\s{0,64}<(?:phone|e?mail)>)",
    re.IGNORECASE,
)
_Part = tuple[list[LabelledSpan], int]
"""The spans that were found, and the end of the text that was searched."""
_CLOSES = {"(": ")", "{": "}", "[": "]"}
_OPENING = re.compile(r"(?:[\w.]{1,64})?(?:[(\[{]|[ \t]{1,4}[(\[{](?=[ \t]{0,4}[\w.]{1,64}[ \t]{0,4}[=:]))")
"""A bracket, with or without a type's name before it; after blanks only if a member follows it."""
_LONGEST = 16 * 1024
"""The most characters of a printed EndUser."""
_LITERALS = frozenset({"", "null", "none", "nil", "true", "false", "undefined"})
_MARK = re.compile("[\U000f0000-\U000ffffd]+|<(?:name|phone|email|e-mail|number|personal)>")
_NAME_FOLLOWS = re.compile(r"\s{0,64}:")
_SCALAR = re.compile(r"[^\s,;&}\])<>\"'\\]+")
_TITLED = re.compile(r"[^\W\d_a-z][\w'.-]*(?: [^\W\d_a-z][\w'.-]*)+")
_VALUE_OF_FORM = re.compile(r"[^&;\"'<>\\\n(){}\[\],]{1,4096}")
_LINES = re.compile(r"(?:[ \t]*\n[ \t]+\w{1,64}:[^\n]*)+")


def end_users(text: str, source: Callable[[int], int], seen: set[int]) -> Iterator[LabelledSpan]:
    """Find personal data of an EndUser.

    `source` maps a position of this layer to the original text, and `seen` has the positions of each EndUser that was
    found before: JSON within a JSON string is read first with its quotes escaped, because its strings end more clearly.
    """
    lowered = text.lower()
    if "user" in lowered:
        for found in _PATH.finditer(text):
            yield from _span(text, *found.span("value"), found["member"])
        for pattern, inside in ((_KEY, _after), (_TAG, _element)):
            done = 0  # the end of the text that was searched
            for found in pattern.finditer(text):
                if found.start() >= done and (origin := source(found.start())) not in seen:
                    spans, done = inside(text, found)
                    if spans:
                        seen.add(origin)
                    yield from spans
    if "name" in lowered and ("phone" in lowered or "mail" in lowered):
        for found in _BESIDE.finditer(text):
            for group in ("value", "after", "json", "last", "xml"):
                if found[group]:
                    yield from _span(text, *found.span(group), "name")


def _span(text: str, start: int, end: int, member: str) -> Iterator[LabelledSpan]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    inside = text[start:end]
    if inside.lower() not in _LITERALS and not _MARK.fullmatch(inside):
        member = member.rpartition(".")[2].lower()
        yield start, end, f"<{member}>" if member in {"name", "phone", "email"} else "<personal>"


def _after(text: str, key: re.Match[str]) -> _Part:
    """Read what follows the name EndUser, in any of the forms."""
    at, quote, colon = key.end(), key["quote"], key["colon"]
    next_char = text[at : at + 1]
    value: re.Match[str] | None = None
    member = "name"
    if quote and colon:
        if next_char in {"{", "["}:
            return _json(text, at, quote)
        if text.startswith(quote, at):
            at += len(quote)
            end = _end_of_text(text, at, quote)
            return list(_span(text, at, end, member)), end
        value, member = _SCALAR.match(text, at), "personal"
    elif _PATH.match(text, key.start()):
        return [], key.end()
    elif opening := _OPENING.match(text, at):
        return _printed(text, opening.end() - 1)
    elif colon and "=" in colon:
        value = _VALUE_OF_FORM.match(text, at + (next_char in {"'", '"'}))
    elif colon:
        if lines := _LINES.match(text, key.start("colon") + 1):
            return _members(text, *lines.span()), lines.end()
        value = _TITLED.match(text, at)
    return ([], key.end()) if value is None else (list(_span(text, *value.span(), member)), value.end())


def _json(text: str, at: int, quote: str) -> _Part:
    """Find the strings and numbers in an object or array whose strings have such quotes."""
    spans, depth, member = list[LabelledSpan](), 0, ""
    quotes = "[\"']" if len(quote) == 1 else re.escape(quote)  # Python uses both quotes
    item = re.compile(rf"[{{}}\[\]]|{quotes}|(?<![\w.])-?\d[\d.eE+-]*")
    while found := item.search(text, at):
        at = found.end()
        if found[0] in {"{", "["}:
            depth += 1
        elif found[0] in {"}", "]"}:
            depth -= 1
            if depth <= 0:
                return spans, at
        elif found[0][-1] not in {'"', "'"}:
            spans += _span(text, *found.span(), member)
        else:
            end = _end_of_text(text, at, found[0])
            start, at = at, min(len(text), end + len(quote))
            if _NAME_FOLLOWS.match(text, at):
                member = text[start:end]
            else:
                spans += _span(text, start, end, member)
    return spans, len(text)


def _printed(text: str, at: int) -> _Part:
    """Read `(Name=Given Family, Phone=…)`, or values without names."""
    closing = _CLOSES[text[at]]
    opening, depth, end = text[at], 0, min(len(text), at + _LONGEST)
    for found in re.compile(rf"[{re.escape(opening + closing)}]").finditer(text, at, end):
        depth += 1 if found[0] == opening else -1
        if depth == 0:
            end = found.start()
            break
    if _MEMBER.search(text, at + 1, end):
        return _members(text, at + 1, end), end
    return list(_span(text, at + 1, end, "personal")), end


def _members(text: str, start: int, end: int) -> list[LabelledSpan]:
    """Find the values of `name=value` and `name: value`."""
    spans: list[LabelledSpan] = []
    for found in _MEMBER.finditer(text, start, end):
        for group in ("double", "single", "bare"):
            if found[group]:
                spans += _span(text, *found.span(group), found["member"])
    return spans


def _element(text: str, tag: re.Match[str]) -> _Part:
    """Find attributes and contents of an XML element."""
    spans = _members(text, *tag.span("attributes")) if tag["attributes"] else []
    if (tag["attributes"] or "").endswith("/"):
        return spans, tag.end()
    limit = min(len(text), tag.end() + _LONGEST)
    last = _TAG_END.search(text, tag.end(), limit)
    end = last.start() if last else limit
    for found in _ELEMENT.finditer(text, tag.end() - 1, end):
        spans += _span(text, *found.span("value" if found["member"] else "bare"), found["member"] or "personal")
    return spans, end


def _end_of_text(text: str, start: int, quote: str) -> int:
    """The end of a quoted text: the next quote that is not escaped, or the end of the whole text.

    In JSON within a JSON string, quotes have one backslash, and escaped quotes three.
    """
    level = len(quote)
    at = text.find(quote[-1], start)
    while at >= 0:
        first = at
        while first > start and text[first - 1] == "\\":
            first -= 1
        if (at - first - (level - 1)) // level % 2 == 0:
            return max(start, at - (level - 1))
        at = text.find(quote[-1], at + 1)
    return len(text)
