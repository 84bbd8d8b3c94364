"""A deployment of the API with threads and the standard library, for tests: run this file. It has one project, places
no real calls, and can have a dialect (another way to conform) or a fault."""

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or until standard input ends; or list dialects and faults."""
    from tests.deployments.threads.dialects import DIALECTS
    from tests.deployments.threads.faults import FAULTS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path)
    parser.add_argument("--dialect", choices=DIALECTS, default="natural")
    parser.add_argument("--fault", choices=FAULTS, default="")
    parser.add_argument("--list", action="store_true")
    chosen = parser.parse_args(arguments)
    if chosen.list:
        dialects = [{"name": name, "summary": dialect.summary} for name, dialect in DIALECTS.items()]
        faults = [{"name": f.name, "clauses": list(f.clauses), "summary": f.summary} for f in FAULTS.values()]
        sys.stdout.write(json.dumps({"dialects": dialects, "faults": faults}, indent=1) + "\n")
        return 0
    if chosen.settings is None:
        parser.error("--settings is needed")
    serve(chosen.settings, chosen.dialect, chosen.fault)
    return 0


def serve(settings: Path, dialect: str, fault: str) -> None:
    """Serve the project of a settings file, in this dialect, with this fault ("" for none)."""
    from tests.deployments.threads.dialects import DIALECTS
    from tests.deployments.threads.office import Office
    from tests.deployments.threads.ways import Settings, Ways
    from tests.deployments.threads.wire import Server

    server = Server(Office(Ways(Settings.load(settings), DIALECTS[dialect], fault)))

    def stop(*_: object) -> None:
        threading.Thread(target=server.shutdown, daemon=True).start()

    def stop_with_input() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        stop()

    signal.signal(signal.SIGTERM, stop)
    threading.Thread(target=stop_with_input, daemon=True).start()
    sys.stdout.write(f"listening on http://127.0.0.1:{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever(poll_interval=0.05)
    server.server_close()


if __name__ == "__main__":
    # The parts are imported by their full names, which are found from the root of the repository.
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
    sys.exit(main())
