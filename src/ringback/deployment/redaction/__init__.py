"""Redaction: labels replace secrets and personal data before a text is stored."""

from __future__ import annotations

from ringback.deployment.redaction.redactor import LONG_TOKEN, TOKEN_LABEL, Redactor

__all__ = ["LONG_TOKEN", "TOKEN_LABEL", "Redactor"]
