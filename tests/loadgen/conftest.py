"""Fixtures of several tests of the load generator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")


@pytest.fixture
def accidents(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """An exception in a callback would only be printed; here it fails the test."""
    seen: list[Any] = []
    monkeypatch.setattr(gevent.get_hub(), "handle_error", lambda _context, _kind, value, _trace: seen.append(value))
    yield seen
    assert not seen
