"""Ringback: contract tests and load tests for the Outbound Call Trigger API."""

from __future__ import annotations

__all__ = ["__version__"]
__version__ = "0.1.0"
