"""The dial guard: no client can send a request that could dial a number other than the configured lines.

- `guard`: `DialGuard`, which checks whole requests, and requests with gaps for words;
- `structure`: checks a body that is one clean JSON text;
- `only_lines`: checks any other text, which may contain no numbers but lines;
- `names`, `folding`: what a name, or a character, may mean to a lenient server.

Errors::

    NotSent
    └── StrangerRefused    the request contains, or may contain, a number that is not a configured line
"""

from __future__ import annotations

from ringback.deployment.guard.guard import LETTERS, DialGuard, RequestTemplate, names_a_number
from ringback.deployment.guard.refusal import StrangerRefused

__all__ = ["LETTERS", "DialGuard", "RequestTemplate", "StrangerRefused", "names_a_number"]
