"""Dialects of UniqueIds. No id can be guessed from others; their forms differ."""

from __future__ import annotations

import base64
import os
import uuid
from collections.abc import Callable

from ringback import clock
from ringback.sandbox.behaviour import SandboxBehaviour
from ringback.sandbox.catalogue import dialect
from ringback.sandbox.messages import AcceptedTrigger

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def _ids(name: str, description: str, make: Callable[[], str]) -> None:
    """Register a dialect whose ids `make` returns."""

    @dialect(name, "ACK-02", "ACK-03", "ACK-04", description=description)
    class Ids(SandboxBehaviour):
        def make_id(self, order: AcceptedTrigger) -> str:
            del order
            return make()


def _ulid() -> str:
    number = int(clock.wall().timestamp() * 1000) << 80 | int.from_bytes(os.urandom(10))
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def _braced_uuid() -> str:
    return f"{{{uuid.uuid4()}}}".upper()


def _decimal() -> str:
    return str(int.from_bytes(os.urandom(8)) | 1 << 63)  # always 19 or 20 digits


def _punctuated() -> str:
    random = os.urandom(16).hex()
    return f"call:{random[:8]}/{random[8:16]}?leg=1&key={random[16:]}%20+#~"


_ids("uuid-ids", "UniqueIds are UUIDs.", lambda: str(uuid.UUID(bytes=os.urandom(16), version=4)))
_ids("upper-case-uuid-ids", "UniqueIds are UUIDs in upper case and braces.", _braced_uuid)
_ids("decimal-ids", "UniqueIds are random numbers of 64 bits, as strings of digits.", _decimal)
_ids("ulid-ids", "UniqueIds are ULIDs: time, then 80 random bits.", _ulid)
_ids("long-ids", "UniqueIds are 192 characters long.", lambda: base64.urlsafe_b64encode(os.urandom(144)).decode())
_ids("punctuated-ids", "UniqueIds contain punctuation of URLs.", _punctuated)
_ids("unicode-ids", "UniqueIds contain letters beyond ASCII.", lambda: f"çağrı-{os.urandom(16).hex()}-呼")
