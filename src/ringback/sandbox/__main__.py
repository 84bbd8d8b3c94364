"""The process that `launch` starts: it reads settings from standard input and writes its address to standard output.

It runs until its standard input is closed or its parent has ended.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys

from ringback.sandbox.server import run
from ringback.sandbox.settings import RunningSandbox, SandboxError, SandboxSettings


def main() -> int:
    """Serve the sandbox that standard input describes; return an exit code."""
    # Ctrl-C in a terminal reaches the whole process group; the parent decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()
    line = sys.stdin.buffer.readline()
    if not line:
        return 2
    try:
        settings = SandboxSettings.from_json(json.loads(line))
        run(settings, _announce, lambda: os.getppid() != parent or _standard_input_ended())
    except SandboxError as error:
        _say({"error": str(error)})
        return 2
    return 0


def _standard_input_ended() -> bool:
    readable, _, _ = select.select([0], [], [], 0)
    return bool(readable) and not os.read(0, 4096)


def _announce(running: RunningSandbox) -> None:
    ca_bundle = running.ca_bundle and str(running.ca_bundle)
    _say({"base_url": running.base_url, "ca_bundle": ca_bundle, "settings": running.settings.to_json()})


def _say(message: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
