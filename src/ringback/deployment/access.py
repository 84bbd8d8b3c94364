"""Makes the dial guard and the redactor of a configuration: which numbers may be dialled, what must stay secret."""

from __future__ import annotations

import base64
import contextlib
import functools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from ringback.config import Config, ConfigError, Deployment
from ringback.config.loading import Sources
from ringback.config.proxy import PROXY_VARIABLES
from ringback.config.references import referred
from ringback.contract.endpoints import TRIGGER_PATH
from ringback.contract.near_misses import near_miss_tokens
from ringback.deployment.guard import DialGuard, StrangerRefused, names_a_number
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
    """The dial guard for all clients of the deployment. `receiver_url` is where results may be sent.

    Raises `ConfigError` if a configured header or project variable might name a number to dial.
    """
    deployment = config.deployment
    harmless = [
        deployment.base_url, urlsplit(deployment.base_url).netloc, deployment.project, deployment.tenant,
        deployment.scenario_path, deployment.orchestrator_url, deployment.locale,
        *_texts_of(deployment.access_token.get_secret_value()), *([receiver_url] if receiver_url else []),
        *_harmless_variables(config),
    ]  # fmt: skip
    for header in deployment.headers:
        if names_a_number(header.name, header.value.get_secret_value()):
            raise ConfigError(
                "configuration", f'deployment.headers."{header.name}"', "a deployment might dial its value",
                "remove it; only the lines under [lines] are dialled",
            )  # fmt: skip
    headers = [(header.name, header.value.get_secret_value()) for header in deployment.headers]
    guard = DialGuard(
        config.lines.configured.values(), deployment.display_number, harmless,
        headers=[*headers, ("User-Agent", deployment.user_agent)],
    )  # fmt: skip
    for name, value in config.variables or ():
        body = json.dumps({"ScenarioInputParameters": [{"Name": name, "Value": value}]}, ensure_ascii=False).encode()
        try:
            guard.check(f"{deployment.base_url}{TRIGGER_PATH}", (), body)
        except StrangerRefused:
            key = f"variables.{name}"
            fix = "use the number of a line, or a value with fewer digits"
            raise ConfigError("configuration", key, "its name or value might be dialled", fix) from None
    deployment.access_token.before_renewal(guard, lambda known, token: known.add_harmless(_texts_of(token)))
    return guard


def _texts_of(token: str) -> list[str]:
    """A token and its near misses, all of which are sent."""
    return [token, *(make(token) for make in near_miss_tokens().values())]


def _harmless_variables(config: Config) -> Iterator[str]:
    """The values of the project's variables whose digits are no telephone numbers. Names are never harmless."""
    for _name, value in config.variables or ():
        is_url = value.startswith(("http://", "https://"))
        if any(map(str.isdigit, value)) and not is_url and study(value).role is Role.PLAIN:
            yield value


def redactor_for(config: Config) -> Redactor:
    """A redactor that hides every token that is ever in force, near misses of it, other secrets, and the lines."""
    access_token = config.deployment.access_token
    token = access_token.get_secret_value()
    redactor = Redactor(token, config.lines.configured)
    for known in access_token.all_in_force:
        _add_token(redactor, known)
    for secret, label in _secrets_of(config.deployment):
        redactor.add_secret(secret, label, is_token=False)
    access_token.before_renewal(redactor, _add_token)
    return redactor


def _add_token(redactor: Redactor, token: str, shortest: int = 4) -> None:
    redactor.add_token(token)
    _add_near_misses(redactor, token, shortest)


def _secrets_of(deployment: Deployment) -> Iterator[tuple[str, str]]:
    """Secrets besides the token, with their labels: headers, what they hold, and the proxy's credentials."""
    for header in deployment.headers:
        if header.is_secret:
            value, label = header.value.get_secret_value(), f"${header.variable}"
            yield value, label
            scheme, _, rest = value.partition(" ")
            if scheme.lower() in {"basic", "bearer", "apikey", "token"} and len(rest) >= _LONG_SECRET:
                yield rest, f"<{header.name}>"
            if scheme.lower() == "basic":
                with contextlib.suppress(ValueError):
                    user = base64.b64decode(rest, validate=True).decode()
                    yield user, f"<{header.name}>"
                    yield user.partition(":")[2], f"<{header.name}>"
    if (proxy := deployment.proxy) is not None and proxy.credentials and proxy.password is not None:
        yield proxy.credentials, "<proxy credentials>"
        yield proxy.password.get_secret_value(), "<proxy password>"


