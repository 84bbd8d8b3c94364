"""The sections of `ringback.toml` as models, which check the values. `loading` finds and merges them."""

from __future__ import annotations

import os
import ssl
from datetime import date
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ringback import __version__, clock
from ringback.config.headers import Header
from ringback.config.limits import Limit, check_baseline
from ringback.config.lines import LINE_STATES, Line, Lines
from ringback.config.proxy import Proxy, is_loopback
from ringback.config.scalars import (
    BaseUrl,
    Count,
    HttpUrl,
    ListenAddress,
    MetricsReceiver,
    Seconds,
    Section,
    not_a_boolean,
)
from ringback.config.token import AccessToken
from ringback.config.variables import as_pairs, check_variables

__all__ = [
    "LINE_STATES",
    "Budget",
    "Config",
    "Deployment",
    "Dialect",
    "Gate",
    "Line",
    "Lines",
    "Load",
    "Metrics",
    "Notify",
    "ResultDestination",
    "SandboxOptions",
    "Timing",
    "Waiver",
]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("not text; put it in quotes")
    if not value.strip():
        raise ValueError("empty; give it a value")
    return value


def _single_line(value: str) -> str:
    if any(not c.isprintable() for c in value):
        raise ValueError("has a line break or another control character; remove it")
    return value


def _ascii(value: str) -> str:
    if not value.isascii() or value != value.strip():
        raise ValueError("not ASCII without blanks around it; write it in plain letters")
    return value


def _existing_file(value: object) -> Path:
    path = Path(_text(value)).expanduser()
    if not path.is_file():
        raise ValueError("no such file; name an existing one, relative to the configuration file")
    try:
        with path.open("rb"):
            return path
    except OSError as error:
        raise ValueError(f"unreadable ({error.strerror}); fix its permissions") from None


def _existing(value: object) -> Path:
    path = Path(_text(value)).expanduser()
    if not path.exists():
        raise ValueError("no such file or directory; name an earlier run, relative to the configuration file")
    return path


def _ca_bundle(value: object) -> Path:
    path = _existing_file(value)
    try:
        ssl.create_default_context(cafile=str(path))
    except (ssl.SSLError, OSError):
        raise ValueError("has no certificate in PEM form; export the CA's certificates as PEM") from None
    return path


Text = Annotated[str, BeforeValidator(_text), AfterValidator(_single_line)]
Ascii = Annotated[Text, AfterValidator(_ascii)]
Number = Annotated[float, BeforeValidator(not_a_boolean)]
ExistingFile = Annotated[Path, BeforeValidator(_existing_file)]
CaBundle = Annotated[Path, BeforeValidator(_ca_bundle)]


class Deployment(Section):
    """The server under test, and what a trigger needs for the server to accept it."""

    base_url: BaseUrl
    """Without `/v2`; the documented deployment uses https and port 22222."""
    project: Text
    """The project's name, in each trigger."""
    tenant: Text = "Default"
    """The tenant's name, in each trigger."""
    access_token_env: Text = "RINGBACK_ACCESS_TOKEN"  # noqa: S105 - a variable's name, not a secret
    """The variable that holds the project's token."""
    access_token_file: ExistingFile | None = None
    """A file with the token, instead. The token itself must not be in the configuration."""
    access_token_command: Text | None = None
    """A command that prints the token, instead."""
    access_token_lifetime: Seconds | None = None
    """How old a token of `access_token_command` may be, such as `50m`; without it, the command runs once."""
    access_token: AccessToken = Field(repr=False, exclude=True)
    """`loading` gets it from the variable, the file or the command; ConfigError if the configuration contains it."""
    scenario_path: Text
    """The IVR scenario, in each trigger."""
    orchestrator_url: Text
    """The Orchestrator, in each trigger."""
    display_number: Text
    """The caller id, in each trigger."""
    locale: Text = "en-US"
    """The locale, in each trigger."""
    user_agent: Ascii = f"ringback/{__version__}"
    """The header User-Agent of each request."""
    headers: tuple[Header, ...] = Field(default=(), repr=False, exclude=True)
    """Headers of each request: `env:NAME`, `file:PATH` or the text itself, such as `{ "X-Api-Key" = "env:KEY" }`."""
    proxy: Proxy | None = Field(default=None, repr=False, exclude=True)
    """An HTTP proxy, such as `http://proxy.example.com:3128`; by default from the environment; empty for none."""
    ca_bundle: CaBundle | None = None
    """PEM file of your own certificate authorities."""
    client_cert: ExistingFile | None = None
    """PEM file of the client certificate, with its intermediates."""
    client_key: ExistingFile | None = None
    """PEM file of its key, if `client_cert` does not have it."""
    verify: bool = True
    """`false` accepts a certificate that is not trusted; TRN-02 still reports it."""

    @property
    def is_loopback(self) -> bool:
        """Whether the base URL names this machine."""
        return is_loopback(urlsplit(self.base_url).hostname or "")

    @property
    def proxy_url(self) -> str:
        """The proxy with its credentials, as a configuration spells it; empty for none."""
        proxy = self.proxy
        if proxy is None or proxy.user is None or proxy.password is None:
            return "" if proxy is None else proxy.url
        user, password = (quote(part.get_secret_value(), safe="") for part in (proxy.user, proxy.password))
        return f"http://{user}:{password}@{proxy.where}"


