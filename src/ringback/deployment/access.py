"""What a configuration asks of whoever talks to its deployment: which numbers may be dialled, what must not be told."""

from __future__ import annotations

from urllib.parse import urlsplit

from ringback.config import Config
from ringback.deployment.guard import DialGuard
from ringback.deployment.near_misses import near_miss_tokens
from ringback.deployment.redaction import LONG_TOKEN, Redactor
from ringback.rundir import SINK

__all__ = ["dial_guard", "protect", "redactor_for"]

_LONG_SECRET, _LONG_NUMBER = 8, 7
"""Characters from which on a token, or a line, is not found by accident in a whole page."""


def dial_guard(config: Config, receiver_url: str | None = None) -> DialGuard:
    """The guard under every client of the deployment; `receiver_url` is where results may be sent to."""
    deployment = config.deployment
    token = deployment.access_token.get_secret_value()
    harmless = [
        deployment.base_url, urlsplit(deployment.base_url).netloc, deployment.project, deployment.tenant,
        deployment.scenario_path, deployment.orchestrator_url, deployment.locale, token,
        *(make(token) for make in near_miss_tokens().values()), *([receiver_url] if receiver_url else []),
    ]  # fmt: skip
    return DialGuard(config.lines.configured.values(), deployment.display_number, harmless)


def redactor_for(config: Config) -> Redactor:
    """What hides the token, whatever comes near it, and the lines."""
    token = config.deployment.access_token.get_secret_value()
    redactor = Redactor(token, config.lines.configured)
    _add_near_misses(redactor, token)
    return redactor


def protect(config: Config) -> None:
    """Make a configuration's secrets known to the sink, before anything is printed or written with them."""
    token = config.deployment.access_token.get_secret_value()
    long_lines = {name: line for name, line in config.lines.configured.items() if len(line) >= _LONG_NUMBER}
    documents = Redactor(token if len(token) >= _LONG_SECRET else "", long_lines)
    if len(token) >= _LONG_SECRET:
        _add_near_misses(documents, token)
    SINK.protect(redactor_for(config), documents)


def _add_near_misses(redactor: Redactor, token: str) -> None:
    """What comes near the token gives it away, so it is as secret.

    The redactor finds the token within other text, in any case, and parts of a long one; only the rest is added.
    """
    for how, make in near_miss_tokens().items():
        wrong = make(token)
        part = len(token) >= LONG_TOKEN and wrong in token
        if len(wrong) > 3 and not part and token.casefold() not in wrong.casefold():
            redactor.add_secret(wrong, f"<the access token {how}>")
