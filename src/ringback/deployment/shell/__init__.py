"""Recorded requests as shell commands: `curl` for one, `script` for several that show something together."""

from __future__ import annotations

from ringback.deployment.shell.curl import curl, is_configured
from ringback.deployment.shell.script import Round, given_id, in_rounds, is_trigger, script, spellings

__all__ = ["Round", "curl", "given_id", "in_rounds", "is_configured", "is_trigger", "script", "spellings"]
