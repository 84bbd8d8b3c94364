"""What a configuration asks of whoever talks to its deployment: which numbers may be dialled, what must stay secret."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from ringback.config import Config
from ringback.config.loading import Sources
from ringback.deployment.guard import DialGuard
from ringback.deployment.near_misses import near_miss_tokens
from ringback.deployment.redaction import LONG_TOKEN, Redactor
from ringback.rundir import SINK

__all__ = ["dial_guard", "protect", "protect_known", "redactor_for"]

Named = tuple[tuple[str, str], ...]
"""Pairs of a name and a secret."""

_LEAST_DIGITS = 3
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
    others = {}
    if config.notify is not None:
        others["<notify.webhook_url>"] = config.notify.webhook_url
        others[f"${config.notify.token_env}"] = config.notify.token() or ""
    _protect(config.deployment.access_token.get_secret_value(), config.lines.configured, others)


def protect_known(sources: Sources) -> None:
    """The same with whatever of it is known before the configuration is checked: complaints about it are clean, too."""
    deployment, notify = sources.section("deployment"), sources.section("notify")
    variable = deployment.get("access_token_env", "RINGBACK_ACCESS_TOKEN")
    token = sources.environ.get(str(variable), "")
    if isinstance(file := deployment.get("access_token_file"), str):
        with contextlib.suppress(OSError, ValueError):
            token = Path(file).read_text(encoding="utf-8").strip()
    others = {
        # Written where it does not belong, or in place of a variable's name.
        "<deployment.access_token>": deployment.get("access_token"),
        "<deployment.access_token_env>": None if str(variable) in sources.environ or _is_name(variable) else variable,
        "<notify.webhook_url>": notify.get("webhook_url"),
        f"${notify.get('token_env')}": sources.environ.get(str(notify.get("token_env")), ""),
    }
    numbers = {name: line for name, line in sources.section("lines").items() if isinstance(line, str)}
    lines = {name: line for name, line in numbers.items() if sum(map(str.isdigit, line)) >= _LEAST_DIGITS}
    _protect(token, lines, {label: secret for label, secret in others.items() if isinstance(secret, str)})


def _protect(token: str, lines: Mapping[str, str], others: Mapping[str, str]) -> None:
    known = tuple((label, secret) for label, secret in others.items() if secret)
    SINK.protect(*_redactors(token, tuple(lines.items()), known))


@functools.lru_cache
def _redactors(token: str, lines: Named, others: Named) -> tuple[Redactor, Redactor]:
    """The redactors of single values and of documents: the same ones for the same secrets, so that none works twice."""
    values = Redactor(token, dict(lines))
    documents = Redactor(
        token if len(token) >= _LONG_SECRET else "",
        {name: line for name, line in lines if len(line) >= _LONG_NUMBER},
    )
    _add_near_misses(values, token)
    _add_near_misses(documents, token, shortest=_LONG_SECRET)
    for label, secret in others:
        values.add_secret(secret, label)
        if len(secret) >= _LONG_SECRET:
            documents.add_secret(secret, label)
    return values, documents


def _is_name(variable: object) -> bool:
    return isinstance(variable, str) and re.fullmatch(r"[A-Z][A-Z0-9_]*", variable) is not None


def _add_near_misses(redactor: Redactor, token: str, shortest: int = 4) -> None:
    """What comes near the token gives it away, so it is as secret.

    The redactor finds the token within other text, in any case, and parts of a long one; only the rest is added.
    """
    for how, make in near_miss_tokens().items() if len(token) >= shortest else ():
        wrong = make(token)
        part = len(token) >= LONG_TOKEN and wrong in token
        if len(wrong) >= shortest and not part and token.casefold() not in wrong.casefold():
            redactor.add_secret(wrong, f"<the access token {how}>")
