"""The sandbox's own certificate authority and the certificates that it issues.

Keys stay in memory; only the authority's certificate is written, so that clients can verify the server.
"""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


class Authority:
    """A certificate authority for one sandbox; `ca_bundle` is its certificate as a PEM file."""

    def __init__(self, directory: Path, host: str) -> None:
        self._ca = trustme.CA(organization_name="Ringback sandbox")
        self._host = host
        self.ca_bundle = directory / "ringback-sandbox-ca.pem"
        self._ca.cert_pem.write_to_path(str(self.ca_bundle))

    def server_context(
        self,
        *,
        names: tuple[str, ...] | None = None,
        common_name: str | None = None,
        valid_for: tuple[timedelta, timedelta] | None = None,
        unknown_authority: bool = False,
    ) -> ssl.SSLContext:
        """Return a server's TLS context with a certificate for `names`.

        `valid_for` is its first and last moment, relative to now; with `unknown_authority`, an authority that no
        client trusts signs it. With `common_name`, that alone names the host.
        """
        ca = trustme.CA(organization_name="Somebody else") if unknown_authority else self._ca
        if common_name is not None:
            leaf = ca.issue_cert(common_name=common_name)
        elif valid_for is None:
            leaf = ca.issue_cert(*(names or self._own_names()))
        else:
            now = datetime.now(UTC)  # TLS libraries verify by the machine's clock
            leaf = ca.issue_cert(
                *(names or self._own_names()), not_before=now + valid_for[0], not_after=now + valid_for[1]
            )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        leaf.configure_cert(context)
        return context

    def _own_names(self) -> tuple[str, ...]:
        names = dict.fromkeys((*LOCAL_NAMES, socket.gethostname()))
        if self._host not in ("0.0.0.0", "::"):  # noqa: S104 - compared with, not bound
            names[self._host] = None
        return tuple(names)
