"""Starts sandboxes: each in its own process for other commands, in the foreground for `ringback sandbox`."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from ringback import clock
from ringback.sandbox.settings import RunningSandbox, SandboxError, SandboxSettings

START_SECONDS = 20.0
STOP_SECONDS = 3.0


@contextlib.contextmanager
def launch(settings: SandboxSettings) -> Iterator[RunningSandbox]:
    """Run a sandbox in a process of its own for the length of a `with` block.

    It answers requests when the block starts, and has ended when the block ends. It also ends when this process dies.
    Raises SandboxError when it does not start.
    """
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "ringback.sandbox"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        process_group=0,  # in our group, Ctrl-C would also interrupt the sandbox, even while it starts
    )
    running: RunningSandbox | None = None
    try:
        running = _handshake(process, settings)
        yield running
    finally:
        _stop(process, running)


def serve_forever(
    settings: SandboxSettings, on_ready: Callable[[RunningSandbox], None] = lambda _running: None
) -> None:
    """Serve in this process until SIGINT or SIGTERM.

    `on_ready` is called once, as soon as requests are answered. Raises SandboxError when the sandbox cannot start.
    """
    from ringback.sandbox.server import run

    run(settings, on_ready)


def _handshake(process: subprocess.Popen[bytes], settings: SandboxSettings) -> RunningSandbox:
    """Send the child its settings and wait for its address. A pipe keeps the token out of process lists."""
    assert process.stdin is not None and process.stdout is not None  # noqa: S101 - both were asked for
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(json.dumps(settings.to_json()).encode() + b"\n")
        process.stdin.flush()
    line = _read_line(process.stdout, START_SECONDS)
    if line is None:
        raise SandboxError(f"the sandbox did not answer within {START_SECONDS:g} s: is the machine overloaded?")
    if not line:
        raise SandboxError(f"the sandbox ended while starting (exit code {process.wait()}): see its output above")
    reply = json.loads(line)
    if "error" in reply:
        raise SandboxError(reply["error"])
    ca_bundle = Path(reply["ca_bundle"]) if reply["ca_bundle"] else None
    return RunningSandbox(reply["base_url"], ca_bundle, SandboxSettings.from_json(reply["settings"]), process.pid)


def _read_line(stream: IO[bytes], seconds: float) -> bytes | None:
    """Return one line, b"" at the end of the stream, or None after `seconds`."""
    descriptor = stream.fileno()
    line = b""
    deadline = clock.monotonic() + seconds
    while not line.endswith(b"\n"):
        readable, _, _ = select.select([descriptor], [], [], max(0.0, deadline - clock.monotonic()))
        if not readable:
            return None
        chunk = os.read(descriptor, 65536)
        if not chunk:
            return b""
        line += chunk
    return line


def _stop(process: subprocess.Popen[bytes], running: RunningSandbox | None) -> None:
    # Its standard output stays open while it may still write: a broken pipe would make it print a traceback.
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    if running is None:
        # We do not know yet where its files are: let it remove them itself.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
    if running is not None and running.ca_bundle is not None:
        shutil.rmtree(running.ca_bundle.parent, ignore_errors=True)
