"""The dial guard: nothing that could ring a stranger's telephone leaves through any client.

- `guard`: `DialGuard`, which looks at whole requests;
- `structure`: judges a body that is one clean JSON text;
- `only_lines`: judges any other text, in which no number may stand but lines;
- `names`, `folding`: what a name, or a character, may mean to a lenient server;
- `template`: a request that has been looked at, but for words.

What is sent, and when, is decided elsewhere.

Errors::

    NotSent
    └── StrangerRefused    the request holds, or may hold, a number that is not a configured line
"""

from __future__ import annotations

from ringback.deployment.guard.guard import DialGuard
from ringback.deployment.guard.refusal import StrangerRefused
from ringback.deployment.guard.template import LETTERS, RequestTemplate

__all__ = ["LETTERS", "DialGuard", "RequestTemplate", "StrangerRefused"]
