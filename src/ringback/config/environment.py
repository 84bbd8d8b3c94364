"""Configuration as environment variables: which variable sets which key, and how values are written."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from typing import Final, get_args, get_origin

from pydantic import BaseModel

from ringback.config.errors import ConfigError
from ringback.config.model import Config, Deployment, Line
from ringback.config.references import VARIABLE

__all__ = ["FILE_VARIABLE", "MISWRITTEN", "PREFIX", "as_environment", "known_keys", "read_value", "toml_value"]

FILE_VARIABLE = "RINGBACK_CONFIG"
"""Names the configuration file if no flag does. If it is set and empty, no file is read."""

PREFIX = "RINGBACK_"


_LEFT_OUT: Final[Mapping[str, bool | set[str]]] = {
    "notify": True,
    "deployment": {"access_token_env", "access_token_file"},
}
"""What other processes do not need, or get with the token."""


def as_environment(config: Config) -> dict[str, str]:
    """The variables that give `load_config` in another process an equal configuration, token included."""
    variables = {FILE_VARIABLE: "", **dict(_secrets(config.deployment))}
    tables = config.model_dump(mode="json", exclude=_LEFT_OUT, exclude_none=True)
    tables["lines"] |= {n: line.number for n, line in config.lines.by_name.items() if line == Line(number=line.number)}
    for section, table in tables.items():
        if isinstance(table, dict):
            for key, value in table.items():
                variables[f"{PREFIX}{section}__{key}".upper()] = value if isinstance(value, str) else _toml(value)
    for limit in config.limits:
        variables[f"{PREFIX}LIMITS__{limit.metric.replace('.', '__')}".upper()] = limit.expression
    if config.waivers:
        variables[f"{PREFIX}WAIVERS"] = _toml([waiver.model_dump() for waiver in config.waivers])
    if config.variables is not None:
        variables[f"{PREFIX}VARIABLES"] = _toml(dict(config.variables))
    return variables


def _secrets(deployment: Deployment) -> Iterator[tuple[str, str]]:
    """The variables for tokens, proxy and headers. Of a command, the other process gets the command."""
    if deployment.access_token_command is None:
        yield deployment.access_token_env, deployment.access_token.get_secret_value()
        yield f"{PREFIX}DEPLOYMENT__ACCESS_TOKEN_ENV", deployment.access_token_env
    yield f"{PREFIX}DEPLOYMENT__PROXY", deployment.proxy_url
    if deployment.headers:
        written = {header.name: VARIABLE + header.variable for header in deployment.headers}
        yield f"{PREFIX}DEPLOYMENT__HEADERS", _toml(written)
    for header in deployment.headers:
        yield header.variable, header.value.get_secret_value()


def _toml(value: object) -> str:
    """A value as TOML writes it."""
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False)
        case dict():
            return f"{{{', '.join(f'{_toml(name)} = {_toml(member)}' for name, member in value.items())}}}"
        case list():
            return f"[{', '.join(map(_toml, value))}]"
        case bool():
            return str(value).lower()
        case _:
            return str(value)


def toml_value(variable: str, text: str, example: str) -> object:
    """The value of a variable that is written in TOML; raises `ConfigError`, with an example of what is meant."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        kind = "table" if example.startswith("{") else "list"
        raise ConfigError(variable, None, f"not a TOML {kind}", f"write {example}") from None


def read_value(section: str, key: str, text: str) -> object:
    """The value of a variable; a list may be written in TOML or with commas, a table in TOML."""
    variable = f"{PREFIX}{section}__{key}".upper()
    if (section, key) == ("deployment", "headers"):
        return toml_value(variable, text, '{ "X-Api-Key" = "env:GATEWAY_KEY" }')
    if section == "lines" and text.strip().startswith("{"):
        return toml_value(variable, text, '{ number = "5550000001", at_once = 1 }')
    model = _section_model(section)
    annotation = model.model_fields[key].annotation if model and key in model.model_fields else None
    if get_origin(annotation) is not tuple or Ellipsis not in get_args(annotation):
        return text
    if text.strip().startswith("["):
        return toml_value(variable, text, '["first", "second"]')
    return [part.strip() for part in text.split(",") if part.strip()]


def _section_model(section: str) -> type[BaseModel] | None:
    info = Config.model_fields.get(section)
    candidates = [info.annotation, *get_args(info.annotation)] if info else []
    candidates += [inner for candidate in candidates for inner in get_args(candidate)]
    return next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)


def known_keys(loc: list[str]) -> list[str]:
    """The keys of the section that `loc` begins with; the sections if `loc` is empty."""
    if not loc:
        return list(Config.model_fields)
    model = Line if loc[0] == "lines" and len(loc) > 1 else _section_model(loc[0])
    return [name for name in model.model_fields if name != "access_token"] if model else []


def _miswritten() -> dict[str, str]:
    """Likely misspelling (the key alone, or one underscore instead of two) -> the variable."""
    named = [(section.upper(), key.upper()) for section in Config.model_fields for key in known_keys([section])]
    lone_keys = {key: f"{PREFIX}{section}__{key}" for section, key in named}
    return lone_keys | {f"{section}_{key}": f"{PREFIX}{section}__{key}" for section, key in named}


MISWRITTEN = _miswritten()
"""Likely misspelling, without the prefix -> the intended variable."""
