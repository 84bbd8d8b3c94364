"""Configuration: `ringback.toml`, the environment and flags, merged into one checked `Config`.

It holds the models, the merging and the errors. It connects to nothing; the only program that it runs is the command
for the access token. Every mistake is a `ConfigError`, one line that names the source, the key, the value and the fix.
Models are imported when they are first needed: they take longer to import than `ringback --help` may last.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from ringback.config.errors import ConfigError

if TYPE_CHECKING:
    from ringback.config.limits import Limit
    from ringback.config.loading import load_config
    from ringback.config.model import (
        LINE_STATES,
        Config,
        Deployment,
        Line,
        Load,
        Metrics,
        ResultDestination,
        SandboxOptions,
        Waiver,
    )

__all__ = [
    "LINE_STATES",
    "Config",
    "ConfigError",
    "Deployment",
    "Limit",
    "Line",
    "Load",
    "Metrics",
    "ResultDestination",
    "SandboxOptions",
    "Waiver",
    "load_config",
]

_ELSEWHERE = {"load_config": "loading", "Limit": "limits"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_ELSEWHERE.get(name, 'model')}"), name)
