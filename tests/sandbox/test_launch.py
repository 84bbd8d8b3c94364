"""Sandboxes as processes: start, answer, die; ports, certificates, curl."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from ringback.sandbox import (
    FAULTS,
    RunningSandbox,
    SandboxError,
    SandboxSettings,
    curl_lines,
    launch,
    serve_forever,
)
from ringback.sandbox.curl import example_trigger
from tests.forked import REAL_PYTHON

QUICK = SandboxSettings(port=0, ring_seconds=0.1, ring_jitter=0.0)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with launch(QUICK) as running:
        yield running


def _client(running: RunningSandbox, seconds: float = 10.0) -> httpx.Client:
    verify = ssl.create_default_context(cafile=str(running.ca_bundle)) if running.ca_bundle else False
    return httpx.Client(base_url=running.base_url, verify=verify, timeout=seconds, trust_env=False)


def _gone(pid: int, seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)  # only a parent can wait for a process
    return False


def test_a_call_from_trigger_to_result_over_https(sandbox: RunningSandbox) -> None:
    with _client(sandbox) as client:
        placed = client.post("/v2/call", json=example_trigger(sandbox.settings), headers={"Project": ""})
        assert placed.status_code == 200
        unique_id = placed.json()["UniqueId"]
        deadline = time.monotonic() + 5
        results: list[object] = []
        while not results and time.monotonic() < deadline:
            time.sleep(0.05)  # the sandbox rings in real time
            results = client.post("/v2/callresult", json={"UniqueIds": [unique_id]}).json()["CallResults"]
        assert results == [{"UniqueId": unique_id, "CallRequestId": "", "CallState": "Answered"}]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_the_certificate_holds_for_local_names(sandbox: RunningSandbox, host: str) -> None:
    context = ssl.create_default_context(cafile=str(sandbox.ca_bundle))
    with (
        socket.create_connection(("127.0.0.1", sandbox.settings.port)) as raw,
        context.wrap_socket(raw, server_hostname=host) as secured,
    ):
        assert secured.version() in ("TLSv1.2", "TLSv1.3")


@pytest.mark.parametrize("chunked", [False, True])
def test_oversized_bodies_get_an_answer(sandbox: RunningSandbox, chunked: bool) -> None:
    body = b" " * (3 * 1024 * 1024)
    with _client(sandbox) as client:
        reply = client.post("/v2/call", content=iter([body]) if chunked else body)
        assert reply.status_code == 413
        assert client.post("/v2/callresult", json={"UniqueIds": []}).status_code == 200


def test_odd_http_is_answered_below_500(sandbox: RunningSandbox) -> None:
    with _client(sandbox) as client:
        for method in ("CONNECT", "TRACE", "OPTIONS", "QUERY", "BREW"):
            assert 400 <= client.request(method, "/v2/call").status_code < 500, method


def test_the_documented_requests_work_in_a_shell(sandbox: RunningSandbox) -> None:
    lines = curl_lines(sandbox.settings, sandbox.base_url, sandbox.ca_bundle)
    trigger, poll = lines.split("# ask how it went\n")
    shell = f"{trigger}\nsleep 0.5\n{poll}"
    done = subprocess.run(["sh", "-ec", shell], capture_output=True, text=True, timeout=20, check=True)
    assert done.stderr == ""
    unique_id, _, result = done.stdout.partition("\n")
    assert len(unique_id) == 32
    assert json.loads(result)["CallResults"] == [{"UniqueId": unique_id, "CallRequestId": "", "CallState": "Answered"}]


def test_awkward_settings_survive_the_shell() -> None:
    settings = replace(QUICK, project="O'Neil $HOME `x`", access_token="t'\"$(x)\\")
    with launch(settings) as running:
        lines = curl_lines(running.settings, running.base_url, running.ca_bundle)
        done = subprocess.run(["sh", "-c", lines], capture_output=True, text=True, timeout=20, check=True)
    assert len(done.stdout.split()[0]) == 32, done


def test_the_sandbox_and_its_files_are_gone_after_the_block() -> None:
    with launch(QUICK) as running:
        assert running.ca_bundle is not None
        assert running.ca_bundle.exists()
    assert _gone(running.pid)
    assert not running.ca_bundle.parent.exists()


def test_an_exception_in_the_block_ends_it_too() -> None:
    with pytest.raises(RuntimeError, match="mine"), launch(replace(QUICK, tls=False)) as running:
        raise RuntimeError("mine")
    assert _gone(running.pid)


def test_ctrl_c_does_not_end_the_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", REAL_PYTHON)  # not a launcher, which passes signals on
    with launch(replace(QUICK, tls=False)) as running, _client(running) as client:
        ignored = next(
            x for x in Path(f"/proc/{running.pid}/status").read_text().splitlines() if x.startswith("SigIgn")
        )
        assert int(ignored.split()[1], 16) >> (signal.SIGINT - 1) & 1
        os.kill(running.pid, signal.SIGINT)
        assert client.get("/").status_code == 404


def test_the_token_is_not_in_the_process_list() -> None:
    with launch(replace(QUICK, access_token="very-secret", tls=False)) as running:
        assert "very-secret" not in Path(f"/proc/{running.pid}/cmdline").read_text()
        assert "very-secret" not in repr(running)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_sandbox_dies_with_its_parent(number: signal.Signals) -> None:
    script = (
        "import time; from ringback.sandbox import *\n"
        "with launch(SandboxSettings(port=0)) as s:\n"
        "    print(s.pid, s.ca_bundle, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid, ca_bundle = parent.stdout.readline().split()
    parent.send_signal(number)
    parent.wait(5)
    parent.stdout.close()
    assert _gone(int(pid))
    assert not Path(ca_bundle).exists()


def test_a_port_in_use_is_one_line_that_names_the_fix(sandbox: RunningSandbox) -> None:
    taken = replace(QUICK, port=sandbox.settings.port)
    for start in (lambda: launch(taken).__enter__(), lambda: serve_forever(taken)):
        with pytest.raises(SandboxError, match=rf"port {taken.port} .* choose another port with --port") as caught:
            start()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"faults": ("no-such",)}, "unknown fault 'no-such': ringback sandbox --list-faults lists them"),
        ({"dialects": ("gzipp",)}, "did you mean 'gzip'"),
        ({"host": "no.such.host.invalid"}, "try 127.0.0.1"),
    ],
)
def test_what_cannot_start_says_why(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SandboxError, match=message), launch(replace(QUICK, **changes)):  # type: ignore[arg-type]
        pass


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"port": 70000}, "port 70000 does not exist"),
        ({"lines": {"answred": "1"}}, "did you mean 'answered'"),
        ({"lines": {"answered": "1", "busy": "1"}}, "same number"),
        ({"ring_seconds": -1}, "ring_seconds is negative"),
        ({"ring_jitter": 2}, "fraction"),
        ({"access_token": ""}, "access_token is empty"),
        ({"channels": 0}, "channels"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SandboxError, match=message):
        replace(QUICK, **changes)  # type: ignore[arg-type]


def test_settings_survive_the_pipe() -> None:
    settings = replace(QUICK, faults=("plain-http",), seed=3, lines={"busy": "7"}, access_token="ö\n")
    assert SandboxSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serving_in_the_foreground_ends_cleanly(number: signal.Signals) -> None:
    script = (
        "from ringback.sandbox import *\n"
        "serve_forever(SandboxSettings(port=0), lambda s: print(s.base_url, s.ca_bundle, flush=True))\n"
        "print('done')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    base_url, ca_bundle = process.stdout.readline().split()
    assert httpx.get(base_url, verify=ssl.create_default_context(cafile=ca_bundle)).status_code == 404
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "done\n", "")
    assert not Path(ca_bundle).exists()


# Faults that take a connection to be seen


def _handshake_fails(running: RunningSandbox) -> bool:
    with _client(running) as client:
        try:
            client.get("/")
        except httpx.ConnectError:
            return True
    return False


def _goes_unanswered(running: RunningSandbox, seconds: float = 1.0) -> bool:
    trigger = example_trigger(running.settings)
    requests: list[tuple[str, bytes]] = [("/v2/call", b"{"), ("/v2/callresult", b'{"UniqueIds":5}')]
    requests += [("/v2/call", json.dumps({**trigger, "AccessToken": "wrong"}).encode())]
    requests += [("/v2/call", b" " * (1 << 20))] + [("/v2/callresult", b'{"UniqueIds":[]}')] * 20
    for path, body in requests:
        with _client(running, seconds) as client:
            try:
                client.post(path, content=body)
            except httpx.TransportError:
                return True
    return False


def _all_seen(clause: str, seen: Callable[[RunningSandbox], bool], **changes: object) -> dict[str, bool]:
    def look(name: str) -> bool:
        with launch(replace(QUICK, faults=(name,), **changes)) as running:  # type: ignore[arg-type]
            return seen(running)

    names = [name for name, variation in FAULTS.items() if clause in variation.clauses]
    with ThreadPoolExecutor(4) as pool:
        return dict(zip(names, pool.map(look, names), strict=True))


def test_certificate_faults_are_seen(sandbox: RunningSandbox) -> None:
    assert not _handshake_fails(sandbox)
    seen = _all_seen("TRN-02", _handshake_fails)
    assert all(seen.values()), seen


def test_connection_faults_are_seen(sandbox: RunningSandbox) -> None:
    assert not _goes_unanswered(sandbox, 60.0)
    seen = _all_seen("ROB-02", _goes_unanswered, tls=False)
    assert all(seen.values()), seen


@pytest.mark.parametrize(
    ("dialect", "header", "value"),
    [
        ("gzip", "content-encoding", "gzip"),
        ("chunked", "transfer-encoding", "chunked"),
        ("connection-close", "connection", "close"),
        ("no-date", "date", None),
    ],
)
def test_transfer_dialects_over_the_wire(dialect: str, header: str, value: str | None) -> None:
    with launch(replace(QUICK, tls=False, dialects=(dialect,))) as running, _client(running) as client:
        replies = [client.post("/v2/call", json=example_trigger(running.settings)) for _ in range(3)]
        assert all(reply.json()["UniqueId"] for reply in replies)
        assert replies[0].headers.get(header) == value


def test_idle_connections_are_closed_by_that_dialect() -> None:
    async def asked(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await ask(reader, writer)
        return reader, writer

    async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")

    async def main(plain: int, closing: int) -> None:
        reader, writer = await asked(closing)
        other, its_writer = await asked(plain)
        await reader.read()  # until it is closed
        await ask(other, its_writer)
        writer.close()
        its_writer.close()

    with ExitStack() as stack:
        plain = stack.enter_context(launch(replace(QUICK, tls=False)))
        closing = stack.enter_context(launch(replace(QUICK, tls=False, dialects=("idle-close",))))
        asyncio.run(main(plain.settings.port, closing.settings.port))
