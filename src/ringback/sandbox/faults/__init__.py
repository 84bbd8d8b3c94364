"""Faults: each breaks one clause of the contract and, as far as possible, no other.

Modules are named by the contract's sections. Importing this package registers all faults.
"""

from __future__ import annotations

from ringback.sandbox.faults import (  # noqa: F401 - each registers its faults
    ack,
    dst,
    req_invalid_accepted,
    req_refusals,
    res,
    res_ids,
    rob,
    rob_leaks,
    sta,
    trn,
)
