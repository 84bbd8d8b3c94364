"""The dial guard: nothing that could ring a stranger's telephone leaves through any client.

`DialGuard` looks at whole requests; `names`, `folding` and `views` say how names and bytes might be read by a lenient
server; `numbers` judges digits; `structure` judges well-formed JSON; `template` is a request that has been looked at,
but for words. What is sent, and when, is no business of theirs.

Errors::

    NotSent
    └── StrangerRefused    the request holds, or may hold, a number that is not a configured line
"""

from __future__ import annotations

from ringback.deployment.guard.guard import DialGuard
from ringback.deployment.guard.refusal import StrangerRefused
from ringback.deployment.guard.template import LETTERS, RequestTemplate

__all__ = ["LETTERS", "DialGuard", "RequestTemplate", "StrangerRefused"]
