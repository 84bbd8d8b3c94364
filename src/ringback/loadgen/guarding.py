"""The dial guard of a load run: the configured lines, and the configured texts in which digits are no numbers."""

from __future__ import annotations

from ringback.config import Config
from ringback.deployment.guard import DialGuard

__all__ = ["guard_for"]


def guard_for(config: Config) -> DialGuard:
    """The guard under every user of a load run."""
    deployment = config.deployment
    harmless = (
        deployment.base_url,
        deployment.project,
        deployment.tenant,
        deployment.access_token.get_secret_value(),
        deployment.scenario_path,
        deployment.orchestrator_url,
        deployment.locale,
    )
    return DialGuard(config.lines.configured.values(), deployment.display_number, harmless)
