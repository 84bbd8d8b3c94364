"""Hostile bodies for the guard's property tests: each has a number that is not a line where a server may dial it.

A `Choices` makes all choices: Hypothesis (whose examples shrink) or a seeded `random.Random` (for many bodies).
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar
from urllib.parse import quote

__all__ = ["CALLER", "HARMLESS", "LINES", "Choices", "Hostile", "hostile", "mutated", "stranger", "trigger", "written"]

LINES = ("5550000001", "5550000002", "+4955500003", "0555000004")
CALLER = "200"
HARMLESS = (
    "Collections 24",
    "tok-8847362910-x",
    "/ivr/collections/2",
    "https://orchestrator.example.com:4431",
    "http://127.0.0.1:8099",
    "https://ivr.example.com:22222",
)
BASE = "https://ivr.example.com:22222"

_BARE_LINES = {line.lstrip("+0") for line in LINES}
_ORDINARY = {"caller", "end user's name", "variable", "conversation", "tenant", "result destination", "member's name"}
"""Places where a short number is not dialled."""

T = TypeVar("T")
Json = Any


class Choices(Protocol):
    """Where a generator's decisions come from."""

    def choice(self, options: Sequence[T], /) -> T: ...

    def randrange(self, stop: int, /) -> int: ...


class Hostile(NamedTuple):
    """A request that must not be sent."""

    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    made: str
    """How it was made, for failure messages."""
    certain: bool
    """Whether it has the complete number and so must be refused; otherwise only if a reader finds the number."""


def stranger(choose: Choices) -> str:
    """A number that is not a line, or is similar to one."""
    line = choose.choice(LINES)
    bare = line.lstrip("+")
    options: list[Callable[[], str]] = [
        lambda: "".join(str(choose.randrange(10)) for _ in range(10)),
        lambda: "".join(str(choose.randrange(10)) for _ in range(7 + choose.randrange(9))),
        lambda: bare + str(choose.randrange(10)),
        lambda: str(1 + choose.randrange(9)) + bare,
        lambda: bare[:-1],
        lambda: bare[:-1] + str((int(bare[-1]) + 5) % 10),
        lambda: "00" + bare,
        lambda: "+" + bare,
        lambda: bare[::-1],
        lambda: bare + bare,
        lambda: choose.choice(("112", "911", "0800", "11880", "116117", CALLER)),
    ]
    number = choose.choice(options)()
    return "5559998877" if number in LINES else number


_PLAIN_NAMES = ("_Destination", "_Destination", "_Destination", "Destination", "_DESTINATION", "_destination")
_ODD_NAMES = (
    "_DestinationNumber", " _Destination", "_Destination\t", "_Destination\u200b", "_Des\u00adtination",
    "＿Ｄｅｓｔｉｎａｔｉｏｎ", "_Dеstinаtiоn", "_Dest\u0131nation", "_D\u00e9stination", "Phone", "phone_number",
    "MSISDN", "_𝐃𝐞𝐬𝐭𝐢𝐧𝐚𝐭𝐢𝐨𝐧", "%5FDestination", "&#95;Destination", "\\u005fDestination", "_DEST\u0130NATION",
)  # fmt: skip


def _name(choose: Choices) -> str:
    return choose.choice(_PLAIN_NAMES if choose.randrange(3) else _ODD_NAMES)


class Literal(str):
    """Text that is written into a body without quotes and escapes."""

    __slots__ = ()


def _digits(number: str, zero: int) -> str:
    return "".join(chr(zero + int(c)) if c.isdigit() else c for c in number)


