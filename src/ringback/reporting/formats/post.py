"""A comment on the pull request (GitHub) or merge request (GitLab) of the CI job that runs this process.

The job's variables name the server, the request and the token. A comment begins with a hidden mark; a later run looks
for its own comment with that mark and replaces its text, so that a request has one comment of each name.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx

from ringback import __version__
from ringback.reporting.model.safe import one_line
from ringback.rundir import SINK
from ringback.rundir.reading import members

__all__ = ["NoRequest", "NotPosted", "post"]

_PAGES: Final = 50
_PER_PAGE: Final = 100
_TIMEOUT: Final = 15.0
"""Seconds for each request."""


class NoRequest(Exception):
    """The job's variables name no request, or lack something; the message says what is missing, and what to do."""


class NotPosted(Exception):
    """The server did not take the comment; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the comments of one request are, and how to write there."""

    server: str
    """Base URL of the API."""
    comments: str
    """Path of the list of comments."""
    comment: str
    """Path of one comment, followed by its id."""
    method: str
    """Replaces a comment."""
    headers: Mapping[str, str]
    name: str
    """The member of an author that is their name at the server."""
    author: str
    """The member of a comment that is its author."""
    job: str
    """The page of the job."""
    permission: str
    """What the token must be allowed to do."""


def post(text: str, name: str, environ: Mapping[str, str]) -> bool:
    """Post the comment `name`, or replace its text; returns whether there was one.

    Raises `NoRequest` before anything is sent, and `NotPosted`.
    """
    place = _place(environ)
    mark = f"<!-- ringback: {quote(name, safe='').replace('-', '%2D')} -->"
    link = f"\n[The job]({place.job}) has all reports.\n" if place.job else ""
    body = {"body": SINK.document(f"{mark}\n{text}{link}")}
    log = logging.getLogger("httpx")  # it would print addresses
    before, log.disabled = log.disabled, True
    try:
        with httpx.Client(
            base_url=place.server, headers=place.headers, timeout=_TIMEOUT, follow_redirects=False
        ) as client:
            existing = _existing(client, place, mark)
            if existing is None:
                _answer(client.post(place.comments, json=body), place)
            else:
                _answer(client.request(place.method, f"{place.comment}/{existing}", json=body), place)
            return existing is not None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        host = one_line(urlsplit(place.server).hostname or "the server", 100)
        raise NotPosted(f"the connection to {host} failed ({type(error).__name__}); try the job again") from None
    finally:
        log.disabled = before


def _existing(client: httpx.Client, place: _Place, mark: str) -> int | None:
    """The id of this token's own comment with the mark."""
    me = client.get("user")
    mine = members(_json(me)).get(place.name) if me.is_success else None
    for comment in _comments(client, place):
        author, number = members(comment, place.author), comment.get("id")
        # A job's own token on GitHub may not ask who it is; its comments are those of a bot.
        own = author.get(place.name) == mine if mine else author.get("type") == "Bot"
        if own and type(number) is int and str(comment.get("body", "")).startswith(mark):
            return number
    return None


def _comments(client: httpx.Client, place: _Place) -> Iterator[Mapping[str, Any]]:
    for page in range(1, _PAGES + 1):
        answer = _answer(client.get(place.comments, params={"per_page": _PER_PAGE, "page": page}), place)
        found = answer if isinstance(answer, list) else []
        yield from (comment for comment in found if isinstance(comment, dict))
        if len(found) < _PER_PAGE:
            return


def _answer(answer: httpx.Response, place: _Place) -> object:
    if answer.status_code in {401, 403, 404}:
        raise NotPosted(f"the server answered {answer.status_code}; {place.permission}")
    if not answer.is_success:
        raise NotPosted(f"the server answered {answer.status_code}; try the job again")
    return _json(answer)


def _json(answer: httpx.Response) -> object:
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError):
        return None


def _place(environ: Mapping[str, str]) -> _Place:
    if environ.get("GITHUB_ACTIONS") == "true":
        return _github(environ)
    if environ.get("GITLAB_CI") == "true":
        return _gitlab(environ)
    raise NoRequest("this is no job of GitHub Actions or GitLab CI; leave out --post")


def _github(environ: Mapping[str, str]) -> _Place:
    number = _github_number(environ.get("GITHUB_EVENT_PATH", ""))
    if number is None:
        raise NoRequest("this job belongs to no pull request; leave out --post")
    server = _address(environ, "GITHUB_API_URL")
    repository = f"repos/{quote(_needed(environ, 'GITHUB_REPOSITORY'))}"
    run = environ.get("GITHUB_RUN_ID", "")
    page = f"{environ.get('GITHUB_SERVER_URL', '')}/{environ.get('GITHUB_REPOSITORY', '')}/actions/runs/{run}"
    return _Place(
        server=server,
        comments=f"{repository}/issues/{number}/comments",
        comment=f"{repository}/issues/comments",
        method="PATCH",
        headers={
            **_sent("Authorization", f"Bearer {_token(environ, 'GITHUB_TOKEN')}"),
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        },
        name="login",
        author="user",
        job=_link(page) if run else "",
        permission="the job needs the permission pull-requests: write, which a fork's pull request does not get",
    )


def _gitlab(environ: Mapping[str, str]) -> _Place:
    number = environ.get("CI_MERGE_REQUEST_IID", "")
    if not (number.isascii() and number.isdigit()):
        raise NoRequest("this job belongs to no merge request; leave out --post")
    server = _address(environ, "CI_API_V4_URL")
    notes = f"projects/{quote(_needed(environ, 'CI_PROJECT_ID'), safe='')}/merge_requests/{number}/notes"
    return _Place(
        server=server,
        comments=notes,
        comment=notes,
        method="PUT",
        headers=_sent("PRIVATE-TOKEN", _token(environ, "RINGBACK_GITLAB_TOKEN")),
        name="username",
        author="author",
        job=_link(environ.get("CI_JOB_URL", "")),
        permission="RINGBACK_GITLAB_TOKEN must be a project's access token with the scope api",
    )


def _sent(header: str, value: str) -> dict[str, str]:
    return {header: value, "User-Agent": f"ringback/{__version__}"}


def _token(environ: Mapping[str, str], name: str) -> str:
    token = _needed(environ, name)
    if not (token.isascii() and token.isprintable() and token.strip() == token):
        raise NoRequest(f"{name} can't be put into a header; set it to the token alone")
    return token


def _needed(environ: Mapping[str, str], name: str) -> str:
    if value := environ.get(name, ""):
        return value
    raise NoRequest(f"the variable {name} is not set; ci/README.md says how the recipes set it")


def _address(environ: Mapping[str, str], name: str) -> str:
    address = _needed(environ, name)
    if not address.startswith(("https://", "http://")):
        raise NoRequest(f"the variable {name} is no http or https URL; let the CI server set it")
    return f"{address.rstrip('/')}/"


def _link(address: str) -> str:
    """The address if it can be part of a link in Markdown as it is."""
    shown = quote(address, safe="/:%?=&~._-")
    return shown if address.startswith(("https://", "http://")) else ""


def _github_number(path: str) -> int | None:
    try:
        event = json.loads(Path(path).read_bytes()) if path else None
    except (OSError, ValueError, RecursionError):
        return None
    number = members(event, "pull_request").get("number")
    return number if type(number) is int and number > 0 else None
