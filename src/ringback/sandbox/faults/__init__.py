"""Faults: each breaks one clause of the contract, and leaves the others whole as far as can be.

One module per section of the contract, or half of one: `admits` goes with `req`, `ids` with `res`, `leaks`
with `rob`. Importing this package registers them all.
"""

from __future__ import annotations

from ringback.sandbox.catalogue import fault
from ringback.sandbox.faults import ack, admits, dst, ids, leaks, req, res, rob, sta, trn

__all__ = ["ack", "admits", "dst", "fault", "ids", "leaks", "req", "res", "rob", "sta", "trn"]