def _spelt(number: str, choose: Choices) -> Json:
    """A number as a JSON value, in one of the forms in which it could be written."""
    bare = number.lstrip("+")
    middle = len(number) // 2
    escapes = "".join(f"\\u{ord(c):04x}" for c in number)
    zero = choose.choice((0xFF10, 0x0660, 0x06F0, 0x0966, 0x1D7CE, 0x1D7F6, 0x104A0))
    options: list[Callable[[], Json]] = [
        lambda: number,
        lambda: Literal(bare.lstrip("0") or "5559998877"),
        lambda: Literal(f"{bare.lstrip('0') or '5559998877'}.0"),
        lambda: Literal(f"{bare[0]}.{bare[1:]}e{len(bare) - 1}"),
        lambda: Literal(f"{bare[0]}.{bare[1:]}E+{len(bare) - 1}"),
        lambda: Literal(f"-{bare.lstrip('0') or '5559998877'}"),
        lambda: _digits(number, zero),
        lambda: number[:middle] + _digits(number[middle:], zero),
        lambda: choose.choice(" -.\u00a0\u2010\u2009").join((number[:3], number[3:6], number[6:])),
        lambda: f"({number[:3]}) {number[3:6]}-{number[6:]}",
        lambda: number[:middle] + choose.choice("\u200b\u2060\u00ad\ufe0f\u202e\u0301") + number[middle:],
        lambda: f" {number}",
        lambda: f"{number}\n",
        lambda: f"tel:{number}",
        lambda: f"sip:{number}@pbx.example.com",
        lambda: f"{number};ext=1",
        lambda: Literal(f'"{escapes}"'),
        lambda: Literal(f'"{number[:middle]}{escapes[middle * 6 :]}"'),
        lambda: escapes,
        lambda: "".join(f"&#{ord(c)};" for c in number),
        lambda: "".join(f"%{ord(c):02x}" for c in number),
        lambda: [number],
        lambda: [[None, number]],
        lambda: {"number": number},
        lambda: {"a": {"b": [number]}},
        lambda: {number: None},
        lambda: {number: choose.choice(LINES)},
        lambda: json.dumps({"_Destination": number}),
        lambda: json.dumps(json.dumps([number])),
    ]
    return number if choose.randrange(3) == 0 else choose.choice(options)()


class Members(list[tuple[str, Json]]):
    """An object whose names may occur twice; the order counts."""


def trigger(parameters: Json, **changes: Json) -> Members:
    """The documented trigger with other parameters."""
    members = {
        "Project": "Collections 24",
        "ConversationId": "rb-conversation",
        "AccessToken": "tok-8847362910-x",
        "ScenarioPath": "/ivr/collections/2",
        "OrchestratorUrl": "https://orchestrator.example.com:4431",
        "Tenant": "Default",
        "EndUser": Members([("Name", "Jane Doe"), ("Phone", LINES[0]), ("Email", "jane@example.com")]),
        "Locale": "en-US",
        "ScenarioInputParameters": parameters,
        "ResultDestination": "http://127.0.0.1:8099/results",
        "SendResultImmediately": False,
    }
    return Members({**members, **changes}.items())


def _pair(name: str, value: Json) -> Members:
    return Members([("Name", name), ("Value", value)])


