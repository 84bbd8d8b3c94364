"""What this machine lets one process have: open files, and so connections."""

from __future__ import annotations

import os
import resource

__all__ = ["connections_allowed", "open_files"]

_SPARE_FILES = 128
_MOST_CONNECTIONS = 50_000


def connections_allowed() -> int:
    """As many as this process may open files, once it has asked for all that it can get."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_CONNECTIONS + _SPARE_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(hard, wanted)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        except (ValueError, OSError):
            pass
    allowed = _MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else soft - _SPARE_FILES
    return max(16, min(allowed, _MOST_CONNECTIONS))


def open_files() -> int | None:
    """How many files this process has open; None where the system does not tell."""
    try:
        return len(os.listdir("/proc/self/fd")) - 1  # noqa: PTH208 - a count is wanted, not paths
    except OSError:
        return None