def protect(config: Config) -> None:
    """Register a configuration's secrets with the sink, before anything is printed or written."""
    others = dict(_secrets_of(config.deployment))
    if config.notify is not None:
        others[config.notify.webhook_url] = "<notify.webhook_url>"
        others[config.notify.token() or ""] = f"${config.notify.token_env}"
    access_token = config.deployment.access_token
    redactors = _protect(access_token.get_secret_value(), config.lines.configured, others)
    if redactors is None:
        return
    values, documents = redactors

    def learn(values: Redactor, token: str) -> None:
        _add_token(values, token)
        if len(token) >= _LONG_SECRET:
            _add_token(documents, token, _LONG_SECRET)
        SINK.protect(values, documents)

    access_token.before_renewal(values, learn)


def protect_known(sources: Sources) -> None:
    """Register the secrets that are known before the configuration is checked, so that its errors show none."""
    deployment, notify = sources.section("deployment"), sources.section("notify")
    variable = deployment.get("access_token_env", "RINGBACK_ACCESS_TOKEN")
    token = sources.environ.get(str(variable), "")
    if isinstance(file := deployment.get("access_token_file"), str):
        with contextlib.suppress(OSError, ValueError):
            token = Path(file).read_text(encoding="utf-8").strip()
    others: dict[object, str] = {
        # A token in a wrong key, or in place of the name of an environment variable.
        deployment.get("access_token"): "<deployment.access_token>",
        None if str(variable) in sources.environ or _is_name(variable) else variable: "<deployment.access_token_env>",
        notify.get("webhook_url"): "<notify.webhook_url>",
        sources.environ.get(str(notify.get("token_env")), ""): f"${notify.get('token_env')}",
        **_known_headers(deployment.get("headers"), sources.environ),
        **_known_proxies(deployment.get("proxy"), sources.environ),
    }
    written = {
        name: line.get("number") if isinstance(line, dict) else line for name, line in sources.section("lines").items()
    }
    numbers = {name: line for name, line in written.items() if isinstance(line, str)}
    lines = {name: line for name, line in numbers.items() if sum(map(str.isdigit, line)) >= _LEAST_DIGITS}
    _protect(token, lines, {secret: label for secret, label in others.items() if isinstance(secret, str)})


def _known_headers(headers: object, environ: Mapping[str, str]) -> dict[object, str]:
    """The values of headers that are not checked yet."""
    found: dict[object, str] = {}
    for name, text in headers.items() if isinstance(headers, dict) else ():
        with contextlib.suppress(ValueError):
            value = referred(text, environ) if isinstance(text, str) else ""
            if value != text or len(value) >= _LONG_SECRET:
                found[value] = f"<header {name}>"
    return found


def _known_proxies(configured: object, environ: Mapping[str, str]) -> dict[object, str]:
    """The credentials of proxies that are not checked yet."""
    found: dict[object, str] = {}
    for text in (configured, *(value for name, value in environ.items() if name.lower() in PROXY_VARIABLES)):
        with contextlib.suppress(ValueError):
            url = referred(text, environ) if isinstance(text, str) else ""
            credentials = url.partition("://")[2].rpartition("@")[0]
            if credentials:
                found |= {credentials: "<proxy credentials>", credentials.partition(":")[2]: "<proxy password>"}
    return found


def _protect(token: str, lines: Mapping[str, str], others: Mapping[str, str]) -> tuple[Redactor, Redactor] | None:
    """Register secrets with the sink; `others` are secrets and their labels. None if there are none."""
    known = tuple((label, secret) for secret, label in others.items() if secret)
    if not (token or lines or known):
        return None
    redactors = _redactors(token, tuple(lines.items()), known)
    SINK.protect(*redactors)
    return redactors


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
        values.add_secret(secret, label, is_token=False)
        if len(secret) >= _LONG_SECRET:
            documents.add_secret(secret, label, is_token=False)
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
