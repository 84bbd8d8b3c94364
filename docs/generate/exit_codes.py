"""`docs/exit-codes.md`: the exit codes, from the code."""

from __future__ import annotations

from collections.abc import Iterator

from docs.generate.commands import own_exit_codes
from docs.generate.page import GENERATED, page, table
from docs.generate.source import attribute_texts

from ringback.contract.verdict import ExitCode

__all__ = ["render"]

_PIPELINE = {
    ExitCode.OK: "continue",
    ExitCode.BROKEN: "stop; `verdict.json` shows what to fix",
    ExitCode.USAGE: "fix the command or `ringback.toml`",
    ExitCode.INCONCLUSIVE: "find the reason, then run again; this is not a pass",
    ExitCode.INTERRUPTED: "stop",
}


def render() -> str:
    """Return the page as Markdown."""
    return page(_lines())


def _lines() -> Iterator[str]:
    yield "# Exit codes"
    yield ""
    yield GENERATED
    yield ""
    yield "`ringback check`, `load` and `gate` end with:"
    rows = [
        (str(getattr(ExitCode, name)), text, _PIPELINE[getattr(ExitCode, name)])
        for name, text in attribute_texts(ExitCode).items()
    ]
    yield from table(("code", "means", "a pipeline should"), rows)
    yield (
        "If something is broken and something else undecided, the code is 1. Code 0 allows clauses that were not "
        "exercised; [the verdict](verdict.md#in-scripts) shows how to require that all were. A closed pipe "
        "(`ringback check | head -1`) does not change the code. [Troubleshooting](troubleshooting.md) has the reasons "
        "for code 3."
    )
    for name, codes in own_exit_codes().items():
        yield ""
        yield f"`ringback {name}` ends with:"
        yield from table(("code", "means"), codes)
    yield "Every command ends with 2 after a mistake in its usage or configuration, and with 130 after Ctrl-C."
