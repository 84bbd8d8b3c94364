"""`python -m ringback.loadgen.live`: serves the readings of plain Locust. Started by `LiveProcess`, not by people.

Standard input has one line with the configuration and the role, and one line for each reading; when it ends, this ends.
Standard output has one line at the start, `ready` or the `mistake` in the configuration, and one at the end.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from ringback.config import ConfigError, load_config
from ringback.deployment.access import protect
from ringback.loadgen.live.live_metrics import LiveMetrics
from ringback.rundir import SINK, put_output_behind_sink


def main() -> int:
    """Serve until standard input ends."""
    put_output_behind_sink()
    lines = sys.stdin.buffer
    task = json.loads(lines.readline())
    config = load_config(environ=task["configuration"])
    protect(config)
    try:
        live = LiveMetrics(config.metrics, task["role"])
    except ConfigError as mistake:
        _say({"mistake": {name: getattr(mistake, name) for name in ("source", "key", "problem", "fix")}})
        return 2
    with live:
        _say({"event": "ready"})
        for line in lines:
            live.take(json.loads(line))
        live.linger()
    _say({"shortfall": live.shortfall()})
    return 0


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(f"{SINK.json(line)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
