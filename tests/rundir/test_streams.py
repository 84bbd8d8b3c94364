"""All output of a process is clean: partial lines, tracebacks of every kind, warnings, logs."""

from __future__ import annotations

import errno
import io
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ringback.deployment.redaction import Redactor
from ringback.rundir import streams as module
from ringback.rundir.sink import Sink
from ringback.rundir.streams import CleaningStream

TOKEN = "rb-stream-token-SECRET"


@pytest.fixture(autouse=True)
def sink(monkeypatch: pytest.MonkeyPatch) -> Sink:
    sink = Sink()
    sink.protect(Redactor(TOKEN, {}))
    monkeypatch.setattr(module, "SINK", sink)
    return sink


def test_a_line_that_comes_in_pieces_is_cleaned_whole() -> None:
    behind = io.StringIO()
    stream = CleaningStream(behind)
    for piece in ("the ", TOKEN[:9], TOKEN[9:], " is\nse"):
        assert stream.write(piece) == len(piece)
    assert behind.getvalue() == "the $RINGBACK_ACCESS_TOKEN is\n"
    stream.write("cret")
    stream.flush()
    assert behind.getvalue() == "the $RINGBACK_ACCESS_TOKEN is\nsecret"


class Failing(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_stream_that_fails_is_given_up_once() -> None:
    troubles: list[OSError] = []
    stream = CleaningStream(Failing(), troubles.append)
    for _ in range(3):
        print("something", file=stream, flush=True)
    assert [trouble.errno for trouble in troubles] == [errno.ENOSPC]


PRELUDE = f"""
import sys
from ringback.rundir import SINK, put_output_behind_sink
from ringback.deployment.redaction import Redactor
put_output_behind_sink(); put_output_behind_sink()
TOKEN = {TOKEN!r}
SINK.protect(Redactor(TOKEN, {{}}))
"""
WAYS = {
    "print": "print(TOKEN); print('b', TOKEN.encode().hex(), file=sys.stderr)",
    "an exception": "raise RuntimeError(TOKEN)",
    "its cause": "try:\n    {}[TOKEN]\nexcept KeyError as e:\n    raise ValueError('x') from e",
    "a thread": "import threading\nt = threading.Thread(target=lambda: {}[TOKEN]); t.start(); t.join()",
    "an event loop": (
        "import asyncio\nasync def f(): {}[TOKEN]\n"
        "async def main():\n    t = asyncio.create_task(f()); await asyncio.wait([t]); del t\n"
        "    import gc; gc.collect()\nasyncio.run(main())"
    ),
    "a greenlet": "import gevent\ng = gevent.spawn(lambda: {}[TOKEN]); g.join()",
    "a warning": "import warnings; warnings.warn(TOKEN)",
    "a destructor": "class D:\n    def __del__(self): {}[TOKEN]\nD()",
    "a log": "import logging; logging.basicConfig(level=0); logging.getLogger('x').info('%s', TOKEN)",
    "a log's handler of its own": (
        "import logging; h = logging.StreamHandler(sys.__stderr__); logging.getLogger().addHandler(h)\n"
        "logging.getLogger('x').warning('token %s', TOKEN)"
    ),
    "a log's traceback": (
        "import logging; logging.getLogger().addHandler(logging.StreamHandler(sys.__stderr__))\n"
        "try:\n    {}[TOKEN]\nexcept KeyError:\n    logging.getLogger('x').exception('oops')"
    ),
    "a log's file": "import logging; logging.basicConfig(filename='log'); logging.getLogger('x').error(TOKEN)",
    "a log with wrong arguments": "import logging; logging.getLogger('x').error('%d %s', TOKEN)",
    "exit with a text": "sys.exit(TOKEN)",
    "the rest of a line": "sys.stdout.write('before ' + TOKEN)",
    "leaving an interactive hint": "import typer; typer.echo(TOKEN); typer.secho(TOKEN, err=True)",
    "rich": "from rich.console import Console; Console().print('a', TOKEN, style='bold')",
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_print_is_behind_the_sink(tmp_path: Path, way: str) -> None:
    program = PRELUDE + textwrap.dedent(WAYS[way])
    ended = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, check=False, timeout=60)
    shown = ended.stdout + ended.stderr + b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert TOKEN.encode() not in shown
    assert TOKEN.encode().hex().encode() not in shown
    assert b"RINGBACK_ACCESS_TOKEN" in shown


def test_python_itself_would_have_printed_it(tmp_path: Path) -> None:
    """Without the sink, each of these ways prints the token."""
    for way in ("an exception", "a thread", "an event loop", "a greenlet", "a warning", "a destructor", "a log"):
        program = f"import sys\nTOKEN = {TOKEN!r}\n{textwrap.dedent(WAYS[way])}"
        ended = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, check=False, timeout=60
        )
        assert TOKEN.encode() in ended.stderr, way
