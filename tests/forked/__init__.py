"""Python without the time to import: `sys.executable` of a test is a launcher that forks a process which has imported.

Starting Python and importing gevent, Locust or Ringback takes longer than most commands that tests run. The launcher
(`launcher.py`) asks a server (`server.py`) for a fork that runs the module, gives it its standard streams, and behaves
like it: signals reach it, and its end is the launcher's end. Whatever a fork would do in another way than a new
process is started in the usual way: other modules, scripts, other limits, users, namespaces, variables of the
interpreter, or streams beyond the three. `REAL_PYTHON` always starts in the usual way.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

from .launcher import identity

__all__ = ["REAL_PYTHON", "begin_session", "fork_python"]

REAL_PYTHON = sys.executable
"""Starts processes in the usual way."""
_FOLDER = "PYTEST_FORKS"
"""The variable with the folder of this test session, in the session's worker processes."""


def begin_session() -> None:
    """Make the folder of the session's launcher and servers; both go when this process ends."""
    if sys.platform != "linux":
        return
    folder = Path(tempfile.mkdtemp(prefix="ringback-forks-"))
    os.environ[_FOLDER] = str(folder)
    folder.chmod(0o755)  # tests become other users, who may read it
    atexit.register(_remove, folder, os.getpid())
    here = Path(__file__).parent
    source = (here / "launcher.py").read_text(encoding="utf-8").replace('"FOLDER"', repr(str(folder)))
    launcher = folder / "python"
    launcher.write_text(f"#!{REAL_PYTHON} -IS\n{source}", encoding="utf-8")
    launcher.chmod(0o755)
    parts = [REAL_PYTHON, str(here / "server.py"), str(os.getpid()), repr(identity())]
    (folder / "session").write_text("\n".join(parts), encoding="utf-8")


def fork_python() -> None:
    """Let `sys.executable` be the session's launcher from now on, if this system has what it takes."""
    if _FOLDER in os.environ:
        sys.executable = str(Path(os.environ[_FOLDER]) / "python")


def _remove(folder: Path, process: int) -> None:
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)
