"""Configuration: `ringback.toml`, the environment and flags, merged into one checked `Config`.

It holds the models, the merging and the errors. It never uses the network. Every mistake is a `ConfigError`, one line
that names the source, the key, the value and the fix.
"""

from __future__ import annotations

from ringback.config.errors import ConfigError
from ringback.config.limits import Limit
from ringback.config.loading import DEFAULT_FILE, load_config
from ringback.config.model import (
    LINE_STATES,
    Budget,
    Config,
    Deployment,
    Dialect,
    Gate,
    Lines,
    Load,
    Metrics,
    ResultDestination,
    SandboxOptions,
    Timing,
    Waiver,
)

__all__ = [
    "DEFAULT_FILE",
    "LINE_STATES",
    "Budget",
    "Config",
    "ConfigError",
    "Deployment",
    "Dialect",
    "Gate",
    "Limit",
    "Lines",
    "Load",
    "Metrics",
    "ResultDestination",
    "SandboxOptions",
    "Timing",
    "Waiver",
    "load_config",
]
