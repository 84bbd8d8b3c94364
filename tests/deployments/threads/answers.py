"""Answers before they are sent, and how their JSON is written, with and without faults."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from tests.deployments.threads.ways import Ways


@dataclass
class Answer:
    """Status, body and headers other than Content-Length; the content type may be absent."""

    status: int
    body: bytes = b""
    content_type: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    phrase: str | None = None


def accepted(content: dict[str, Any], token: str, immediate: bool, ways: Ways) -> Answer:
    """The answer to an accepted trigger."""
    status = 200
    if ways.fault("created"):
        status = 201
    if ways.fault("queued-202") and not immediate:
        status = 202
    data: object = [content] if ways.fault("id-in-list") else content
    text = written(data, ways)
    if ways.fault("id-twice"):
        text = f'{{"UniqueId": {json.dumps(content["UniqueId"])}, {text[1:]}'
    if ways.fault("trailing-comment"):
        text += "\n<!-- rendered in 3 ms -->\n"
    content_type = "text/html; charset=utf-8" if ways.fault("trigger-as-html") else ways.dialect.content_type
    headers = {"X-Trace": f"key={token}"} if ways.fault("token-in-header") else {}
    return Answer(status, text.encode(), content_type, headers)


def results(entries: list[dict[str, Any]], asked: list[str], ways: Ways) -> Answer:
    """The answer to a poll."""
    content = _content(entries, ways)
    states = [entry.get("CallState") for entry in entries]
    pending = len(entries) < len(asked) or not all(states)
    status = 200
    if ways.fault("pending-202") and not all(states):
        status = 202
    if ways.fault("finished-206") and any(states) and not all(states):
        status = 206
    if ways.fault("pending-404") and len(asked) == 1 and entries and pending:
        status = 404
    text = written(content, ways)
    if ways.fault("state-twice"):
        text = text.replace('"CallState": ', '"CallState": "", "CallState": ')
    if ways.fault("nested-twice"):
        text = re.sub(r'"Trunk": \{', '"Trunk": {"Name": "north", ', text)
    if ways.fault("guarded-json") and entries:
        text = ")]}',\n" + text
    if ways.fault("bom-on-poll"):
        text = "\ufeff" + text
    content_type: str | None = "text/plain; charset=utf-8" if ways.fault("poll-as-text") else ways.dialect.content_type
    if ways.fault("empty-untyped") and not entries:
        content_type = None
    return Answer(status, text.encode(), content_type)


def _content(entries: list[dict[str, Any]], ways: Ways) -> dict[str, Any]:
    value: object = entries
    if ways.fault("single-unwrapped") and len(entries) == 1:
        value = entries[0]
    if ways.fault("none-is-null") and not entries:
        value = None
    content: dict[str, Any] = {"CallResults": value}
    if ways.fault("none-is-nothing") and not entries:
        content = {}
    if ways.dialect.extras:
        content["Count"] = len(entries)
    return content


def written(data: object, ways: Ways) -> str:
    """JSON in the dialect's style."""
    match ways.dialect.json_style:
        case "pretty":
            return "\r\n  " + json.dumps(data, indent="\t", ensure_ascii=False) + "\n\n"
        case "slashes":
            return json.dumps(data, separators=(",", ":")).replace("/", "\\/")
        case "escaped":
            return _escaped(data)
    return json.dumps(data)


def _escaped(data: object) -> str:
    """JSON whose strings are all escapes, names included."""
    if isinstance(data, dict):
        return "{" + ",".join(f"{_escaped(name)}:{_escaped(value)}" for name, value in data.items()) + "}"
    if isinstance(data, list):
        return "[" + ",".join(map(_escaped, data)) + "]"
    if isinstance(data, str):
        units = data.encode("utf-16-be", "surrogatepass").hex()
        return '"' + "".join(f"\\u{units[place : place + 4]}" for place in range(0, len(units), 4)) + '"'
    return json.dumps(data)
