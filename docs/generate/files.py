"""`docs/files.md`: the files of a run, from their names' docstrings."""

from __future__ import annotations

from collections.abc import Iterator

from docs.generate.page import GENERATED, page, table
from docs.generate.source import attribute_texts

from ringback.rundir import names

__all__ = ["render"]

_ELSEWHERE = ("TREND_FILE", "REPLAY_FILE", "COMMENT_FILE")


def render() -> str:
    """Return the page as Markdown."""
    return page(_lines())


def _lines() -> Iterator[str]:
    texts = {name: text for name, text in attribute_texts(names).items() if name.endswith("_FILE")}
    yield "# Files of a run"
    yield ""
    yield GENERATED
    yield ""
    yield (
        "Each run of `ringback check`, `load` or `gate` makes a directory: `reports/<UTC time>-<command>/`, or the one "
        "that `--out` names. Files are written during the run, so that an interrupted run leaves a report too."
    )
    rows = [(f"`{getattr(names, name)}`", text) for name, text in texts.items() if name not in _ELSEWHERE]
    yield from table(("file", "what it is"), rows)
    yield "Other commands write:"
    yield from table(("file", "what it is"), [(f"`{getattr(names, name)}`", texts[name]) for name in _ELSEWHERE])
    yield (
        "`check` writes no load files. `load` writes no exchanges and no timelines: it records counts and histograms, "
        "not requests. `ringback report RUN` writes all files again except the recorded ones (`.ndjson`, `load.json`, "
        "`load.log`) and `verdict.json`."
    )
    yield ""
    yield (
        "Access tokens, telephone numbers, names and e-mail addresses are replaced before anything is written: "
        "`$RINGBACK_ACCESS_TOKEN` replaces the token, `$RINGBACK_LINES__BUSY` the number of the busy line. A `curl` line "
        "works if these variables are set."
    )
    yield ""
    yield "[The verdict](verdict.md) describes `verdict.json`, `junit.xml` and `load_windows.ndjson` member by member."
