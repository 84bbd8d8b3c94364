"""The dialects of the threads deployment: different choices where the contract leaves one. All conform."""

import base64
import secrets
import string
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal


def upper_uuid() -> str:
    """A random UUID in capitals."""
    return str(uuid.uuid4()).upper()


def digits() -> str:
    """Twenty-four random digits; leading zeros are usual."""
    return "000" + "".join(secrets.choice(string.digits) for _ in range(21))


def base64_id() -> str:
    """Base64 with its `+`, `/` and `=`, of which there is always one each."""
    return "+/" + base64.b64encode(secrets.token_bytes(16)).decode()


def exchange_id() -> str:
    """In the manner of a telephone exchange: node, seconds and a random fraction."""
    return f"pbx 7:{int(time.time())}.{secrets.randbelow(10**15):015d}"


def long_id() -> str:
    """Some 360 characters in three parts, as a signed token has them."""
    return ".".join(secrets.token_urlsafe(90) for _ in range(3))


def braced_id() -> str:
    """A UUID in braces, in mixed case."""
    text = str(uuid.uuid4())
    return "{" + text[:18].upper() + text[18:] + "}"


def odd_id() -> str:
    """Text beyond ASCII, with a percent sign and quotes."""
    return f'Ruf-№{secrets.token_hex(8)}-100%-"ж"-📞'


@dataclass(frozen=True)
class Dialect:
    """One way to conform. Times are in seconds, sizes in bytes, rates in requests per second."""

    summary: str
    new_id: Callable[[], str] = upper_uuid
    refusal: Literal["html", "text", "empty", "problem"] = "html"
    statuses: Mapping[str, int] = field(default_factory=dict)
    methods: Mapping[str, int] = field(default_factory=dict)
    preflight: bool = False
    phrase: str | None = None
    token_first: bool = False
    strict: bool = False
    pending: Literal["empty", "left-out"] = "empty"
    unknown: Literal["left-out", "empty", "refused"] = "left-out"
    repeated: bool = False
    request_id: Literal["own", "empty", "conversation", "poll"] = "own"
    extras: bool = True
    order: Literal["asked", "reversed", "sorted"] = "asked"
    empty_list_refused: bool = False
    most_ids: int = 25
    largest_body: int = 4 * 1024 * 1024
    json_style: Literal["plain", "pretty", "escaped", "slashes"] = "plain"
    content_type: str = "application/json"
    framing: Literal["length", "chunked", "close"] = "length"
    lower_headers: bool = False
    idle_seconds: float = 30.0
    answer_after: float = 0.0
    tell_after: float = 0.0
    instant_states: frozenset[str] = frozenset()
    triggers_per_second: float | None = None
    retry_after: Literal["seconds", "fraction", "date", "absent"] = "seconds"
    delivery: Literal["put-json", "get-query", "form", "array", "bare", "path"] = "put-json"
    copies: int = 1
    ids_parsed: bool = False
    ignores_the_rest: bool = False


NATURAL = Dialect(
    "Ids are UUIDs in capitals, refusals 400 with a short HTML page, pending calls entries with an empty state,"
    " deliveries PUT with a JSON body; at most 25 ids a poll."
)

