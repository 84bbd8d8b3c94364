"""What variables from a file cost: processor time of writing a trigger with a new row, and with one used before.

    python benchmarks/variables_cost.py [--rows 3000]

It also prints the time of the check before a run, for each row. Nothing is sent.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.servers.running import environment_for

from ringback.config import load_config
from ringback.deployment.access import dial_guard
from ringback.loadgen.http.wire import RequestWriter
from ringback.loadgen.variables import check_rows, read_rows


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=3000, help="at most 4,000 [default: %(default)s]")
    count = parser.parse_args(arguments).rows
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "customers.csv"
        rows = "".join(f"Customer {_letters(n)},Cologne,12.50,a note\n" for n in range(count))
        path.write_text(f"customer,city,balance,note\n{rows}")
        config = load_config(
            environ={**environment_for("http://127.0.0.1:1"), "RINGBACK_LOAD__VARIABLES_FILE": str(path)}
        )
        begun = time.process_time()
        check_rows(config, 1)
        checked = time.process_time() - begun
        found = read_rows(path)
    writer = RequestWriter(config, dial_guard(config))
    times = {"the check before a run": checked}
    for what in ("a trigger with a new row", "a trigger with a row used before"):
        begun = time.process_time()
        for row in range(count):
            writer.trigger(0, variables=found.variables(row))
        times[what] = time.process_time() - begun
    begun = time.process_time()
    for _ in range(count):
        writer.trigger(0)
    times["a trigger without variables"] = time.process_time() - begun
    for what, seconds in times.items():
        print(f"{what}: {seconds / count * 1e6:.1f} us of processor")
    return 0


def _letters(number: int) -> str:
    """A number in letters: the dial guard takes many digits for a telephone number."""
    return "".join(chr(97 + number // 26**place % 26) for place in range(3))


if __name__ == "__main__":
    sys.exit(main())
