"""Time, memory and size of the page of a run with ten million requests."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ringback.reporting import RunReport, write_verdict
from ringback.reporting.html import MOST_BYTES

from .load_runs import MadeUp, write_load_run

RENDER = """
import json, re, sys, time
from pathlib import Path
began = time.process_time()
from ringback.reporting.html import write_html
from ringback.rundir.verdict import read_run
folder = Path(sys.argv[1])
path = write_html(read_run(folder), folder)
most = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
print(json.dumps({"seconds": time.process_time() - began, "kib": most, "bytes": path.stat().st_size}))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells there how much memory was used")
def test_ten_million_requests_make_a_page_in_seconds(tmp_path: Path, make_report: Callable[..., RunReport]) -> None:
    run = MadeUp(seconds=2392, drain=8, window=2, rate=4200, ramp=60, freeze=(900, 930), limited=(1500, 1600))
    load = write_load_run(tmp_path, run)
    assert load["arrivals"]["sent"] > 9_500_000
    assert len((tmp_path / "load_windows.ndjson").read_text().splitlines()) == 1_200
    write_verdict(make_report(clauses=(), command="load", load=load), tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", RENDER, str(tmp_path)], stdout=subprocess.PIPE, text=True, check=True, timeout=300
    )
    cost = json.loads(done.stdout)
    assert cost["seconds"] < 10
    assert cost["kib"] < 500 * 1024
    assert cost["bytes"] <= MOST_BYTES
