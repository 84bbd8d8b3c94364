"""Fixtures of several tests of the deployment layer."""

from __future__ import annotations

import pytest

from .authority import Authority


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority of our own."""
    return Authority.new(tmp_path_factory.mktemp("authority"))
