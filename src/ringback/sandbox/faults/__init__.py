"""Faults: each breaks one clause of the contract, and leaves the others whole as far as can be.

One module per section of the contract (`admits` is the other half of `req`); importing this package
registers them all.
"""

from __future__ import annotations

from ringback.sandbox.catalogue import fault
from ringback.sandbox.faults import ack, admits, dst, req, res, rob, sta, trn

__all__ = ["ack", "admits", "dst", "fault", "req", "res", "rob", "sta", "trn"]
