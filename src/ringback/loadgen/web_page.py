"""The account of calls in Locust's web page: a tab beside Locust's own, live, and a CSV file to take away.

Locust's page can show additional tables: it gets the tab and its columns at the start, and the rows with each of its
polls for statistics.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any

from flask import Blueprint, Response, request
from locust.env import Environment

from ringback.contract.verdict import Verdict
from ringback.loadgen.judging.baseline import baseline_of
from ringback.loadgen.judging.limits import evaluate
from ringback.loadgen.judging.snapshot import LoadSnapshot
from ringback.rundir import SINK

__all__ = ["call_rows", "show_calls"]

TAB = "calls"
_CSV = "calls/csv"
_RESULT = {Verdict.PASS: "met", Verdict.FAIL: "failed"}
_COUNTS = (
    ("accepted", "accepted"),
    ("in flight", "unfinished"),
    ("final", "final"),
    ("lost", "lost"),
    ("duplicate ids", "duplicate_ids"),
    ("wrong state", "wrong_state"),
    ("state changed after the end", "changed_state"),
    ("unrequested results", "unrequested"),
    ("indeterminate triggers", "indeterminate"),
)
_DELIVERIES = ("expected", "arrived", "late", "missing", "contradicting", "unknown")


def show_calls(environment: Environment, known: Callable[[], LoadSnapshot | None]) -> None:
    """Add the tab to a Locust environment's web page, if it has one; each of the page's polls calls `known`."""
    page = environment.web_ui
    if page is None or page.app is None:
        return
    page.template_args |= {
        "extended_tabs": [{"title": "Calls", "key": TAB}],
        "extended_tables": [
            {"key": TAB, "structure": [{"key": "what", "title": "Calls"}, {"key": "value", "title": "So far"}]}
        ],
        "extended_csv_files": [{"href": f"./{_CSV}", "title": "Download calls CSV"}],
    }
    options = environment.parsed_options
    base: str = (getattr(options, "web_base_path", None) or "").rstrip("/")

    def with_calls(response: Response) -> Response:
        if request.path == f"{base}/stats/requests" and response.status_code == 200 and response.is_json:
            extended = {**response.get_json(), "extended_stats": [{"key": TAB, "data": call_rows(known())}]}
            response.set_data(page.app.json.dumps(extended) if page.app is not None else b"")
        return response

    def cleaned(response: Response) -> Response:
        # Locust's own scripts are large and hold nothing of ours: cleaning them would delay the load.
        ours = not (request.endpoint or "").endswith("send_assets")
        if ours and (response.is_json or (response.mimetype or "").startswith("text/")):
            response.direct_passthrough = False
            response.set_data(SINK.document(response.get_data(as_text=True)))
        return response

    def as_csv() -> Response:
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(("calls", "so far"))
        writer.writerows((row["what"], row["value"]) for row in call_rows(known()))
        return Response(
            text.getvalue(), content_type="text/csv", headers={"Content-Disposition": "attachment;filename=calls.csv"}
        )

    pages = Blueprint("ringback", __name__, url_prefix=base or None)
    pages.add_url_rule(f"/{_CSV}", view_func=page.auth_required_if_enabled(as_csv))
    page.app.after_request(cleaned)
    page.app.after_request(with_calls)
    page.app.register_blueprint(pages)


def call_rows(snapshot: LoadSnapshot | None) -> list[dict[str, str]]:
    """The table's rows, `what` and `value`; none before a test has begun.

    There is no column `name`, because Locust's page would sort by it.
    """
    return [] if snapshot is None else [{"what": what, "value": value} for what, value in _rows(snapshot)]


def _rows(snapshot: LoadSnapshot) -> Iterator[tuple[str, str]]:
    section = snapshot.section()
    calls = section["calls"]
    for name, key in _COUNTS:
        yield name, str(calls[key])
        if key == "final":
            yield from ((f"final: {state}", str(count)) for state, count in calls["by_state"].items())
    if (deliveries := calls.get("deliveries")) is not None:
        yield from ((f"deliveries {name}", str(deliveries[name])) for name in _DELIVERIES)
    yield "lag between due and sent, p99", _ms(section["generator"]["lag_ms"]["p99"])
    yield "generator", "the limit" if section["generator"]["limited"] else "keeps up"
    yield from ((f"worker lost: {name}", "what it did after that is unknown") for name in snapshot.lost.values())
    for result in evaluate(snapshot.config.limits, section, baseline_of(snapshot.config)):
        value = "" if result.value is None else f" ({result.value:g})"
        yield f"limit {result.metric} {result.limit}", f"{_RESULT.get(result.verdict, 'inconclusive')}{value}"


def _ms(value: Any) -> str:
    return "not measured" if value is None else f"{value:g} ms"
