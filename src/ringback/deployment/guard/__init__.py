"""The dial guard: no client can send a request that could dial a number other than the configured lines.

- `guard`: `DialGuard`, which checks whole requests;
- `structure`: checks a body that is one clean JSON text;
- `only_lines`: checks any other text, which may contain no numbers but lines;
- `names`, `folding`: what a name, or a character, may mean to a lenient server;
- `template`: a checked request with gaps for words.

Errors::

    NotSent
    └── StrangerRefused    the request contains, or may contain, a number that is not a configured line
"""

from __future__ import annotations

from ringback.deployment.guard.guard import DialGuard, names_a_number
from ringback.deployment.guard.refusal import StrangerRefused
from ringback.deployment.guard.template import LETTERS, RequestTemplate

__all__ = ["LETTERS", "DialGuard", "RequestTemplate", "StrangerRefused", "names_a_number"]
