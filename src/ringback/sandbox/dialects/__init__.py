"""Dialects: conforming deployments that settle in another way what the documents leave open.

One module per subject; importing this package registers them all.
"""

from __future__ import annotations

from ringback.sandbox.dialects import (  # noqa: F401 - each registers its dialects
    answers,
    delivery,
    identifiers,
    pacing,
    polls,
    refusals,
    stacks,
)
