"""Options that several commands share, and the types of their values."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ringback.contract.clauses import Level

__all__ = [
    "BaseUrl",
    "ConfigFile",
    "Force",
    "LevelOption",
    "MaxTime",
    "NoColor",
    "Otlp",
    "Out",
    "Own",
    "Prometheus",
    "Quiet",
    "Seed",
]

ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Default: ringback.toml, if it exists.")
]
BaseUrl = Annotated[str | None, typer.Option("--base-url", metavar="URL", help="The deployment under test.")]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="The run's directory (default: new, in reports/).")
]
Force = Annotated[bool, typer.Option("--force", help="Replace the run in the --out directory.")]
Own = Annotated[
    Path | None, typer.Option("--own", metavar="DIR", help="Check your own clauses too: clauses.toml and tests.")
]
MaxTime = Annotated[
    str | None,
    typer.Option("--max-time", metavar="T", help="End after this time, such as 10m."),
]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", min=0, help="Repeat what an earlier run generated.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print one line only: the result.")]
Prometheus = Annotated[str | None, typer.Option("--prometheus", metavar="HOST:PORT", help="Serve live figures there.")]
Otlp = Annotated[str | None, typer.Option("--otlp", metavar="URL", help="Send live figures to an OTLP receiver.")]
NoColor = Annotated[bool, typer.Option("--no-color", help="Print without colours, as NO_COLOR does.")]
LevelOption = Annotated[
    Level,
    typer.Option(
        "--level", case_sensitive=False, metavar="LEVEL", help="must, should: the lowest whose deviations fail the run."
    ),
]
