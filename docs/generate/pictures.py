"""The pictures of `docs/images`: runs against the sandbox and a deployment that freezes, photographed by Chromium.

`python -m docs.generate.pictures` makes all of them, `... open-model closed-model` only these. It needs `chromium`,
`node` and `npm`, and takes about two minutes. The figures of load runs differ from time to time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.servers.running import environment_for, running

from ringback.sandbox import RunningSandbox, SandboxSettings, launch

__all__ = ["PICTURES"]

_ROOT = Path(__file__).parents[2]
_IMAGES = _ROOT / "docs" / "images"
_BROWSER = _ROOT / "tests" / "browser"


@dataclass(frozen=True, slots=True)
class Picture:
    """A part of the report of a run."""

    run: str
    selector: str
    height: int
    """The most that is shown, in pixels."""


PICTURES: Mapping[str, Picture] = {
    "report": Picture("example", "body", 870),
    "tutorial-check": Picture("check", "body", 800),
    "tutorial-evidence": Picture("check", "#failures", 1000),
    "tutorial-load": Picture("load", "#load", 1100),
    "open-model": Picture("open", "#picture-over-time", 490),
    "closed-model": Picture("closed", "#picture-over-time", 490),
}
_FREEZES = ("freeze", "--for", "2s", "--every", "10s")


def _tutorial(vendor: RunningSandbox) -> dict[str, str]:
    """The configuration of the tutorial."""
    settings = vendor.settings
    of_deployment = ("project", "scenario_path", "orchestrator_url", "display_number")
    keys = {
        "deployment__base_url": vendor.base_url,
        **{f"deployment__{key}": getattr(settings, key) for key in of_deployment},
        **{f"lines__{name}": settings.lines[name] for name in ("answered", "busy", "no_answer")},
        "result_destination__listen": "127.0.0.1:0",
        "timing__settle": "15s",
    }
    token = {"RINGBACK_CONFIG": "", "RINGBACK_ACCESS_TOKEN": settings.access_token}
    return {f"RINGBACK_{key.upper()}": value for key, value in keys.items()} | token


def _ringback(out: Path, variables: Mapping[str, str], *arguments: str) -> None:
    command = [sys.executable, "-m", "ringback", *arguments, "--out", str(out), "--quiet"]
    done = subprocess.run(command, cwd=out.parent, env=variables, check=False, stdout=subprocess.DEVNULL)
    if done.returncode not in {0, 1}:
        raise SystemExit(f"exit {done.returncode}: {' '.join(command)}")


def _run(name: str, out: Path) -> None:
    """Make the run of that name."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("RINGBACK_")}
    match name:
        case "example":
            shutil.copytree(_ROOT / "reports" / "example", out)
        case "check":
            with launch(SandboxSettings(port=0, tls=False, faults=("busy-is-no-answer",))) as vendor:
                _ringback(out, variables | _tutorial(vendor), "check", "--seed", "1")
        case "load":
            variables |= {"RINGBACK_TIMING__SETTLE": "15s"}
            limit = ("--limit", "trigger.latency_ms.p99 < 500")
            _ringback(out, variables, "load", "--rate", "50", "--duration", "20s", *limit)
        case _:
            how = ("--rate", "200") if name == "open" else ("--rate", "max", "--connections", "4")
            with running(*_FREEZES) as known:
                given = environment_for(known.base_url)
                _ringback(out, given, "load", "--scenario", "trigger", *how, "--duration", "20s")


def _main(names: list[str]) -> None:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None or shutil.which("npm") is None:
        raise SystemExit("pictures need chromium, node and npm")
    if not (_BROWSER / "node_modules").is_dir():
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=_BROWSER, check=True)
    with tempfile.TemporaryDirectory() as folder:
        for run in dict.fromkeys(PICTURES[name].run for name in names):
            _run(run, Path(folder, run))
        arguments = []
        for name in names:
            shown = PICTURES[name]
            page = Path(folder, shown.run, "report.html")
            arguments += [str(page), shown.selector, str(shown.height), str(_IMAGES / f"{name}.png")]
        subprocess.run(["node", str(Path(__file__).with_name("shots.mjs")), chromium, *arguments], check=True)


if __name__ == "__main__":
    _main(sys.argv[1:] or list(PICTURES))
