"""Comments on a pull request or merge request, against a server that answers as GitHub or GitLab documents it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ringback.reporting.formats.post import NoRequest, NotPosted, post

TOKEN = "forge-token-SECRET"


class Forge(ThreadingHTTPServer):
    """Keeps the comments of one request, on the paths and with the methods of one of the two servers."""

    daemon_threads = True

    def __init__(self, *, gitlab: bool, handler: type[ForgeHandler] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), handler or ForgeHandler)
        self.gitlab = gitlab
        self.comments: list[dict[str, Any]] = []
        self.seen: list[tuple[str, str]] = []
        self.refuses: int | None = None
        self.knows_me = True
        self.me = {"username": "bot-of-project"} if gitlab else {"login": "github-actions[bot]", "type": "Bot"}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def author(self) -> str:
        return "author" if self.gitlab else "user"

    def variables(self, folder: Path) -> dict[str, str]:
        """The variables of a job on this server."""
        if self.gitlab:
            return {
                "GITLAB_CI": "true", "CI_API_V4_URL": f"{self.address}/api/v4", "CI_PROJECT_ID": "12",
                "CI_MERGE_REQUEST_IID": "7", "CI_JOB_URL": "https://gitlab.example.com/g/p/-/jobs/9",
                "RINGBACK_GITLAB_TOKEN": TOKEN,
            }  # fmt: skip
        event = folder / "event.json"
        event.write_text(json.dumps({"pull_request": {"number": 7}}))
        return {
            "GITHUB_ACTIONS": "true", "GITHUB_API_URL": self.address, "GITHUB_REPOSITORY": "o/r",
            "GITHUB_EVENT_PATH": str(event), "GITHUB_TOKEN": TOKEN, "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_RUN_ID": "99",
        }  # fmt: skip


class ForgeHandler(BaseHTTPRequestHandler):
    server: Forge

    def handle_comments(self) -> None:
        """Answer a request for a comment, or for the author."""
        length = int(self.headers.get("Content-Length", 0))
        body: dict[str, Any] = json.loads(self.rfile.read(length)) if length else {}
        url = urlsplit(self.path)
        forge = self.server
        forge.seen.append((self.command, url.path))
        sent = self.headers.get("PRIVATE-TOKEN" if forge.gitlab else "Authorization")
        listing = "/api/v4/projects/12/merge_requests/7/notes" if forge.gitlab else "/repos/o/r/issues/7/comments"
        one = f"{listing}/" if forge.gitlab else "/repos/o/r/issues/comments/"
        if sent != (TOKEN if forge.gitlab else f"Bearer {TOKEN}"):
            self._answer(401, {})
        elif url.path == ("/api/v4/user" if forge.gitlab else "/user"):
            self._answer(*((200, forge.me) if forge.knows_me else (403, {"message": "not accessible"})))
        elif forge.refuses is not None:
            self._answer(forge.refuses, {"message": TOKEN})
        elif self.command == "GET" and url.path == listing:
            query = parse_qs(url.query)
            page, size = int(query["page"][0]), int(query["per_page"][0])
            self._answer(200, forge.comments[(page - 1) * size : page * size])
        elif self.command == "POST" and url.path == listing:
            forge.comments.append({"id": len(forge.comments) + 1, forge.author: forge.me, **body})
            self._answer(201, forge.comments[-1])
        elif self.command == ("PUT" if forge.gitlab else "PATCH") and url.path.startswith(one):
            (found,) = (c for c in forge.comments if c["id"] == int(url.path.removeprefix(one)))
            found.update(body)
            self._answer(200, found)
        else:
            self._answer(404, {})

    do_GET = do_POST = do_PUT = do_PATCH = handle_comments  # noqa: N815 - the server's names

    def _answer(self, status: int, value: object) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_request(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture(params=["github", "gitlab"])
def forge(request: pytest.FixtureRequest) -> Iterator[Forge]:
    with Forge(gitlab=request.param == "gitlab") as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_second_run_replaces_the_comment_of_the_first(forge: Forge, tmp_path: Path) -> None:
    variables = forge.variables(tmp_path)
    assert not post("first\n", "gate", variables)
    assert post("second\n", "gate", variables)
    (comment,) = forge.comments
    assert comment["body"].startswith("<!-- ringback: gate -->\nsecond\n")
    assert "[The job](https://git" in comment["body"]
    assert TOKEN not in comment["body"]


def test_each_name_has_its_own_comment(forge: Forge, tmp_path: Path) -> None:
    variables = forge.variables(tmp_path)
    for name in ("one", "two --> <b>", "one"):
        post(name, name, variables)
    assert [c["body"].splitlines()[0] for c in forge.comments] == [
        "<!-- ringback: one -->", "<!-- ringback: two%20%2D%2D%3E%20%3Cb%3E -->",
    ]  # fmt: skip


def test_another_persons_comment_stays(forge: Forge, tmp_path: Path) -> None:
    other = {"username": "eve"} if forge.gitlab else {"login": "eve", "type": "User"}
    copied: dict[str, Any] = {"id": 1, forge.author: other, "body": "<!-- ringback: gate -->\ncopied"}
    forge.comments = [copied, {"id": 2, forge.author: None, "body": None}]
    assert not post("mine", "gate", forge.variables(tmp_path))
    assert copied["body"].endswith("copied")
    assert len(forge.comments) == 3


def test_a_comment_far_down_the_list_is_found(forge: Forge, tmp_path: Path) -> None:
    variables = forge.variables(tmp_path)
    forge.comments = [{"id": n, forge.author: forge.me, "body": "talk"} for n in range(1, 251)]
    post("first", "gate", variables)
    assert post("second", "gate", variables)
    assert len(forge.comments) == 251


def test_a_job_token_that_may_not_ask_who_it_is(tmp_path: Path) -> None:
    with Forge(gitlab=False) as forge:
        forge.knows_me = False
        thread = threading.Thread(target=forge.serve_forever, daemon=True)
        thread.start()
        variables = forge.variables(tmp_path)
        post("first", "gate", variables)
        assert post("second", "gate", variables)
        assert len(forge.comments) == 1
        forge.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "words"), [(403, "answered 403; "), (404, "answered 404; "), (502, "again")])
def test_a_refusal_names_the_fix_and_not_the_token(forge: Forge, tmp_path: Path, status: int, words: str) -> None:
    forge.refuses = status
    with pytest.raises(NotPosted) as caught:
        post("text", "gate", forge.variables(tmp_path))
    assert words in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_a_server_that_is_down_is_one_sentence(forge: Forge, tmp_path: Path) -> None:
    variables = forge.variables(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    down = {name: value.replace(str(forge.server_address[1]), str(port)) for name, value in variables.items()}
    with pytest.raises(NotPosted, match=r"the connection to 127\.0\.0\.1 failed \(ConnectError\); try the job again"):
        post("text", "gate", down)


@pytest.mark.parametrize(
    "changed",
    [
        {"GITHUB_EVENT_PATH": "/dev/null", "CI_MERGE_REQUEST_IID": ""},
        {"GITHUB_TOKEN": "", "RINGBACK_GITLAB_TOKEN": ""},
        {"GITHUB_TOKEN": "a\nb", "RINGBACK_GITLAB_TOKEN": "a\nb"},
        {"GITHUB_API_URL": "ftp://x", "CI_API_V4_URL": "ftp://x"},
        {"GITHUB_ACTIONS": "", "GITLAB_CI": ""},
    ],
)
def test_what_is_missing_is_named_before_anything_is_sent(
    forge: Forge, tmp_path: Path, changed: dict[str, str]
) -> None:
    with pytest.raises(NoRequest, match="; "):
        post("text", "gate", forge.variables(tmp_path) | changed)
    assert not forge.seen