def _shaped(choose: Choices, value: Json, number: str) -> tuple[Json, str]:
    """A body with the number, and the name of its shape."""
    name, line = _name(choose), choose.choice(LINES)
    caller, good, bad = _pair("_DisplayNumber", CALLER), _pair("_Destination", line), _pair(name, value)
    upper = [Members([("NAME", name), ("VALUE", value)]), Members([("name", name), ("value", value)])]
    shapes: dict[str, Callable[[], Json]] = {
        "plain": lambda: trigger([caller, bad]),
        "plain, first": lambda: trigger([bad, caller]),
        "both, good last": lambda: trigger([caller, bad, good]),
        "both, bad last": lambda: trigger([caller, good, bad]),
        "other case": lambda: trigger([caller, choose.choice(upper)]),
        "value first": lambda: trigger([caller, Members([("Value", value), ("Name", name)])]),
        "more members": lambda: trigger([caller, Members([("Name", name), ("Type", "x"), ("Value", value)])]),
        "value twice": lambda: trigger([caller, Members([("Name", name), ("Value", line), ("Value", value)])]),
        "value twice, bad first": lambda: trigger([Members([("Name", name), ("Value", value), ("Value", line)])]),
        "value twice, by case": lambda: trigger([Members([("Name", name), ("Value", line), ("value", value)])]),
        "name twice": lambda: trigger([Members([("Name", "x"), ("Name", name), ("Value", value)])]),
        "parameters twice": lambda: Members(
            [*trigger([caller, bad]), ("ScenarioInputParameters", [caller, good])],
        ),
        "flat": lambda: Members([(name, value)]),
        "flat in the trigger": lambda: trigger([caller, good], **{name: value}),
        "flat parameters": lambda: trigger(Members([("_DisplayNumber", CALLER), (name, value)])),
        "array pairs": lambda: trigger([["_DisplayNumber", CALLER], [name, value]]),
        "one array": lambda: trigger(["_DisplayNumber", CALLER, name, value]),
        "parallel arrays": lambda: trigger(Members([("Names", [name]), ("Values", [value])])),
        "parallel members": lambda: Members([("Name", [name]), ("Value", [value])]),
        "halves": lambda: trigger([Members([("Name", name)]), Members([("Value", value)])]),
        "name in an object": lambda: trigger([Members([("Name", Members([("x", name)])), ("Value", value)])]),
        "attributes": lambda: trigger(Members([("Parameter", Members([("@Name", name), ("#text", value)]))])),
        "phone": lambda: trigger([caller, good], EndUser=Members([("Phone", value)])),
        "caller": lambda: trigger([_pair("_DisplayNumber", value), good]),
        "end user's name": lambda: trigger([caller, good], EndUser=Members([("Name", number)])),
        "variable": lambda: trigger([caller, good, _pair("variable", number)]),
        "conversation": lambda: trigger([caller, good], ConversationId=number),
        "tenant": lambda: trigger([caller, good], Tenant=f"a {number} b"),
        "result destination": lambda: trigger([caller, good], ResultDestination=f"http://example.com/{number}"),
        "member's name": lambda: trigger([caller, good], **{number: "x"}),
        "in JSON": lambda: trigger([caller, good], Extra=written(Members([(name, value)]))),
        "twice in JSON": lambda: Members([("Extra", json.dumps(written(trigger([caller, bad]))))]),
        "text in JSON": lambda: trigger([caller, good], Extra=f"{name}={number}"),
        "deep": lambda: _deep(choose.choice((3, 20, 70, 200)), Members([(name, value)])),
        "top array": lambda: [trigger([caller, good]), trigger([caller, bad])],
        "top string": lambda: written(trigger([caller, bad])),
        "lone array": lambda: [name, value],
        "ids beside it": lambda: Members([("UniqueIds", ["a"]), (name, value)]),
        "among ids": lambda: Members([("UniqueIds", ["a", Members([(name, value)])])]),
    }
    shape = choose.choice(tuple(shapes))
    return shapes[shape](), shape


def _deep(levels: int, value: Json) -> Json:
    for level in range(levels):
        value = [value] if level % 2 else Members([("a", value)])
    return value


def written(value: Json, quoted: Callable[[str], str] = lambda text: json.dumps(text, ensure_ascii=False)) -> str:
    """The JSON text of a value with literals and repeated names."""
    if isinstance(value, Literal):
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict):
        value = Members(value.items())
    if isinstance(value, Members):
        return "{" + ", ".join(f"{quoted(key)}: {written(element, quoted)}" for key, element in value) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(written(element, quoted) for element in value) + "]"
    return json.dumps(value)


def _escaped(choose: Choices) -> Callable[[str], str]:
    def quoted(text: str) -> str:
        some = "".join(f"\\u{ord(c):04X}" if choose.randrange(4) == 0 and c < "\uffff" else c for c in text)
        return f'"{some}"' if '"' not in text and "\\" not in text else json.dumps(text)

    return quoted


def _flattened(name: str, value: Json) -> str:
    return value if isinstance(value, str) else written(value)


