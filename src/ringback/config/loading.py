"""Merge file, environment and flags, later ones over earlier ones, and explain every mistake in them."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ringback.config.environment import (
    FILE_VARIABLE,
    MISWRITTEN,
    PREFIX,
    as_environment,
    known_keys,
    read_value,
    toml_value,
)
from ringback.config.errors import ConfigError
from ringback.config.headers import Header, HeaderError, headers_from
from ringback.config.limits import Limit
from ringback.config.model import Config, Deployment
from ringback.config.proxy import Proxy, ProxyError, proxy_for
from ringback.config.references import FILE
from ringback.config.token import AccessToken, TokenError, check_token

__all__ = ["DEFAULT_FILE", "FILE_VARIABLE", "Sources", "as_environment", "gather", "load_config"]

DEFAULT_FILE = Path("ringback.toml")
"""The file that is read if none is named and this one exists in the working directory."""

_VARIABLE_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,127}")
_TOKEN_KEYS = ("access_token_env", "access_token_file", "access_token_command")
_UNSHOWN = frozenset({"deployment.access_token", *(f"deployment.{key}" for key in _TOKEN_KEYS)})
"""Keys whose values are not shown: the token itself may have been written there."""
_PATH_KEYS = frozenset({"access_token_file", "ca_bundle", "client_cert", "client_key", "tls_cert", "tls_key"}) | {
    "baseline",
    "variables_file",
}
_TOKEN_KEY = "deployment.access_token"  # noqa: S105 - a key's name
_PROBLEMS = {
    "missing": ("missing", "add it"),
    "int_parsing": ("not a whole number", "write digits only"),
    "int_type": ("not a whole number", "write digits only"),
    "int_from_float": ("not a whole number", "leave out the fraction"),
    "float_parsing": ("not a number", "write a number"),
    "float_type": ("not a number", "write a number"),
    "bool_parsing": ("not true or false", "write true or false"),
    "bool_type": ("not true or false", "write true or false"),
    "tuple_type": ("not a list", 'write a list such as ["Ringing"]'),
    "model_type": ("not a section", "write it as a table of keys"),
    "model_attributes_type": ("not a section", "write it as a table of keys"),
    "date_from_datetime_parsing": ("not a day", "write it like 2027-01-31"),
    "date_parsing": ("not a day", "write it like 2027-01-31"),
    "date_type": ("not a day", "write it like 2027-01-31"),
}

_WAIVERS = '[{clause = "...", reason = "...", expires = 2027-01-31}]'
_VARIABLES = '{customerName = "sample"}'

Tree = dict[str, Any]
_FLAGS = {"load.ramp_up": "--ramp", "limits": "--limit"}
"""Flags that are not named like their key, by key or section."""


@dataclass(slots=True)
class Sources:
    """The merged values of file, environment and flags, and for each key the source that set it."""

    name: str
    """The name of the configuration in messages: the file, or the environment."""
    tree: Tree = field(default_factory=dict)
    origin: dict[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def names_a_deployment(self) -> bool:
        """Whether any source names a deployment; otherwise the embedded sandbox is used."""
        return "deployment" in self.tree

    def put(self, section: str, key: str | None, value: object, origin: str) -> None:
        """Set one value; `key` None sets a whole section that is a list."""
        if key is None:
            self.tree[section] = value
            self.origin[section] = origin
            return
        table = self.tree.setdefault(section, {})
        if isinstance(table, dict):
            table[key] = value
            self.origin[f"{section}.{key}"] = origin

    def section(self, name: str) -> Tree:
        """The merged, unchecked values of one section; empty if no source sets any."""
        table = self.tree.get(name, {})
        return dict(table) if isinstance(table, dict) else {}

    def build(self, defaults: Mapping[str, Mapping[str, Any]] | None = None, token: str | None = None) -> Config:
        """The checked configuration.

        `defaults` fills in what no source sets (the values of the embedded sandbox). `token` replaces the token from
        the variable or file. Raises `ConfigError`.
        """
        tree: Tree = {k: dict(v) if isinstance(v, dict) else v for k, v in self.tree.items()}
        for section, table in (defaults or {}).items():
            mine = tree.setdefault(section, {})
            if isinstance(mine, dict):
                tree[section] = {**table, **mine}
        if "limits" in tree:
            tree["limits"] = tuple(self._limits(tree["limits"]))
        deployment, wanted_proxy = tree.get("deployment"), None
        if isinstance(deployment, dict):
            if "access_token" in deployment:
                raise ConfigError(
                    self.origin_of(_TOKEN_KEY), _TOKEN_KEY, "the token itself must not be in the configuration",
                    "name its variable with access_token_env, or its file with access_token_file",
                )  # fmt: skip
            deployment["access_token"] = AccessToken("placeholder")
            deployment["headers"] = tuple(self._headers(deployment.get("headers", {})))
            wanted_proxy = deployment.pop("proxy", None)
            self._one_token(deployment)
        try:
            config = Config.model_validate(tree)
        except ValidationError as error:
            raise self._explain(error) from None
        known = {
            "proxy": self._proxy(wanted_proxy, config.deployment.base_url),
            "access_token": AccessToken(token) if token is not None else self._token(config.deployment),
        }
        return config.model_copy(update={"deployment": config.deployment.model_copy(update=known)})

    def origin_of(self, key: str) -> str:
        """The source that set a key, or the section around it; the configuration's name if none did."""
        parts = key.split(".")
        for end in range(len(parts), 0, -1):
            if origin := self.origin.get(".".join(parts[:end])):
                return origin
        return self.name

    def _limits(self, table: object) -> Iterator[Limit]:
        if not isinstance(table, dict):
            raise ConfigError(self.origin_of("limits"), "limits", "not a section", "write it as a table of limits")
        for metric, expression in dict(_flatten(table)).items():
            try:
                yield Limit.parse(metric, expression)
            except ValueError as error:
                source = self.origin_of(f"limits.{metric}")
                raise ConfigError.of(source, f'limits."{metric}"', error, expression) from None

    def _headers(self, table: object) -> Iterator[Header]:
        key = "deployment.headers"
        if not isinstance(table, dict):
            raise ConfigError(
                self.origin_of(key), key, "not a table", 'write it like { "X-Api-Key" = "env:GATEWAY_KEY" }'
            )
        try:
            yield from headers_from(table, self.environ)
        except HeaderError as mistake:
            raise self._mistake(key, mistake, f'{key}."{mistake.name}"') from None

    def _proxy(self, wanted: object, base_url: str) -> Proxy | None:
        try:
            return proxy_for(wanted, base_url, self.environ)
        except ProxyError as mistake:
            if mistake.variable is None:
                raise self._mistake("deployment.proxy", mistake) from None
            raise ConfigError.of(mistake.variable, None, mistake) from None

    def _one_token(self, deployment: Mapping[str, object]) -> None:
        """Raise `ConfigError` if the configuration has two ways to the token, or a lifetime without a command."""
        named = [key for key in _TOKEN_KEYS if key in deployment]
        if len(named) > 1:
            key = f"deployment.{named[-1]}"
            raise ConfigError(self.origin_of(key), key, f"{named[0]} names the token already", "keep one of the two")
        key = "deployment.access_token_lifetime"
        if "access_token_lifetime" in deployment and "access_token_command" not in deployment:
            raise ConfigError(
                self.origin_of(key), key, "only a token from access_token_command can be renewed", "add the command"
            )

    def _mistake(self, key: str, mistake: Exception, shown: str | None = None) -> ConfigError:
        return ConfigError.of(self.origin_of(key), shown or key, mistake)

    def _token(self, deployment: Deployment) -> AccessToken:
        if deployment.access_token_command is not None:
            try:
                return AccessToken.by(deployment.access_token_command, deployment.access_token_lifetime)
            except TokenError as mistake:
                raise self._mistake("deployment.access_token_command", mistake) from None
        if deployment.access_token_file is not None:
            key = "deployment.access_token_file"
            try:
                token = deployment.access_token_file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError):
                raise ConfigError(
                    self.origin_of(key), key, "unreadable as text", "write the token into it as UTF-8"
                ) from None
        else:
            key = "deployment.access_token_env"
            if not _VARIABLE_NAME.fullmatch(deployment.access_token_env):
                raise ConfigError(
                    self.origin_of(key), key, "not the name of a variable (not shown, it may be the token)",
                    "write the variable's name in capitals, such as RINGBACK_ACCESS_TOKEN",
                )  # fmt: skip
            token = self.environ.get(deployment.access_token_env, "")
            if not token:
                raise ConfigError(
                    self.origin_of(key), key, "this variable is not set",
                    f"export {deployment.access_token_env}=... with the project's access token",
                    deployment.access_token_env,
                )  # fmt: skip
        try:
            return AccessToken(check_token(token))
        except TokenError as mistake:
            raise self._mistake(key, mistake) from None

    def _explain(self, error: ValidationError) -> ConfigError:
        """The most urgent mistake of a validation, with the others beside it."""
        found = sorted(error.errors(include_url=False, include_context=True), key=_urgency)
        first, *others = [self._explained(one) for one in found]
        first.others = tuple(others)
        return first

    def _explained(self, first: Any) -> ConfigError:
        loc = [str(part) for part in first["loc"]]
        kind, value = first["type"], first.get("input")
        if kind == "value_error":
            message = str(first.get("ctx", {}).get("error", first["msg"]))
            if "|" in message.split(";", 1)[0]:
                extra, message = message.split("|", 1)
                if extra != ".".join(loc):
                    loc.append(extra)
                value = self._value(loc)
            problem, _, fix = message.partition("; ")
        elif kind == "extra_forbidden":
            known = known_keys(loc[:-1])
            near = difflib.get_close_matches(loc[-1], known, n=1)
            problem = "unknown key" if len(loc) > 1 else "unknown section"
            fix = f"did you mean {near[0]}?" if near else f"use one of: {', '.join(known)}"
            value = None
        elif kind in _PROBLEMS:
            problem, fix = _PROBLEMS[kind]
            value = None if kind in {"missing", "model_type", "model_attributes_type"} else value
        else:
            problem, fix = first["msg"].lower().replace("input ", ""), "give it a value in that range"
        key = ".".join(loc)
        shown = value if isinstance(value, str | int | float | bool | date) and not _is_unshown(key) else None
        return ConfigError(self.origin_of(key), key, problem, fix or "fix it", shown)

    def _value(self, loc: list[str]) -> object:
        node: object = self.tree
        for part in loc:
            if isinstance(node, dict):
                node = node.get(part)
            elif isinstance(node, list) and part.isdigit() and int(part) < len(node):
                node = node[int(part)]
            else:
                return None
        return node


