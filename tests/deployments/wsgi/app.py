"""The Flask application: the two endpoints and the gateway before them."""

import json
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from .calls import Call, Calls
from .delivery import Courier
from .dialects import Dialect
from .faults import Fault
from .gateway import AT_ONCE, Bucket
from .reading import Problem, Reader, Refused
from .rendering import Renderer

LARGEST_BODY = 512 * 1024  # bytes
HANG = 120.0  # seconds
SHARED_FOR = 0.04  # seconds that a request takes where a fault shows only among requests at once
DURATIONS = {"Answered": 12.5}


class Service:
    """The two endpoints, for one dialect and one fault."""

    def __init__(self, reader: Reader, calls: Calls, courier: Courier, dialect: Dialect, fault: Fault) -> None:
        self._reader = reader
        self._calls = calls
        self._courier = courier
        self._dialect = dialect
        self._fault = fault
        self._renderer = Renderer(dialect, fault)
        self._asked: list[str] = []
        self._bucket = Bucket(burst=12, per_second=40)
        self.answers_options = dialect.answers_options

    # the trigger

    def trigger(self) -> Response:
        """POST /v2/call."""
        if request.method == "HEAD":
            return Response()
        body = self._body()
        time.sleep(self._dialect.trigger_takes)
        self._check_project_header()
        trigger = self._reader.trigger(body)
        if self._fault("project-header-taken-for-tenant"):
            self._take_header_for_tenant(trigger.body)
        if self._courier.unwilling(trigger.destination) and trigger.destination:
            raise Refused(Problem("ResultDestination", "can't be reached"))
        try:
            call = self._calls.place(trigger)
        except KeyError as error:
            print("STRANGER DIALLED", ascii(trigger.number)[1:-1], file=sys.stderr, flush=True)
            raise Refused(Problem("_Destination", "is not a line")) from error
        self._courier.shake_hands(trigger.destination)
        return self._dialled(call, trigger.immediate)

    def _check_project_header(self) -> None:
        given = request.headers.get("Project")
        if self._fault("empty-project-header-refused") and given == "":
            raise Refused(Problem("Project", "empty"))
        if self._fault("project-header-needed") and given is None:
            raise Refused(Problem("Project", "missing"))

    def _take_header_for_tenant(self, body: dict[str, Any]) -> None:
        if request.headers.get("Project", body["Tenant"]) not in ("", body["Tenant"]):
            raise Refused(Problem("Tenant", "unknown"))

    def _dialled(self, call: Call, immediate: bool | None) -> Response:
        unique_id = call.unique_id
        if self._fault("id-empty-without-destination") and not call.destination:
            unique_id = ""
        answer: dict[str, Any] = {"UniqueId": unique_id}
        if self._fault("camel-case-answer"):
            answer = {"uniqueId": unique_id}
        if self._fault("answer-in-an-envelope"):
            answer = {"data": answer}
        if self._dialect.further_members:
            answer |= {"Uniqueid": None, "Status": "Accepted", "Position": 1, "Line": {"Number": call.line}}
        status = 201 if self._fault("created-201") else 200
        if self._fault("queued-202") and call.destination and not immediate:
            status = 202
        response = self._renderer.answer("trigger", answer, status)
        if status == 201:
            response.headers["Location"] = "/v2/callresult"
        if self._fault("token-in-cookie"):
            response.set_cookie("session", call.token)
        return response

    # the poll

    def poll(self) -> Response:
        """POST /v2/callresult."""
        if request.method == "HEAD":
            return Response()
        time.sleep(self._dialect.poll_takes)
        if request.method == "GET":
            ids: list[str] | None = request.args.getlist("UniqueIds")
        else:
            ids = self._reader.poll(self._body())
        if ids is not None and self._fault("answers-crossed"):
            self._asked = ids
            time.sleep(SHARED_FOR)
            ids = self._asked
        if ids is None:
            ids = [call.unique_id for call in self._calls.all_calls()]
        return self._reported(ids)

    def _reported(self, ids: list[str]) -> Response:
        if self._fault("asked-twice-500") and len(set(ids)) < len(ids):
            raise LookupError("duplicate key")
        if self._dialect.duplicates == "once":
            ids = list(dict.fromkeys(ids))
        if self._fault("asked-twice-left-out"):
            ids = [unique_id for unique_id in ids if ids.count(unique_id) == 1]
        now, reading = time.monotonic(), self._calls.reading()
        known = {unique_id: self._calls.found(unique_id) for unique_id in dict.fromkeys(ids)}
        states = {
            call.number: self._calls.state_reported(call, now, reading) for calls in known.values() for call in calls
        }
        if known and not any(states.values()):
            self._refuse_unfinished(known)
        if self._fault("unknown-spoils-the-batch") and any(known.values()) and not all(known.values()):
            raise Refused(Problem("UniqueIds", "unknown"), status=404)
        entries = self._entries(ids, known, states, reading)
        entries = self._ordered(self._cut(entries))
        return self._reported_as(entries, any(known.values()) and not any(states.values()))

    def _refuse_unfinished(self, known: dict[str, list[Call]]) -> None:
        none_known = not any(known.values())
        if none_known and self._dialect.unknown == "refused":
            raise Refused(Problem("UniqueIds", "unknown"), status=404)
        if not none_known and self._fault("all-pending-is-404"):
            raise Refused(Problem("UniqueIds", "not yet finished"), status=404)

    def _entries(
        self, ids: list[str], known: dict[str, list[Call]], states: dict[int, str], reading: int
    ) -> list[dict[str, Any]]:
        entries = []
        reported: set[str] = set()
        for unique_id in ids:
            calls = known[unique_id]
            if not calls and self._fault("unknown-ends-the-list"):
                break
            if not calls and self._dialect.unknown == "entry":
                state = "Error" if self._fault("unknown-is-error") else ""
                entries.append(self._entry(unique_id, "", state))
            for call in calls:
                state = states[call.number]
                if not state and self._dialect.pending == "left-out":
                    continue
                if self._fault("asked-twice-differs") and unique_id in reported:
                    state = ""
                named = call.unique_id if self._fault("ids-as-patterns") else unique_id
                entries.append(self._entry(named, self._request_id(call, reading), state))
            reported.add(unique_id)
        calls = [call for found in known.values() for call in found]
        return entries + self._entries_of_others(calls, set(known), reading)

    def _entries_of_others(self, calls: list[Call], asked: set[str], reading: int) -> list[dict[str, Any]]:
        """The calls that a fault reports although they were not requested."""
        others: list[Call] = []
        if self._fault("next-call-reported-too") and len(calls) == 1:
            others = self._calls.after(calls[0])
        if self._fault("conversation-reported-too"):
            others = [other for call in calls for other in self._calls.of_conversation(call.conversation)]
        now = time.monotonic()
        return [
            self._entry(other.unique_id, "", self._calls.state_reported(other, now, reading))
            for other in {other.number: other for other in others}.values()
            if other.unique_id not in asked
        ]

    def _request_id(self, call: Call, reading: int) -> str:
        if self._dialect.request_id == "conversation":
            return call.conversation
        if self._dialect.request_id == "per-poll":
            return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{reading}"))
        return ""

    def _entry(self, unique_id: str, request_id: str, state: str) -> dict[str, Any]:
        entry: dict[str, Any] = {"UniqueId": unique_id, "CallRequestId": request_id, "CallState": state}
        if self._fault("request-id-null"):
            entry["CallRequestId"] = None
        if self._fault("request-id-left-out") and state:
            del entry["CallRequestId"]
        if self._fault("pending-state-null") and not state:
            entry["CallState"] = None
        if self._fault("nan-duration") and state:
            entry["Duration"] = DURATIONS.get(state, float("nan"))
        if self._dialect.further_members:
            entry |= {"Finished": bool(state), "KnownStates": ["Answered", "Busy", "No Answer"], "Attempts": 1}
        return entry

    def _cut(self, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The entries after the faults that drop or change some."""
        if self._fault("ten-results-a-page"):
            return entries[:10]
        if self._fault("chunks-of-eight") and len(entries) > 8:
            return entries[: len(entries) // 8 * 8]
        if self._fault("last-ones-pending"):
            return entries[:14] + [entry | {"CallState": ""} for entry in entries[14:]]
        if self._fault("same-state-reported-once"):
            return list({entry["CallState"] or entry["UniqueId"]: entry for entry in entries}.values())
        if self._fault("error-stops-the-batch"):
            end = next((place for place, entry in enumerate(entries) if entry["CallState"] == "Error"), len(entries))
            return entries[: end + 1]
        if self._fault("states-in-order-of-dialling"):
            return self._states_as_stored(entries)
        return entries

    def _states_as_stored(self, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        numbers = {call.unique_id: call.number for call in self._calls.all_calls()}
        stored = sorted(entries, key=lambda entry: numbers.get(entry["UniqueId"], 0))
        return [entry | {"CallState": other["CallState"]} for entry, other in zip(entries, stored, strict=True)]

    def _ordered(self, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if self._dialect.order == "by-state":
            return sorted(entries, key=lambda entry: str(entry["CallState"]))
        return entries[::-1] if self._dialect.order == "reversed" else entries

    def _reported_as(self, entries: list[dict[str, Any]], all_pending: bool) -> Response:
        results: Any = entries
        if self._fault("one-result-unwrapped") and len(entries) == 1:
            results = entries[0]
        if self._fault("no-results-is-null") and not entries:
            results = None
        name = "callResults" if self._fault("results-in-camel-case") else "CallResults"
        document = {name: results}
        if self._dialect.further_members:
            document |= {"Count": len(entries), "Node": "a1", "Next": None}
        status = 202 if self._fault("all-pending-is-202") and all_pending else 200
        return self._renderer.answer("poll", document, status, len(entries))

    # both

    def _body(self) -> bytes:
        body = request.get_data()
        if self._dialect.strict and request.mimetype != "application/json":
            raise Refused(Problem("Content-Type", "must be application/json"), status=415)
        if self._fault("cut-off-hangs") and _cut_off(body):
            time.sleep(HANG)
        return body

    def before(self) -> Response | None:
        """Refuse requests before an endpoint handles them, such as with 429."""
        at_once = request.environ[AT_ONCE]
        if self._fault("busy-503"):
            if at_once > 4:
                return self._renderer.plain_refusal(503)
            time.sleep(SHARED_FOR)
        if self._fault("megabyte-503") and (request.content_length or 0) > LARGEST_BODY:
            return self._renderer.plain_refusal(503)
        if self._dialect.limit == "bare" and at_once > 6:
            return self._renderer.plain_refusal(429)
        if self._dialect.limit == "date" and at_once > 6:
            return self._try_again(format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True))
        if self._dialect.limit == "seconds" and not self._bucket.take():
            return self._try_again("1")
        return None

    def _try_again(self, when: str) -> Response:
        response = self._renderer.plain_refusal(429)
        response.headers["Retry-After"] = when
        return response

    def refused(self, refused: Refused) -> Response:
        """The answer to a request that was refused."""
        return self._renderer.refusal(refused, request.get_data())

    def failed(self, failure: HTTPException) -> Response:
        """The answer to a request that Flask itself refuses, or that broke."""
        status = failure.code or 500
        if isinstance(failure, MethodNotAllowed):
            status = self._dialect.method_status.get(request.method, status)
        response = self._renderer.plain_refusal(status)
        if status == 405:
            response.headers["Allow"] = "POST"
        return response


def _cut_off(body: bytes) -> bool:
    """Whether a body ends in the middle of its JSON text."""
    try:
        json.loads(body)
    except json.JSONDecodeError as error:
        return bool(body.strip()) and (error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated"))
    except (ValueError, RecursionError):
        return False
    return False


def create_app(service: Service, fault: Fault) -> Flask:
    """The application that serves the two endpoints."""
    app = Flask("deployment", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    automatic = None if service.answers_options else False  # None leaves it to the framework
    further = ["HEAD"] if fault("head-answered") else []
    put = ["PUT"] if fault("put-triggers") else []
    get = ["GET"] if fault("get-polls") else []
    app.add_url_rule(
        "/v2/call", "trigger", service.trigger, methods=["POST", *further, *put], provide_automatic_options=automatic
    )
    app.add_url_rule(
        "/v2/callresult", "poll", service.poll, methods=["POST", *further, *get], provide_automatic_options=automatic
    )
    if fault("get-redirects-to-manual"):
        for path in ("/v2/call", "/v2/callresult"):
            app.add_url_rule(path, f"manual of {path}", _to_manual, methods=["GET"], provide_automatic_options=False)
    app.before_request(service.before)
    app.register_error_handler(Refused, service.refused)
    app.register_error_handler(HTTPException, service.failed)
    return app


def _to_manual() -> Response:
    return Response(status=302, headers={"Location": "/manual"})
