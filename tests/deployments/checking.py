"""Checks one deployment of the catalogue with `ringback check` in a process of its own."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .catalogue import DeploymentVariant
from .processes import Run, in_a_fork
from .running import TOKEN_VARIABLE, deployed

__all__ = ["Checked", "check"]

LONGEST_SECONDS = 400.0


@dataclass(frozen=True, slots=True)
class Checked:
    """The outcome of one run."""

    variant: DeploymentVariant
    code: int
    printed: str
    verdict: dict[str, Any]
    """`verdict.json`."""
    seconds: float
    """Seconds from the start of the process to its end."""
    unknown_numbers: tuple[str, ...]
    """What the deployment logged about dialled numbers that are not lines."""

    @property
    def calls(self) -> int:
        """Accepted calls."""
        return int(self.verdict["calls"]["accepted"])

    def clauses(self, *verdicts: str) -> list[str]:
        """The clauses with these verdicts."""
        return [c["id"] for c in self.verdict["clauses"] if c["verdict"] in verdicts]

    @property
    def broken(self) -> list[str]:
        """The clauses that the deployment broke, without TRN-01 where it supports only plain HTTP."""
        accused = self.clauses("fail", "warn")
        speaks_http = self.variant.stack != "sandbox"
        return [clause for clause in accused if not (speaks_http and clause == "TRN-01")]

    def __str__(self) -> str:
        summaries = [
            f"{c['id']} {c['verdict']}: {c['summary']}"
            for c in self.verdict["clauses"]
            if c["verdict"] not in {"pass", "not-exercised"}
        ]
        return "\n".join(
            [f"{self.variant.label}: exit code {self.code}", *summaries, *self.unknown_numbers, self.printed]
        )


def check(
    variant: DeploymentVariant,
    folder: Path,
    *,
    seed: int = 1,
    clauses: tuple[str, ...] = (),
    calls: int | None = None,
    run: Run = in_a_fork,
) -> Checked:
    """Start a deployment, check all clauses or the given ones, and stop it. All files stay in `folder`.

    `calls` is the budget; None: the configured one.

    Raises RuntimeError if the deployment does not start or no verdict is written, TimeoutError if the run takes
    longer than `LONGEST_SECONDS`.
    """
    with deployed(variant, folder) as deployment:
        out, printed = folder / "run", folder / "printed.txt"
        variables = {k: v for k, v in os.environ.items() if not k.startswith("RINGBACK_")}
        variables |= {TOKEN_VARIABLE: deployment.account.access_token}
        variables |= {"RINGBACK_BUDGET__CALLS": str(calls)} if calls is not None else {}
        arguments = ["check", "--quiet", "--config", str(deployment.config.resolve())]
        arguments += ["--seed", str(seed), "--out", str(out.resolve())]
        arguments += [word for clause in clauses for word in ("--clause", clause)]
        began = time.monotonic()
        code = run(arguments, variables, folder, printed, LONGEST_SECONDS)
        seconds = time.monotonic() - began
        verdict = out / "verdict.json"
        if not verdict.is_file():
            raise RuntimeError(f"{variant.label}: no verdict, exit code {code}: {printed.read_text()}")
        return Checked(
            variant,
            code,
            printed.read_text(),
            json.loads(verdict.read_text()),
            seconds,
            tuple(deployment.unknown_numbers()),
        )
