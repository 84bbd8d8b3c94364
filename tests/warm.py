"""What a check does first and always in the same way, done before processes are forked that check."""

from __future__ import annotations

import importlib
import pkgutil

__all__ = ["warm"]


def warm() -> None:
    """Import Ringback and what it imports while it runs, except load runs, which are processes of their own."""
    import pytest  # noqa: F401
    import schemathesis.specs.openapi.checks  # noqa: F401
    from hypothesis.internal.charmap import charmap

    import ringback.sandbox.server
    from ringback.reporting.html.page import environment

    for module in pkgutil.walk_packages(ringback.__path__, "ringback."):
        # In processes of load runs, gevent is imported first.
        if not module.name.startswith("ringback.loadgen.") and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    charmap()  # takes Hypothesis a second
    for template in environment().list_templates(["j2"]):
        environment().get_template(template)