def _wrapped(choose: Choices, value: Json, name: str, spelt: Json, number: str) -> tuple[str, str, str]:
    """The body as text, its content type, and the name of its form."""
    text = written(value)
    flat = _flattened(name, spelt)
    cut = max(text.rfind(part) for part in (flat, json.dumps(flat)[1:-1], number))
    form = f"_DisplayNumber={CALLER}&{quote(name, safe='')}="
    part = 'Content-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
    wrappings: dict[str, Callable[[], str]] = {
        "JSON": lambda: text,
        "indented": lambda: text.replace(", ", ",\r\n\t").replace(": ", " : "),
        "escapes": lambda: written(value, _escaped(choose)),
        "cut off": lambda: text[: cut + len(number)] if cut >= 0 else text[:-1],
        "cut off late": lambda: text[: -1 - choose.randrange(6)],
        "no start": lambda: text[1:],
        "trailing comma": lambda: text[:-1] + "," + text[-1],
        "trailing garbage": lambda: text + choose.choice(("}", "]", "x", "\0", "\n\n#", "{}", ";", "\u0085")),
        "leading garbage": lambda: (
            choose.choice((")]}',\n", "while(1);", "\0", "data: ", "\ufeff\ufeff", "#\n")) + text
        ),
        "two texts": lambda: written(trigger([_pair("_Destination", LINES[0])])) + "\n" + text,
        "comment": lambda: text.replace(": ", ": /* here */ ") + " // end",
        "comment, all": lambda: f"/* {text} */ {{}}",
        "single quotes": lambda: text.replace('"', "'"),
        "bare names": lambda: text.replace('"Name"', "Name").replace('"Value"', "Value").replace(f'"{name}"', name),
        "raw line break": lambda: text.replace('"Tenant"', '"Ten\nant"').replace("{", "{\x0b", 1),
        "not a number": lambda: text[:-1] + ', "x": NaN' + text[-1] if text[0] == "{" else text + " NaN",
        "JSONP": lambda: f"callback({text});",
        "form": lambda: form + quote(flat, safe=""),
        "form, raw": lambda: form + flat,
        "form, pairs": lambda: f"p[0][Name]={name}&p[0][Value]={flat}",
        "form of JSON": lambda: "json=" + quote(text, safe=""),
        "percent-encoded": lambda: quote(text, safe=""),
        "percent-encoded twice": lambda: quote(quote(text, safe=""), safe=""),
        "percent-encoded whole": lambda: "".join(f"%{byte:02X}" for byte in text.encode()),
        "entities": lambda: html.escape(text),
        "quoted": lambda: json.dumps(text, ensure_ascii=False)[1:-1],
        "multipart": lambda: f"--b\r\n{part.format('_DisplayNumber', CALLER)}--b\r\n{part.format(name, flat)}--b--\r\n",
        "XML": lambda: f"<c><_Destination>{html.escape(flat)}</_Destination></c>",
        "XML, pairs": lambda: f"<p><Name>{name}</Name><Value>{html.escape(flat)}</Value></p>",
        "YAML": lambda: f"ScenarioInputParameters:\n  - Name: {name.strip()}\n    Value: {flat}\n",
        "lines": lambda: f"{name}: {flat}\r\n",
    }
    kinds = tuple(wrappings)
    kind = "JSON" if choose.randrange(3) == 0 else choose.choice(kinds)
    media = {"form": "application/x-www-form-urlencoded", "mult": "multipart/form-data; boundary=b"}.get(
        kind[:4], choose.choice(("application/json", "application/json; charset=utf-8", "text/plain"))
    )
    return wrappings[kind](), media, kind