class Budget(Section):
    """Limits of a check: accepted calls in total and triggers per second; and the cost of a call."""

    calls: Annotated[Count, Field(ge=1, le=100_000)] = 60
    """Calls that a check may place, uncertain ones included; then it stops, and the rest is inconclusive."""
    triggers_per_second: Annotated[Number, Field(gt=0, le=10_000)] = 20.0
    """The highest rate of triggers; ROB-03 needs 16, to send sixteen at once."""
    cost_per_call: Annotated[Number, Field(ge=0)] | None = None
    """The cost of a call, for the plan."""
    currency: Text = "EUR"
    """The currency of that cost."""
    calls_at_once: Annotated[Count, Field(ge=1, le=100_000)] | None = None
    """Calls in progress, over all lines; without it, any number."""


class Timing(Section):
    """How long to wait, in seconds."""

    request: Seconds = 10.0
    """From the sending of a request to the end of its answer."""
    settle: Seconds = 60.0
    """From a trigger to its call's final state."""
    poll_interval: Seconds = 0.5
    """Between polls of a call."""
    delivery: Seconds = 15.0
    """From the final state to an immediate result's arrival."""
    queued_delivery: Seconds = 60.0
    """From the final state to a queued result's arrival."""


class ResultDestination(Section):
    """The receiver for results: where it listens, and under which URL the deployment reaches it."""

    listen: ListenAddress
    """The address of Ringback's receiver during a run, such as `0.0.0.0:8099`."""
    public_url: HttpUrl | None = None
    """The URL at which the deployment reaches it."""
    tls_cert: ExistingFile | None = None
    """PEM file of the receiver's certificate: results then arrive by https."""
    tls_key: ExistingFile | None = None
    """PEM file of its key."""

    @model_validator(mode="after")
    def _reachable(self) -> ResultDestination:
        host, port = self.listen
        if self.public_url is None and (host in {"0.0.0.0", "::", ""} or port == 0) and host != "127.0.0.1":  # noqa: S104 - compared, not bound
            raise ValueError("public_url|missing; write the URL at which the deployment reaches this machine")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert|tls_cert and tls_key go together; name both files or neither")
        return self


class Dialect(Section):
    """What the documentation leaves open and this vendor has decided."""

    pending_states: tuple[Text, ...] = ()
    """This vendor's words for a call in progress, besides a missing or empty state."""

    @model_validator(mode="after")
    def _not_final(self) -> Dialect:
        for word in self.pending_states:
            if word in LINE_STATES.values():
                raise ValueError(f'pending_states|"{word}" is a documented final state; remove it')
        return self


