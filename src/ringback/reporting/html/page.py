"""The page as a whole: templates filled in, style and script inlined, and a strict content security policy.

A browser that follows the policy runs only the one script, by its hash, and loads nothing.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup, escape

from ringback.reporting.html.conformance import ALLOWANCES, BINDINGS, Allowance, broken, opened, sections, waivers
from ringback.reporting.html.limits import limit_rows
from ringback.reporting.html.load import load_view
from ringback.reporting.html.page_header import page_header
from ringback.reporting.html.pictures import Pictures, pictures_of
from ringback.reporting.model.figures import count
from ringback.reporting.model.safe import one_line
from ringback.reporting.model.verdicts import MARKS, WORDS
from ringback.rundir import SINK, write_whole
from ringback.rundir.names import HTML_FILE
from ringback.rundir.run import RunReport

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["MOST_BYTES", "asset", "digest", "environment", "write_html"]

MOST_BYTES: Final = 1_000_000
"""The largest size of the page in bytes; evidence is cut until the page fits."""
_TEMPLATES: Final = Path(__file__).with_name("templates")
_NOTE = 500
_OPEN_CARDS = 3
"""Broken clauses whose evidence is open at first."""


def write_html(report: RunReport, directory: Path) -> Path:
    """Write `report.html` into the run's directory, whole or not at all, and return its path. Raises OSError.

    Reads `load_windows.ndjson` and `timelines.ndjson` there.
    """
    pictures = pictures_of(report, directory)
    page = b""
    for allowance in ALLOWANCES:
        page = _page(report, pictures, allowance)
        if len(page) <= MOST_BYTES:
            break
    return write_whole(directory / HTML_FILE, SINK.document(page.decode()))


def _page(report: RunReport, pictures: Pictures, allowance: Allowance) -> bytes:
    limits = limit_rows(report.limits)
    style, script = asset("page.css"), asset("page.js")
    html = (
        environment()
        .get_template("page.html.j2")
        .render(
            header=page_header(report),
            report=report,
            broken=broken(report, allowance),
            open_cards=_OPEN_CARDS,
            rows=allowance.rows,
            broken_limits=[row for row in limits if row.verdict == "fail"],
            opened=opened(report),
            sections=sections(report, allowance),
            waivers=waivers(report),
            load=load_view(report),
            limits=limits,
            pictures=pictures,
            notes=[one_line(note, _NOTE) for note in report.notes],
            style=Markup(style),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
            policy=_policy(style, script),
        )
    )
    return html.encode("utf-8")


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src '{digest(style)}'; script-src '{digest(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def digest(text: str) -> str:
    """The hash of a style or script, as a content security policy names it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@functools.cache
def asset(name: str) -> str:
    """The text of one of our own files."""
    return (_TEMPLATES / name).read_text(encoding="utf-8")


@functools.cache
def environment() -> Environment:
    """The templates' environment. Text is escaped; a name that is not given is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["foreign"] = _foreign
    made.filters["drawn"] = _drawn
    made.filters["counted"] = count
    made.filters["line"] = one_line
    made.globals.update(marks=MARKS, words=WORDS, bindings=BINDINGS)
    return made


def _foreign(text: Any) -> Markup:
    """Text from outside, isolated so that its writing direction does not affect the text around it."""
    return Markup("<bdi>{}</bdi>").format(escape(text))


def _drawn(svg: str) -> Markup:
    """An `svg` element that Ringback drew; its texts are escaped."""
    return Markup(svg)  # noqa: S704
