"""A certificate authority for the tests, and valid and invalid server certificates."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import trustme


@dataclass
class Authority:
    """An authority whose certificate is in the file `bundle`."""

    bundle: Path
    ca: trustme.CA

    @classmethod
    def new(cls, folder: Path) -> Authority:
        ca, bundle = trustme.CA(), folder / "ca.pem"
        ca.cert_pem.write_to_path(str(bundle))
        return cls(bundle, ca)

    def context(self, host: str = "127.0.0.1", until: datetime | None = None) -> ssl.SSLContext:
        """The TLS context of a server for a host."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(host, not_after=until).configure_cert(context)
        return context
