"""HTTP of the threads deployment: reads bodies, frames answers, ends connections."""

import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.deployments.threads.answers import Answer
from tests.deployments.threads.office import Office
from tests.deployments.threads.ways import Dropped, Hung, Refused

BODY_SECONDS = 5.0
HANG_SECONDS = 60.0
DRAINED_BYTES = 64 * 1024 * 1024
CHUNK_BYTES = 48


class Handler(BaseHTTPRequestHandler):
    """One connection. `office` is set on a subclass made for each server."""

    office: Office
    server_version = "Exchange/3.1"
    sys_version = ""
    disable_nagle_algorithm = True
    _answered = False

    def handle_one_request(self) -> None:
        """Wait for a request, up to the idle timeout, and answer it."""
        idle = self.office.ways.dialect.idle_seconds if self._answered else 30.0
        self.connection.settimeout(idle)
        super().handle_one_request()
        self._answered = True

    def _handle(self) -> None:
        try:
            raw = self._body()
            answer = self.office.answer(self.command, self.path, dict(self._canonical()), raw)
        except Refused as refused:
            answer = self.office.refusal(refused)
        except Dropped:
            self._drop()
            return
        except Hung:
            self._hang()
            return
        self._reply(answer)

    do_POST = do_GET = do_HEAD = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _handle  # noqa: N815

    def _canonical(self) -> Any:
        return ((name.title(), value.strip()) for name, value in self.headers.items())

    def _body(self) -> bytes:
        """The whole body; raises Refused if it cannot be read."""
        self.connection.settimeout(BODY_SECONDS)
        try:
            if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
                return self._chunks()
            announced = self.headers.get("Content-Length", "0")
            if not announced.isascii() or not announced.isdigit() or int(announced) > DRAINED_BYTES:
                self.close_connection = True
                raise Refused("size" if announced.isdigit() else "shape", "The length of the body can't be.")
            raw = self.rfile.read(int(announced))
            if len(raw) < int(announced):
                self.close_connection = True
                raise Refused("shape", "The body is shorter than announced.")
            return raw
        except TimeoutError:
            self.close_connection = True
            raise Refused("timeout", "The rest of the body did not come.") from None

    def _chunks(self) -> bytes:
        body = b""
        while True:
            try:
                size = int(self.rfile.readline(100).partition(b";")[0], 16)
            except ValueError:
                size = -1
            if size < 0 or len(body) + size > DRAINED_BYTES:
                self.close_connection = True
                raise Refused("shape", "The chunks of the body can't be read.")
            if size == 0:
                break
            body += self.rfile.read(size)
            self.rfile.readline(2)
        while self.rfile.readline(65536).strip():
            pass
        return body

    def _drop(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _hang(self) -> None:
        """Send nothing until the client disconnects."""
        self.close_connection = True
        self.connection.settimeout(HANG_SECONDS)
        try:
            self.rfile.read(1)
        except OSError:
            return

    def _reply(self, answer: Answer) -> None:
        dialect = self.office.ways.dialect
        chunked = dialect.framing == "chunked" and self.request_version != "HTTP/1.0" and answer.status != 204
        self.send_response(answer.status, answer.phrase)
        if answer.content_type:
            self.send_header("Content-Type", answer.content_type)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif dialect.framing != "close" and answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection and dialect.framing != "close":
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(_chunked(answer.body) if chunked else answer.body)

    def send_header(self, keyword: str, value: str) -> None:
        """Send a header with its name as the dialect spells it."""
        super().send_header(keyword.lower() if self.office.ways.dialect.lower_headers else keyword, value)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse unknown methods and broken heads in the dialect's form."""
        self.close_connection = True
        if self.request_version == "HTTP/0.9":  # answer with a status line even so
            self.request_version = "HTTP/1.0"
        refused = Refused("verb" if code == 501 else f"status {code}", message or explain or "Refused.")
        answer = self.office.refusal(refused)
        if code == 501:
            try:
                self._body()
            except Refused as broken:
                answer = self.office.refusal(broken)
        self._reply(answer)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Write no access log: the tests read standard error."""


def _chunked(body: bytes) -> bytes:
    pieces = [body[place : place + CHUNK_BYTES] for place in range(0, len(body), CHUNK_BYTES)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])


class Server(ThreadingHTTPServer):
    """The server of one office on a free loopback port."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, office: Office) -> None:
        version = "HTTP/1.0" if office.ways.dialect.framing == "close" else "HTTP/1.1"
        handler = type("OfficeHandler", (Handler,), {"office": office, "protocol_version": version})
        super().__init__(("127.0.0.1", 0), handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnected; print other errors to standard error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)