def _steps(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


class Load(Section):
    """Load runs: their call budget, how requests arrive over time, and how calls are polled."""

    budget_calls: Annotated[Count, Field(ge=1)] | None = None
    """Calls that a load run may place; required for every deployment except the sandbox."""
    poll_batch: Annotated[Count, Field(ge=1, le=10_000)] = 20
    """Calls for each poll."""
    poll_interval: Seconds = 1.0
    """Between polls of a call."""
    population: Annotated[Count, Field(ge=1, le=100_000)] = 500
    """Calls that the polling scenario places first and then polls."""
    variables_file: ExistingFile | None = None
    """CSV or NDJSON: each call carries the next row as its project variables."""
    variables_order: Literal["in order", "random", "once"] = "in order"
    """`once`: the run ends when all rows have been used."""
    shape: Literal["constant", "ramp", "steps", "spike", "soak"] = "constant"
    """How the rate runs over time."""
    arrivals: Literal["uniform", "poisson"] = "uniform"
    """`uniform`: evenly spaced; `poisson`: random, as independent callers are."""
    ramp_up: Seconds | None = None
    """Time to rise from 0, or from `from_rate`; with steps, the part of the first one that is left out."""
    from_rate: Annotated[Number, Field(ge=0)] | None = None
    """Ramp: the initial rate in arrivals per second; may be 0."""
    steps: Annotated[tuple[Text, ...], BeforeValidator(_steps)] = ()
    """Steps: rates and durations, such as `["50 for 30s", "100 for 30s"]`."""
    spike_rate: Annotated[Number, Field(gt=0)] | None = None
    """Spike: the peak rate in arrivals per second."""
    spike_at: Seconds | None = None
    """Spike: when it starts."""
    spike_for: Seconds | None = None
    """Spike: how long it lasts."""
    step: Seconds = 5.0
    """How long each step of a capacity search lasts."""
    baseline: Annotated[Path, BeforeValidator(_existing)] | None = None
    """The earlier run for relative limits: its directory, its `verdict.json` or its `load.json`."""
    abort_on_limit: bool = False
    """Whether the run ends as soon as a limit can no longer be met."""


class Metrics(Section):
    """Who gets the figures of a load run while it lasts; by default nobody."""

    prometheus: ListenAddress | None = None
    """Where Prometheus may scrape live figures, such as `127.0.0.1:9464`."""
    linger: Seconds | None = None
    """How long to wait, after a run, for Prometheus to scrape its last figures."""
    otlp: MetricsReceiver | None = None
    """The URL of an OTLP receiver; `env`: the one that `OTEL_EXPORTER_OTLP_ENDPOINT` names."""

    @property
    def wanted(self) -> bool:
        """Whether anybody gets figures."""
        return self.prometheus is not None or self.otlp is not None


class Gate(Section):
    """The load that `ringback gate` adds to the check."""

    scenario: Literal["trigger", "poll", "lifecycle", "delivery", "mixed"] = "lifecycle"
    """What each arrival does."""
    rate: Annotated[Number, Field(gt=0, le=100_000)] = 20.0
    """Arrivals per second."""
    duration: Seconds = 30.0
    """How long requests arrive."""


def _today() -> date:
    """Today in UTC, so that a waiver ends everywhere at the same time."""
    return clock.wall().date()


class Waiver(Section):
    """A known deviation that the user accepts until a day. On that day it counts again."""

    clause: Text
    """The clause whose deviation is accepted."""
    reason: Text
    """Why; reports show it."""
    expires: date
    """The day, in UTC, from which the waiver is a configuration error."""

    @model_validator(mode="after")
    def _in_force(self) -> Waiver:
        if self.expires <= _today():
            raise ValueError(
                f"expires|expired on {self.expires}; remove the waiver, or set a later day and give the reason"
            )
        return self


class Notify(Section):
    """The webhook that gets a run's result."""

    webhook_url: HttpUrl
    """http or https; redirects are not followed."""
    token_env: Text | None = None
    """The variable that holds a bearer token; without it, none is sent."""
    timeout: Seconds = 10.0
    """For everything, including one retry after a failed connection, a 5xx or a 429."""

    def token(self) -> str | None:
        """The current token; None for no token."""
        return None if self.token_env is None else os.environ.get(self.token_env, "")


class SandboxOptions(Section):
    """How the embedded sandbox behaves during a run."""

    ring_time: Seconds = 0.3
    """How long a call takes."""
    faults: tuple[Text, ...] = ()
    """Faults of the sandbox: `ringback sandbox --list-faults` lists them."""
    dialects: tuple[Text, ...] = ()
    """Its dialects: `ringback sandbox --list-dialects` lists them."""
    calls_per_line: Annotated[Count, Field(ge=1, le=10_000)] | None = None
    """Calls that a line takes at once: further ones find it busy. Without it, any number."""


class Config(Section):
    """The checked configuration of one run."""

    deployment: Deployment
    lines: Lines
    variables: Annotated[tuple[tuple[Text, str], ...] | None, BeforeValidator(as_pairs)] = None
    """The project's variables, each with a sample value; None: not declared."""
    budget: Budget = Budget()
    timing: Timing = Timing()
    result_destination: ResultDestination | None = None
    dialect: Dialect = Dialect()
    load: Load = Load()
    metrics: Metrics = Metrics()
    gate: Gate = Gate()
    limits: tuple[Limit, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    notify: Notify | None = None
    sandbox: SandboxOptions = SandboxOptions()

    @model_validator(mode="after")
    def _whole(self) -> Config:
        if not self.lines.configured:
            raise ValueError("lines|no line is configured; add at least one number that may be dialled")
        check_variables(self.variables or (), self.lines.configured.values())
        check_baseline(self.limits, named=self.load.baseline is not None)
        return self
