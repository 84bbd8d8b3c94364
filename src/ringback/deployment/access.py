"""Makes the dial guard and the redactor of a configuration: which numbers may be dialled, what must stay secret."""

from __future__ import annotations

import contextlib
import functools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from ringback.config import Config, ConfigError
from ringback.config.loading import Sources
from ringback.contract.near_misses import near_miss_tokens
from ringback.deployment.guard import DialGuard, StrangerRefused
from ringback.deployment.guard.names import Role, study
from ringback.deployment.redaction import LONG_TOKEN, Redactor
from ringback.rundir import SINK

__all__ = ["dial_guard", "protect", "protect_known", "redactor_for"]

Named = tuple[tuple[str, str], ...]
"""Pairs of a name and a secret."""

_LEAST_DIGITS = 3
_LONG_SECRET, _LONG_NUMBER = 8, 7
"""The shortest token and the shortest line that a whole page does not contain by chance."""


def dial_guard(config: Config, receiver_url: str | None = None) -> DialGuard:
    """The dial guard for all clients of the deployment; raises `ConfigError` for variables that might be dialled.

    `receiver_url` is where results may be sent.
    """
    deployment = config.deployment
    token = deployment.access_token.get_secret_value()
    harmless = [
        deployment.base_url, urlsplit(deployment.base_url).netloc, deployment.project, deployment.tenant,
        deployment.scenario_path, deployment.orchestrator_url, deployment.locale, token, *_harmless_variables(config),
        *(make(token) for make in near_miss_tokens().values()), *([receiver_url] if receiver_url else []),
    ]  # fmt: skip
    guard = DialGuard(config.lines.configured.values(), deployment.display_number, harmless)
    for name, value in config.variables or ():
        body = json.dumps({"ScenarioInputParameters": [{"Name": name, "Value": value}]}, ensure_ascii=False).encode()
        try:
            guard.check(f"{deployment.base_url}/v2/call", (), body)
        except StrangerRefused:
            key = f"variables.{name}"
            fix = "use the number of a line, or a value with fewer digits"
            raise ConfigError("configuration", key, "its name or value might be dialled", fix) from None
    return guard


def _harmless_variables(config: Config) -> Iterator[str]:
    """The values of the project's variables whose digits are no telephone numbers. Names are never harmless."""
    for _name, value in config.variables or ():
        is_url = value.startswith(("http://", "https://"))
        if any(map(str.isdigit, value)) and not is_url and study(value).role is Role.PLAIN:
            yield value


def redactor_for(config: Config) -> Redactor:
    """A redactor that hides the token, near misses of it, and the lines."""
    token = config.deployment.access_token.get_secret_value()
    redactor = Redactor(token, config.lines.configured)
    _add_near_misses(redactor, token)
    return redactor


def protect(config: Config) -> None:
    """Register a configuration's secrets with the sink, before anything is printed or written."""
    others = {}
    if config.notify is not None:
        others["<notify.webhook_url>"] = config.notify.webhook_url
        others[f"${config.notify.token_env}"] = config.notify.token() or ""
    _protect(config.deployment.access_token.get_secret_value(), config.lines.configured, others)


def protect_known(sources: Sources) -> None:
    """Register the secrets that are known before the configuration is checked, so that its errors show none."""
    deployment, notify = sources.section("deployment"), sources.section("notify")
    variable = deployment.get("access_token_env", "RINGBACK_ACCESS_TOKEN")
    token = sources.environ.get(str(variable), "")
    if isinstance(file := deployment.get("access_token_file"), str):
        with contextlib.suppress(OSError, ValueError):
            token = Path(file).read_text(encoding="utf-8").strip()
    others = {
        # A token in a wrong key, or in place of the name of an environment variable.
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
    if token or lines or known:
        SINK.protect(*_redactors(token, tuple(lines.items()), known))


@functools.lru_cache
def _redactors(token: str, lines: Named, others: Named) -> tuple[Redactor, Redactor]:
    """The redactors for single values and for documents. The same secrets have the same redactors."""
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
    """Register near misses of the token as secrets, because they disclose it.

    The redactor already finds the token within other text, in any case, and parts of a long token.
    """
    for how, make in near_miss_tokens().items() if len(token) >= shortest else ():
        wrong = make(token)
        part = len(token) >= LONG_TOKEN and wrong in token
        if len(wrong) >= shortest and not part and token.casefold() not in wrong.casefold():
            redactor.add_secret(wrong, f"<the access token {how}>")
