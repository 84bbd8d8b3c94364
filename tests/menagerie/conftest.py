"""The thread of servers, and the authority of those with TLS."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import trustme

from tests.deployment.authority import Authority

from .framework import Hall


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.new(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def hall(authority: Authority) -> Iterator[Hall]:
    unknown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(unknown)
    past = datetime(2020, 1, 1, tzinfo=UTC)
    hall = Hall({"tls": authority.context(), "self-signed": unknown, "expired": authority.context(until=past)})
    yield hall
    hall.close()
