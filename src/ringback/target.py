"""The deployment that a command runs against: the configured one, or an embedded sandbox."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from ringback.config import Config, ConfigError
from ringback.config.loading import Sources
from ringback.deployment.access import protect, protect_known
from ringback.deployment.connections import client_ssl_context
from ringback.sandbox import SandboxError, SandboxSettings, launch

__all__ = ["Target", "resolve"]


_NOT_STARTED = "https://127.0.0.1:0"


@dataclass(frozen=True, slots=True)
class Target:
    """A deployment to run against."""

    config: Config
    embedded: bool

    @property
    def where(self) -> str:
        """Its base URL, and whether it is the embedded sandbox."""
        if self.embedded and self.config.deployment.base_url == _NOT_STARTED:
            return "the embedded sandbox"
        return self.config.deployment.base_url + (" (the embedded sandbox)" if self.embedded else "")


@contextlib.contextmanager
def resolve(sources: Sources, *, start: bool = True) -> Iterator[Target]:
    """Check the configuration, and run an embedded sandbox during the block if no deployment is configured.

    From then on, the sink redacts the configuration's secrets. Without `start`, no sandbox is run and no token is
    needed, because nothing is going to be sent.

    Raises `ConfigError` before anything is started or sent.
    """
    try:
        with _resolved(sources, start=start) as target:
            yield target
    except ConfigError as error:
        if error.source == "configuration" and error.key is not None:
            raise error.at(sources.origin_of(error.key)) from None
        raise


@contextlib.contextmanager
def _resolved(sources: Sources, *, start: bool) -> Iterator[Target]:
    protect_known(sources)
    if sources.names_a_deployment:
        config = sources.build(token=None if start else "placeholder")
        protect(config)
        client_ssl_context(config)  # a file that can't be used ends a run before its plan
        yield Target(config, embedded=False)
        return
    demo = SandboxSettings(port=0)
    wanted = sources.build(_defaults(demo, _NOT_STARTED), demo.access_token)
    if not start:
        yield Target(wanted, embedded=True)
        return
    options = wanted.sandbox
    settings = SandboxSettings(
        port=0,
        access_token=secrets.token_urlsafe(24),
        lines=wanted.lines.configured,
        ring_seconds=options.ring_time,
        queued_delivery_seconds=max(0.5, min(2.0, options.ring_time)),
        calls_per_line=options.calls_per_line,
        settle_limit_seconds=wanted.timing.settle,
        delivery_limit_seconds=wanted.timing.delivery,
        faults=options.faults,
        dialects=options.dialects,
    )
    try:
        with launch(settings) as running:
            defaults = _defaults(settings, running.base_url)
            if running.ca_bundle is not None:
                defaults["deployment"]["ca_bundle"] = str(running.ca_bundle)
            config = sources.build(defaults, settings.access_token)
            protect(config)
            yield Target(config, embedded=True)
    except SandboxError as error:
        raise ConfigError("sandbox", None, str(error), "see: ringback sandbox --help") from None


def _defaults(settings: SandboxSettings, base_url: str) -> dict[str, dict[str, object]]:
    """The configuration values for an embedded sandbox."""
    return {
        "deployment": {
            "base_url": base_url,
            "project": settings.project,
            "tenant": settings.tenant,
            "scenario_path": settings.scenario_path,
            "orchestrator_url": settings.orchestrator_url,
            "display_number": settings.display_number,
            "locale": settings.locale,
        },
        "lines": dict(settings.lines),
        "budget": {"triggers_per_second": 200},
        "timing": {"poll_interval": "100ms", "delivery": "5s", "queued_delivery": "10s", "settle": "30s"},
        "result_destination": {"listen": "127.0.0.1:0"},
        "load": {"poll_interval": "200ms"},
        "gate": {"rate": 100, "duration": "10s"},
    }
