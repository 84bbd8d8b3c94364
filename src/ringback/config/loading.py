"""Merge file, environment and flags, in rising precedence, and say precisely what is wrong with them."""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError

from ringback.config.errors import ConfigError
from ringback.config.limits import Limit
from ringback.config.model import Config, Deployment
from ringback.config.scalars import parse_duration

__all__ = ["DEFAULT_FILE", "FILE_VARIABLE", "Sources", "as_environment", "gather", "load_config"]

DEFAULT_FILE = Path("ringback.toml")
"""Read when no file is named and it exists in the working directory."""

FILE_VARIABLE = "RINGBACK_CONFIG"
"""Names the file where no flag does; set and empty, no file is read."""

_PREFIX = "RINGBACK_"
_PATH_KEYS = frozenset({"access_token_file", "ca_bundle", "client_cert", "client_key", "tls_cert", "tls_key"})
_TOKEN_KEY = "deployment.access_token"  # noqa: S105 - a key's name
_PROBLEMS = {
    "missing": ("missing", "add it"),
    "int_parsing": ("not a whole number", "write digits only"),
    "int_type": ("not a whole number", "write digits only"),
    "int_from_float": ("not a whole number", "leave out the fraction"),
    "float_parsing": ("not a number", "write a number"),
    "float_type": ("not a number", "write a number"),
    "bool_parsing": ("neither true nor false", "write true or false"),
    "bool_type": ("neither true nor false", "write true or false"),
    "tuple_type": ("not a list", 'write a list such as ["Ringing"]'),
    "model_type": ("not a section", "write it as a table of keys"),
    "model_attributes_type": ("not a section", "write it as a table of keys"),
    "date_from_datetime_parsing": ("not a day", "write it like 2027-01-31"),
    "date_parsing": ("not a day", "write it like 2027-01-31"),
    "date_type": ("not a day", "write it like 2027-01-31"),
}

Tree = dict[str, Any]


