"""A deployment of the API on Flask, waitress and SQLite, with dialects and faults, to test the suite against.

It shares nothing with the rest of the project. This file is the command line and the WSGI server; see `app.py` for the
endpoints, `dialects.py` and `faults.py` for what can be chosen.
"""

import argparse
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import waitress  # type: ignore[import-untyped]  # waitress ships no types

if not __package__:  # run as a program: the modules in this folder are its package
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    __package__ = "wsgi"

THREADS = 8
THREADS_TO_HANG = 64


def main() -> None:
    """Serves until SIGTERM, or until standard input closes."""
    from .assembly import assembled
    from .dialects import DIALECTS
    from .faults import FAULTS, Fault

    options = _options(list(DIALECTS), list(FAULTS))
    if options.list:
        print(json.dumps(_listing(), indent=2))
        return
    if options.settings is None:
        sys.exit("--settings FILE is needed")
    settings = json.loads(Path(options.settings).read_text(encoding="utf-8"))
    logging.disable(logging.CRITICAL)
    fault = Fault(options.fault)
    server = waitress.create_server(
        assembled(settings, DIALECTS[options.dialect], fault),
        host="127.0.0.1",
        port=0,
        threads=THREADS_TO_HANG if fault("cut-off-hangs") else THREADS,
        connection_limit=500,
        clear_untrusted_proxy_headers=True,
    )
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    threading.Thread(target=_end_with_input, daemon=True).start()
    print(f"listening on http://127.0.0.1:{server.effective_port}", flush=True)
    server.run()


def _options(dialects: list[str], faults: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--settings", metavar="FILE", help="JSON: credentials, lines and times")
    parser.add_argument("--dialect", choices=dialects, default="natural", metavar="NAME")
    parser.add_argument("--fault", choices=["", *faults], default="", metavar="NAME")
    parser.add_argument("--list", action="store_true", help="print the dialects and faults as JSON")
    return parser.parse_args()


def _listing() -> dict[str, list[dict[str, Any]]]:
    from .dialects import DIALECTS
    from .faults import FAULTS

    return {
        "dialects": [{"name": name, "summary": dialect.summary} for name, dialect in DIALECTS.items()],
        "faults": [
            {"name": name, "clauses": clauses.split(), "summary": summary}
            for name, (clauses, summary) in FAULTS.items()
        ],
    }


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
