"""`python -m ringback.loadgen.live`: serves the readings of plain Locust. Started by `plain_locust`, not by people.

Standard input has one line with the configuration and the role, and one line for each reading; when it ends, this ends.
An empty line on standard output says that it is ready; any other line is what went wrong.
"""

from __future__ import annotations

import json
import sys

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
        _say(str(mistake))
        return 2
    with live:
        _say("")
        for line in lines:
            live.take(json.loads(line))
        live.linger()
    if (shortfall := live.shortfall()) is not None:
        _say(shortfall)
    return 0


def _say(text: str) -> None:
    sys.stdout.write(SINK.clean(text) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