def _encoded(choose: Choices, text: str) -> tuple[bytes, str]:
    plain = text.encode("utf-8", "surrogatepass")
    if choose.randrange(3):
        return plain, "UTF-8"
    options: dict[str, Callable[[], bytes]] = {
        "UTF-8 with BOM": lambda: b"\xef\xbb\xbf" + plain,
        "UTF-16": lambda: text.encode("utf-16", "surrogatepass"),
        "UTF-16LE": lambda: text.encode("utf-16-le", "surrogatepass"),
        "UTF-16BE": lambda: text.encode("utf-16-be", "surrogatepass"),
        "UTF-16BE with BOM": lambda: b"\xfe\xff" + text.encode("utf-16-be", "surrogatepass"),
        "UTF-32": lambda: text.encode("utf-32", "surrogatepass"),
        "UTF-32LE": lambda: text.encode("utf-32-le", "surrogatepass"),
        "UTF-32BE": lambda: text.encode("utf-32-be", "surrogatepass"),
        "UTF-7": lambda: text.encode("utf-7", "replace"),
        "UTF-7, digits too": lambda: _utf7(text),
        "EBCDIC": lambda: text.encode("cp037") if text.isascii() else plain,
        "GB 18030": lambda: text.encode("gb18030", "replace"),
        "Latin-1": lambda: text.encode("latin-1") if text.isascii() else plain,
        "overlong digits": lambda: b"".join(bytes((0xC0, b | 0x80)) if 48 <= b <= 57 else bytes((b,)) for b in plain),
        "broken": lambda: plain[: len(plain) // 2] + b"\xff\xc3" + plain[len(plain) // 2 :],
        "NULs": lambda: plain.replace(b"5", b"5\0"),
        "CESU-8": lambda: "".join(_pair_of_surrogates(c) for c in text).encode("utf-8", "surrogatepass"),
    }
    kind = choose.choice(tuple(options))
    return options[kind](), kind


def _pair_of_surrogates(char: str) -> str:
    if char <= "\uffff":
        return char
    code = ord(char) - 0x10000
    return chr(0xD800 + (code >> 10)) + chr(0xDC00 + (code & 0x3FF))


def _utf7(text: str) -> bytes:
    def coded(char: str) -> bytes:
        return b"+" + base64.b64encode(char.encode("utf-16-be")).rstrip(b"=") + b"-"

    return b"".join(coded(c) if c.isdigit() else c.encode("utf-7", "replace") for c in text)


def hostile(choose: Choices) -> Hostile:
    """A request with a number that is not a line."""
    number = stranger(choose)
    spelt = _spelt(number, choose)
    value, shape = _shaped(choose, spelt, number)
    text, media, form = _wrapped(choose, value, _name(choose), spelt, number)
    body, encoding = _encoded(choose, text)
    path = choose.choice(("/v2/call", "/v2/call", "/v2/call", "/v2/callresult", "/v2/", "/v2/call/../callresult"))
    headers = (("Host", "ivr.example.com:22222"), ("Content-Type", media), ("Content-Length", str(len(body))))
    spared = len(number) < 7 and shape in _ORDINARY
    broken = form.startswith("cut off") or encoding == "broken"  # the number or the name may not be whole
    certain = number.lstrip("+0") not in _BARE_LINES and not broken and not spared
    return Hostile(BASE + path, headers, body, f"{shape}; {form}; {encoding}; {path}", certain)


_SCRAPS = (
    b'"', b"'", b"\\", b"{", b"}", b"[", b"]", b":", b",", b"+", b"-", b"0", b"5", b"1", b".", b" ", b"\0", b"\n", b"&",
    b"=", b"%", b"#", b"/*", b"*/", b"//", b"\\u0035", b"\\u", b"%35", b"&#53;", b"&", b"\xff", b"\xef\xbb\xbf", b"e9",
    b"5550000001", b"5559998877", b'"Name":"_Destination","Value":', b"_Destination", b"\xef\xbc\x95", b"\xe2\x80\x8b",
    b"=\n", b"\\\n", b'","', b'"},{"', b"_Destination=", b"Phone", b'\\"',
)  # fmt: skip


def mutated(choose: Choices, source: Hostile) -> Hostile:
    """A request with its body damaged at random; only a reader can find the number that it would dial now."""
    body = source.body
    for _ in range(1 + choose.randrange(5)):
        at = choose.randrange(len(body) + 1)
        length = choose.randrange(1 + min(24, len(body) - at))
        scrap = choose.choice((*_SCRAPS, b"", b"", body[at : at + length]))
        keep = at if choose.randrange(2) else at + length
        body = body[:at] + scrap + body[keep:]
    headers = tuple((name, str(len(body)) if name == "Content-Length" else value) for name, value in source.headers)
    return Hostile(source.url, headers, body, f"{source.made}; mutated", certain=False)