DIALECTS: Mapping[str, Dialect] = {
    "natural": NATURAL,
    "plain-text": replace(
        NATURAL,
        summary=(
            "The token is looked at first; refusals are plain text with 401, 404, 422; ids are digits with"
            " leading zeros."
        ),
        new_id=digits,
        refusal="text",
        token_first=True,
        statuses={"token": 401, "shape": 422, "number": 404},
    ),
    "silent": replace(
        NATURAL,
        summary=(
            "Refusals have no body and a status phrase of their own; answers no extra member, CallRequestId is empty."
        ),
        refusal="empty",
        phrase="As You Like It",
        statuses={"token": 403, "method": 403, "batch": 400},
        request_id="empty",
        extras=False,
    ),
    "problem-json": replace(
        NATURAL,
        summary=(
            "Refusals are problem JSON whose text speaks of UniqueId and CallResults; a poll of only unknown ids"
            " gets 404."
        ),
        refusal="problem",
        statuses={"shape": 409, "token": 418},
        unknown="refused",
        empty_list_refused=True,
    ),
    "encoded-ids": replace(
        NATURAL,
        summary=(
            "Ids are base64; JSON escapes the slash; results go out by GET, with the id percent-encoded in the query."
        ),
        new_id=base64_id,
        json_style="slashes",
        delivery="get-query",
    ),
    "escaped": replace(
        NATURAL,
        summary=(
            "JSON escapes every character of every name and value; ids are text beyond ASCII; lists come in reverse."
        ),
        new_id=odd_id,
        json_style="escaped",
        order="reversed",
    ),
    "chunked": replace(
        NATURAL,
        summary=(
            "Answers are chunked, indented, surrounded by white space; header names are in small letters; ids 360 long."
        ),
        new_id=long_id,
        framing="chunked",
        json_style="pretty",
        content_type='Application/JSON ; charset="UTF-8"',
        lower_headers=True,
    ),
    "closing": replace(
        NATURAL,
        summary=(
            "HTTP/1.0 answers without a length, ended by closing; pending calls are left out; results go as form"
            " fields, twice."
        ),
        framing="close",
        pending="left-out",
        delivery="form",
        copies=2,
    ),
    "idle-closed": replace(
        NATURAL,
        summary=(
            "A kept-alive connection is closed without notice after 200 ms of idleness; ids are in braces and"
            " mixed case."
        ),
        idle_seconds=0.2,
        new_id=braced_id,
        request_id="conversation",
    ),
    "echoing": replace(
        NATURAL,
        summary=(
            "Unknown ids are entries with an empty state, one asked for twice is reported twice, each poll renames"
            " CallRequestId."
        ),
        unknown="empty",
        repeated=True,
        request_id="poll",
        order="sorted",
        most_ids=20,
    ),
    "strict": replace(
        NATURAL,
        summary=(
            "Unknown parameters, null, names given twice, other content types and bodies over 48 KiB are refused."
        ),
        strict=True,
        statuses={"media": 415},
        largest_body=48 * 1024,
        empty_list_refused=True,
    ),
    "slow": replace(
        NATURAL,
        summary=(
            "A trigger is answered after 150 ms, a state is reported 200 ms late; the result is a bare id in plain"
            " text, twice."
        ),
        answer_after=0.15,
        tell_after=0.2,
        delivery="bare",
        copies=2,
        pending="left-out",
    ),
    "instant-lines": replace(
        NATURAL,
        summary=(
            "Calls that end in Invalid Number or Error are final, and their results sent, before the trigger is"
            " answered."
        ),
        answer_after=0.12,
        instant_states=frozenset({"Invalid Number", "Error"}),
        new_id=exchange_id,
    ),
    "rationed": replace(
        NATURAL,
        summary=(
            "Above twelve triggers at once or in a second 429 says Retry-After in seconds; results go as JSON arrays."
        ),
        triggers_per_second=12.0,
        delivery="array",
    ),
    "rationed-by-date": replace(
        NATURAL,
        summary=(
            "As rationed, but Retry-After is a date, and the refusal has no body; results go by the path of the"
            " address."
        ),
        triggers_per_second=12.0,
        retry_after="date",
        refusal="empty",
        delivery="path",
    ),
    "rationed-by-fraction": replace(
        NATURAL,
        summary="As rationed, but Retry-After has a fraction of a second.",
        triggers_per_second=12.0,
        retry_after="fraction",
    ),
    "rationed-bare": replace(
        NATURAL,
        summary="As rationed, but without Retry-After.",
        triggers_per_second=12.0,
        retry_after="absent",
    ),
    "ignores-the-rest": replace(
        NATURAL,
        summary="What stands behind the JSON object of a trigger is ignored.",
        ignores_the_rest=True,
    ),
    "ids-parsed": replace(
        NATURAL,
        summary="Ids are read by a UUID library: small letters, braces and left out dashes all find the call.",
        ids_parsed=True,
    ),
    "preflight": replace(
        NATURAL,
        summary="OPTIONS is answered with 204 and what is allowed, as a browser asks before it posts.",
        preflight=True,
    ),
    "methods": replace(
        NATURAL,
        summary=(
            "Other methods than POST get 404, 403, 400 or 501 by name; states of ids that are finished come sorted."
        ),
        methods={"GET": 404, "HEAD": 403, "OPTIONS": 400, "PUT": 501, "DELETE": 401, "PATCH": 410},
        order="sorted",
        statuses={"json": 415},
    ),
}
