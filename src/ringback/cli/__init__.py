"""The command line: commands and their options. What a command does is in `ringback.commands`.

Exit codes: 0 every decided clause and limit held, 1 a clause or limit is broken, 2 usage or configuration error,
3 inconclusive, 130 interrupted.
"""

from __future__ import annotations

from ringback.cli.app import app
from ringback.cli.program import main

__all__ = ["app", "main"]
