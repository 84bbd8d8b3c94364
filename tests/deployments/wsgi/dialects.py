"""The deployment's dialects: different choices where the contract leaves one. All conform.

The defaults are the natural dialect; each other dialect changes one or two of them.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Dialect:
    """The choices of a deployment. Times are in seconds."""

    summary: str
    ids: str = "hex"  # hex, ulid, base64, signed, script
    # refusals
    refusal: str = "errors"  # errors, empty, text, problem, envelope
    refusal_status: int = 400
    token_status: int = 401
    method_status: dict[str, int] = field(default_factory=dict)  # 405 for all others
    credentials_first: bool = False
    answers_options: bool = False
    one_request_an_address: bool = False  # the results for one address that are due together
    strict: bool = False  # wrong media type, unknown and null parameters, names given twice, foreign tenants: refused
    largest_batch: int = 1000
    empty_list_refused: bool = False
    ignores_the_rest: bool = False  # what stands behind the JSON object
    ids_loosely: bool = False  # ids are compared without regard to case and blanks around them
    limit: str = ""  # 429 with Retry-After in "seconds", as a "date", or none ("bare")
    # results
    pending: str = "entry"  # entry, left-out
    unknown: str = "entry"  # entry, left-out, refused
    order: str = "asked"  # asked, reversed, by-state
    duplicates: str = "twice"  # twice, once
    request_id: str = ""  # "" is empty; conversation, per-poll
    further_members: bool = False
    # answers
    json: str = "pretty"  # pretty, compact, escaped, padded
    content_type: str = "application/json; charset=utf-8"
    reason: str = "OK"
    chunked: bool = False
    compressed: bool = False
    cookies: bool = False
    trigger_takes: float = 0.0
    poll_takes: float = 0.0
    reported_every: float = 0.0  # states become visible at multiples of this
    # deliveries
    delivery: str = "array"  # array, query, form, text
    deliveries: int = 1
    kept_alive: bool = True
    handshake: bool = False  # asks the destination with OPTIONS, naming no call, when a trigger is accepted


DIALECTS = {
    "natural": Dialect("lists errors by field, reports pending and unknown calls as empty, posts JSON arrays"),
    "sluggish": Dialect(
        "takes 150 ms for a trigger and 80 ms for a poll, and reports states at fifths of a second",
        trigger_takes=0.15,
        poll_takes=0.08,
        reported_every=0.2,
    ),
    "sortable-ids": Dialect(
        "makes ULIDs, which begin alike, and gives each poll a CallRequestId of its own",
        ids="ulid",
        request_id="per-poll",
        order="reversed",
    ),
    "escaped-json": Dialect(
        "makes base64 ids, and escapes what is not alphanumeric in answers and deliveries",
        ids="base64",
        json="escaped",
        content_type="application/json",
    ),
    "by-query": Dialect(
        "delivers by GET with a percent-encoded base64 id and no state, and leaves pending calls out",
        ids="base64",
        delivery="query",
        pending="left-out",
        json="compact",
    ),
    "form-thrice": Dialect(
        "has ids beyond ASCII, and delivers each result three times as a form by PUT on new connections",
        ids="script",
        delivery="form",
        deliveries=3,
        kept_alive=False,
    ),
    "terse": Dialect(
        "refuses with 422 and no body, other methods with 404, and leaves out calls without a state",
        refusal="empty",
        refusal_status=422,
        token_status=403,
        method_status=dict.fromkeys(("GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"), 404),
        pending="left-out",
        unknown="refused",
        duplicates="once",
        empty_list_refused=True,
        json="compact",
    ),
    "strict": Dialect(
        "refuses unknown, null and repeated parameters, other media types, foreign tenants, over twenty ids",
        strict=True,
        largest_batch=20,
        empty_list_refused=True,
        request_id="conversation",
    ),
    "chatty": Dialect(
        "streams answers with many further members, refuses with problem details, other methods with 501",
        further_members=True,
        refusal="problem",
        method_status=dict.fromkeys(("GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"), 501),
        chunked=True,
        unknown="left-out",
    ),
    "padded": Dialect(
        "surrounds JSON with white space, spells the media type in capitals, has its own reason phrase and cookies",
        json="padded",
        content_type='Application/JSON;Charset="UTF-8"',
        reason="Very Well",
        cookies=True,
    ),
    "compressed": Dialect(
        "compresses answers for clients that take gzip, and sorts results by state",
        compressed=True,
        order="by-state",
    ),
    "gateway": Dialect(
        "is behind a gateway that answers 429 with Retry-After in seconds to bursts",
        limit="seconds",
    ),
    "gateway-by-date": Dialect(
        "answers 429 with Retry-After as a date to more than six requests at once",
        limit="date",
        trigger_takes=0.06,
        poll_takes=0.06,
        refusal="text",
    ),
    "gateway-bare": Dialect(
        "answers 429 without Retry-After to more than six requests at once",
        limit="bare",
        trigger_takes=0.06,
        poll_takes=0.06,
    ),
    "ignores-the-rest": Dialect(
        "stops reading after the JSON object, and ignores what follows it",
        ignores_the_rest=True,
    ),
    "ids-loosely": Dialect(
        "compares ids without regard to case and blanks around them",
        ids_loosely=True,
    ),
    "signed-ids": Dialect(
        "makes ids of some 340 characters that begin alike, delivered as plain text",
        ids="signed",
        delivery="text",
        request_id="conversation",
    ),
    "envelope": Dialect(
        "sends every member of its data class always, so refusals hold a UniqueId that is null",
        refusal="envelope",
        duplicates="once",
    ),
    "grouped": Dialect("sends the results for one address in one request", one_request_an_address=True),
    "framework-options": Dialect("answers OPTIONS with 200, as the framework does by itself", answers_options=True),
    "credentials-first": Dialect(
        "looks at the credentials before anything else, and refuses all with 403 in plain text",
        credentials_first=True,
        refusal="text",
        refusal_status=403,
        token_status=403,
        method_status={"OPTIONS": 403, "HEAD": 400, "GET": 404},
    ),
    "handshake": Dialect(
        "asks a ResultDestination with OPTIONS whether it is willing, when it accepts a trigger",
        handshake=True,
        delivery="text",
        kept_alive=False,
    ),
}