@dataclass(slots=True)
class Sources:
    """What file, environment and flags said, merged, each key with the name of the source that set it."""

    name: str
    """How a message names the configuration as a whole: the file, or the environment."""
    tree: Tree = field(default_factory=dict)
    origin: dict[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def names_a_deployment(self) -> bool:
        """Whether any source says something of a deployment; if none does, the embedded one is meant."""
        return "deployment" in self.tree

    def put(self, section: str, key: str | None, value: object, origin: str) -> None:
        """Set one value (`key` None: the whole of a section that is a list), over what was there."""
        if key is None:
            self.tree[section] = value
            self.origin[section] = origin
            return
        table = self.tree.setdefault(section, {})
        if isinstance(table, dict):
            table[key] = value
            self.origin[f"{section}.{key}"] = origin

    def section(self, name: str) -> Tree:
        """The merged values of one section, unchecked; empty where nothing was said."""
        table = self.tree.get(name, {})
        return dict(table) if isinstance(table, dict) else {}

    def build(self, defaults: Mapping[str, Mapping[str, Any]] | None = None, token: str | None = None) -> Config:
        """The checked configuration.

        `defaults` fills what no source set (the embedded deployment's values); `token` stands in for the
        variable or file in which the access token is looked up. Raises `ConfigError`.
        """
        tree: Tree = {k: dict(v) if isinstance(v, dict) else v for k, v in self.tree.items()}
        for section, table in (defaults or {}).items():
            mine = tree.setdefault(section, {})
            if isinstance(mine, dict):
                tree[section] = {**table, **mine}
        if "limits" in tree:
            tree["limits"] = tuple(self._limits(tree["limits"]))
        deployment = tree.get("deployment")
        if isinstance(deployment, dict):
            if "access_token" in deployment:
                raise ConfigError(
                    self._origin(_TOKEN_KEY), _TOKEN_KEY, "a token does not belong here",
                    "name the variable that holds it with access_token_env, or a file with access_token_file",
                )  # fmt: skip
            deployment["access_token"] = SecretStr("placeholder")
        try:
            config = Config.model_validate(tree)
        except ValidationError as error:
            raise self._explain(error) from None
        secret = SecretStr(token if token is not None else self._token(config.deployment))
        return config.model_copy(update={"deployment": config.deployment.model_copy(update={"access_token": secret})})

    def _origin(self, key: str) -> str:
        parts = key.split(".")
        for end in range(len(parts), 0, -1):
            if origin := self.origin.get(".".join(parts[:end])):
                return origin
        return self.name

    def _limits(self, table: object) -> Iterator[Limit]:
        if not isinstance(table, dict):
            raise ConfigError(self._origin("limits"), "limits", "not a section", "write it as a table of limits")
        for metric, expression in _flatten(table):
            try:
                yield Limit.parse(metric, expression)
            except ValueError as error:
                problem, _, mend = str(error).partition("; ")
                key = f'limits."{metric}"'
                raise ConfigError(self._origin(f"limits.{metric}"), key, problem, mend, expression) from None

    def _token(self, deployment: Deployment) -> str:
        if deployment.access_token_file is not None:
            key = "deployment.access_token_file"
            try:
                token = deployment.access_token_file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError):
                raise ConfigError(
                    self._origin(key), key, "unreadable as text", "put the token into it as UTF-8"
                ) from None
        else:
            key = "deployment.access_token_env"
            token = self.environ.get(deployment.access_token_env, "")
            if not token:
                raise ConfigError(
                    self._origin(key), key, "this variable is not set",
                    f"export {deployment.access_token_env}=... with the project's access token",
                    deployment.access_token_env,
                )  # fmt: skip
        if not token or not token.isprintable():
            raise ConfigError(
                self._origin(key), key, "the token is empty or holds control characters", "put the token alone into it"
            )
        return token

    def _explain(self, error: ValidationError) -> ConfigError:
        first = min(error.errors(include_url=False, include_context=True), key=_urgency)
        loc = [str(part) for part in first["loc"]]
        kind, value = first["type"], first.get("input")
        if kind == "value_error":
            message = str(first.get("ctx", {}).get("error", first["msg"]))
            if "|" in message.split(";", 1)[0]:
                extra, message = message.split("|", 1)
                if extra != ".".join(loc):
                    loc.append(extra)
                value = self._value(loc)
            problem, _, mend = message.partition("; ")
        elif kind == "extra_forbidden":
            known = _known_keys(loc[:-1])
            near = difflib.get_close_matches(loc[-1], known, n=1)
            problem = "unknown key" if len(loc) > 1 else "unknown section"
            mend = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
            value = None
        elif kind in _PROBLEMS:
            problem, mend = _PROBLEMS[kind]
            value = None if kind in {"missing", "model_type", "model_attributes_type"} else value
        else:
            problem, mend = first["msg"].lower().replace("input ", ""), "give it a value in that range"
        key = ".".join(loc)
        shown = value if isinstance(value, str | int | float | bool) else None
        return ConfigError(self._origin(key), key, problem, mend or "mend it", shown)

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
    """Read the file (or `ringback.toml`, if it is there), then the environment, then flags (`section.key` -> value).

    Raises `ConfigError` for what cannot be read; the values are checked by `Sources.build`.
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
            sources.put(section, key, value, f"--{key.replace('_', '-')}")
    return sources


def load_config(
    path: Path | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> Config:
    """The configuration of a run against a deployment that the sources name; raises `ConfigError`."""
    return gather(path, os.environ if environ is None else environ, flags).build()


def as_environment(config: Config) -> dict[str, str]:
    """The variables under which `load_config` in another process gives an equal configuration, token included."""
    variables = {
        FILE_VARIABLE: "",
        config.deployment.access_token_env: config.deployment.access_token.get_secret_value(),
    }
    for section, table in config.model_dump(mode="python").items():
        if not isinstance(table, dict):
            continue
        model = _section_model(section)
        for key, value in table.items():
            if value is None or key in {"access_token_env", "access_token_file", "access_token"}:
                continue
            annotation = model.model_fields[key] if model else None
            variables[f"{_PREFIX}{section}__{key}".upper()] = _written(value, annotation)
    variables["RINGBACK_DEPLOYMENT__ACCESS_TOKEN_ENV"] = config.deployment.access_token_env
    for limit in config.limits:
        variables[f"{_PREFIX}LIMITS__{limit.metric.replace('.', '__')}".upper()] = f"{limit.operator} {limit.bound!r}"
    return variables


def _written(value: object, info: Any) -> str:
    """A value in the form that a configuration is written in."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and info is not None and parse_duration in _validators(info):
        return f"{value * 1000:.3f}ms"
    if (
        isinstance(value, tuple)
        and info is not None
        and get_origin(info.annotation) is tuple
        and Ellipsis in get_args(info.annotation)
    ):
        return json.dumps(list(value))
    if isinstance(value, tuple):
        host, port = value
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return str(value)