def gather(path: Path | None, environ: Mapping[str, str], flags: Mapping[str, object] | None = None) -> Sources:
    """Read the file (or `ringback.toml`, if it exists), then the environment, then flags (`section.key` -> value).

    Raises `ConfigError` if a source can't be read. `Sources.build` checks the values.
    """
    if path is None and FILE_VARIABLE in environ:
        path = Path(environ[FILE_VARIABLE]) if environ[FILE_VARIABLE] else None
    elif path is None and DEFAULT_FILE.is_file():
        path = DEFAULT_FILE
    sources = Sources(name=str(path) if path else "configuration", environ=environ)
    if path is not None:
        _read_file(path, sources)
    _read_environment(environ, sources)
    for dotted, value in (flags or {}).items():
        if value is not None:
            section, _, key = dotted.partition(".")
            sources.put(section, key, value, _FLAGS.get(dotted, _FLAGS.get(section, f"--{key.replace('_', '-')}")))
    return sources


def load_config(
    path: Path | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> Config:
    """The checked configuration from all sources; raises `ConfigError`."""
    return gather(path, os.environ if environ is None else environ, flags).build()


def _read_file(path: Path, sources: Sources) -> None:
    name = str(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(
            name, None, "no such file", "name an existing file, or make one with: ringback init"
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(name, None, "not UTF-8", "save the file as UTF-8") from None
    except OSError as error:
        raise ConfigError(name, None, f"unreadable ({error.strerror})", "name a readable file") from None
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(name, None, f"not TOML: {error}", "fix the line; text values need quotes") from None
    for section, table in document.items():
        if isinstance(table, dict):
            table = dict(_flatten(table)) if section == "limits" else table
            sources.tree.setdefault(section, {})
            for key, value in table.items():
                sources.put(section, key, _beside(path, key, value), name)
        else:
            sources.put(section, None, table, name)


def _beside(file: Path, key: str, value: object) -> object:
    """The value; a path in a file is relative to that file."""
    if key in _PATH_KEYS and isinstance(value, str) and value.strip():
        return str(file.parent / Path(value).expanduser())
    if key == "headers" and isinstance(value, dict):
        return {name: _beside(file, "", text) for name, text in value.items()}
    if key in {"proxy", ""} and isinstance(value, str) and value.startswith(FILE):
        return FILE + str(file.parent / Path(value.removeprefix(FILE)).expanduser())
    return value


def _read_environment(environ: Mapping[str, str], sources: Sources) -> None:
    token_variable = environ.get("RINGBACK_DEPLOYMENT__ACCESS_TOKEN_ENV")
    token_variable = token_variable or sources.section("deployment").get("access_token_env")
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or variable == token_variable:
            continue
        rest, value = variable.removeprefix(PREFIX), environ[variable]
        if rest == "WAIVERS":
            sources.put("waivers", None, toml_value(variable, value, _WAIVERS), variable)
            continue
        if rest == "VARIABLES":
            sources.put("variables", None, toml_value(variable, value, _VARIABLES), variable)
            continue
        section, double, key = rest.partition("__")
        if not double:
            if meant := MISWRITTEN.get(rest):
                raise ConfigError(variable, None, "not a key of the configuration", f"did you mean {meant}?")
            continue
        section, key = section.lower(), key.lower()
        if section == "variables":
            fix = f"write all of them in {PREFIX}VARIABLES: {_VARIABLES}"
            raise ConfigError(variable, None, "the case of a project variable's name is lost here", fix)
        if section == "limits":
            key = key.replace("__", ".")
        sources.put(section, key, read_value(section, key, value), variable)


def _is_unshown(key: str) -> bool:
    """Whether the value may be a secret or personal, so that no message may show it."""
    return key in _UNSHOWN or key.startswith("variables.")


def _flatten(table: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _urgency(error: Any) -> int:
    """Unknown keys come first: a misspelled key is also a missing one."""
    return 0 if error["type"] == "extra_forbidden" else 1
