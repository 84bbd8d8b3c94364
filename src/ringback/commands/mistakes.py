"""All mistakes of a configuration at once, without its token and without sending anything."""

from __future__ import annotations

from ringback.config import Config, ConfigError
from ringback.config.loading import Sources
from ringback.contract.waivers import check_clause
from ringback.deployment.connections import client_ssl_context

__all__ = ["NO_TOKEN", "mistakes_in"]

NO_TOKEN = "placeholder"  # noqa: S105 - stands for a token where none is sent
_FIRST_OF_ALL = ("limits", "deployment.access_token", "deployment.headers", "deployment.proxy")
"""Keys that are checked before all others; without them, the others can be checked too."""


def mistakes_in(sources: Sources) -> list[ConfigError]:
    """Every mistake, each with its own source. A missing token is none: see `Sources.build`."""
    found: list[ConfigError] = []
    config = _built(Sources(sources.name, _copied(sources.tree), sources.origin, sources.environ), found)
    waivers = sources.tree.get("waivers")
    for waiver in waivers if isinstance(waivers, list) else ():
        if isinstance(waiver, dict) and isinstance(clause := waiver.get("clause"), str):
            try:
                check_clause(clause)
            except ConfigError as error:
                found.append(error.at(sources.origin_of("waivers")))
    if config is not None:
        try:
            client_ssl_context(config)
        except ConfigError as error:
            found.append(error.at(sources.origin_of(error.key or "")))
    return list({str(mistake): mistake for mistake in found}.values())


def _built(sources: Sources, found: list[ConfigError]) -> Config | None:
    while True:
        try:
            return None if found else sources.build(token=NO_TOKEN)
        except ConfigError as error:
            key = error.key or ""
            if not key.startswith(_FIRST_OF_ALL):
                found += [error, *error.others]
                return None
            section, _, name = key.partition(".")
            name = "headers" if name.startswith("headers.") else name
            sources.tree[section].pop(name.strip('"'), None)
            before, rest = [error], list[ConfigError]()
            _built(sources, rest)
            found += [*before, *rest]
            return None


def _copied(tree: dict[str, object]) -> dict[str, object]:
    return {name: dict(table) if isinstance(table, dict) else table for name, table in tree.items()}