def _validators(info: Any) -> list[object]:
    return [getattr(m, "func", None) for m in info.metadata]


def _read_file(path: Path, sources: Sources) -> None:
    name = str(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(name, None, "no such file", "name an existing one, or make one with: ringback init") from None
    except UnicodeDecodeError:
        raise ConfigError(name, None, "not UTF-8", "save the file as UTF-8") from None
    except OSError as error:
        raise ConfigError(name, None, f"unreadable ({error.strerror})", "name a readable file") from None
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(name, None, f"not TOML: {error}", "mend the line; text values stand in quotes") from None
    for section, table in document.items():
        if isinstance(table, dict):
            sources.tree.setdefault(section, {})
            for key, value in table.items():
                sources.put(section, key, _beside(path, key, value), name)
        else:
            sources.put(section, None, table, name)


def _beside(file: Path, key: str, value: object) -> object:
    """A path in a file is relative to that file."""
    if key in _PATH_KEYS and isinstance(value, str) and value.strip():
        return str(file.parent / Path(value).expanduser())
    return value


def _read_environment(environ: Mapping[str, str], sources: Sources) -> None:
    token_variable = sources.section("deployment").get("access_token_env")
    for variable in sorted(environ):
        if not variable.startswith(_PREFIX) or variable == token_variable:
            continue
        rest, value = variable.removeprefix(_PREFIX), environ[variable]
        if rest == "WAIVERS":
            sources.put("waivers", None, _toml_value(variable, value), variable)
            continue
        section, double, key = rest.partition("__")
        if not double:
            continue
        section, key = section.lower(), key.lower()
        if section == "limits":
            key = key.replace("__", ".")
        sources.put(section, key, _as_list(section, key, value), variable)


def _toml_value(variable: str, text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        raise ConfigError(
            variable, None, "not a TOML list", 'write [{clause = "...", reason = "...", expires = 2027-01-31}]'
        ) from None


def _as_list(section: str, key: str, text: str) -> object:
    """A list in the environment is written as a TOML list, or with commas."""
    model = _section_model(section)
    annotation = model.model_fields[key].annotation if model and key in model.model_fields else None
    if get_origin(annotation) is not tuple or Ellipsis not in get_args(annotation):
        return text
    if text.strip().startswith("["):
        return _toml_value(f"{_PREFIX}{section}__{key}".upper(), text)
    return [part.strip() for part in text.split(",") if part.strip()]


def _section_model(section: str) -> type[BaseModel] | None:
    info = Config.model_fields.get(section)
    candidates = [info.annotation, *get_args(info.annotation)] if info else []
    candidates += [inner for candidate in candidates for inner in get_args(candidate)]
    return next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)


def _known_keys(loc: list[str]) -> list[str]:
    if not loc:
        return list(Config.model_fields)
    model = _section_model(loc[0])
    return [name for name in model.model_fields if name != "access_token"] if model else []


def _flatten(table: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _urgency(error: Any) -> int:
    """An unknown key is the likeliest cause of a missing one, so it is told first."""
    return 0 if error["type"] == "extra_forbidden" else 1
