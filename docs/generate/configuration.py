"""`docs/configuration.md`: every key with its default and meaning, from the models of the configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from docs.generate.page import GENERATED, page, table
from docs.generate.source import attribute_texts
from pydantic.fields import FieldInfo

from ringback.config.durations import parse_duration
from ringback.config.lines import LINE_STATES
from ringback.config.model import (
    Budget,
    Deployment,
    Dialect,
    Gate,
    Line,
    Load,
    Metrics,
    Notify,
    ResultDestination,
    SandboxOptions,
    Timing,
    Waiver,
)
from ringback.config.scalars import Section

__all__ = ["render"]

_SECTIONS: dict[str, tuple[type[Section] | None, str]] = {
    "deployment": (Deployment, "[Gateways, proxies, tokens](gateways.md) explains headers, proxies and tokens."),
    "lines": (
        None,
        "One number each, by the call state that it produces: "
        + ", ".join(f"`{name}`" for name in LINE_STATES)
        + ". Ringback dials only these numbers, also in generated and malformed requests. Clauses that need a line you "
        "don't have are *not exercised*.\n\n"
        'A line is its number, `answered = "5550000001"`, or a table with these keys. [Lines](lines.md) explains them.',
    ),
    "variables": (
        None,
        (
            'The project\'s variables, each with a value that it may have: `customerName = "sample"`. Then only these are '
            "sent. An empty section means that the project has no variables. Without the section, Ringback makes names up. "
            "[Lines](lines.md#variables-of-the-project) explains when you need it."
        ),
    ),
    "budget": (Budget, ""),
    "timing": (
        Timing,
        (
            "`--max-time 10m` (check, load, gate) ends a run with what was seen until then; the rest is inconclusive, with "
            "that reason. Without it, a check ends after three times its plan, at least two minutes; a deployment that "
            "answers slowly gets more time. [SECURITY.md](../SECURITY.md#bounds) lists the other bounds of a run."
        ),
    ),
    "result_destination": (
        ResultDestination,
        "Without this section the DST clauses are *not exercised*. [Receive results](callbacks.md) explains it.",
    ),
    "dialect": (Dialect, ""),
    "load": (
        Load,
        "[Load](load.md) explains these. A key that the chosen shape does not use is a configuration error.",
    ),
    "metrics": (
        Metrics,
        (
            "Live figures of a load run; [Load](load.md#live-figures-prometheus-and-otlp) explains them. They need the extra "
            "`metrics` of the package. Flags: `--prometheus`, `--otlp`."
        ),
    ),
    "gate": (
        Gate,
        (
            "The load that `ringback gate` adds to the check. `[load]` defines its shape and its arrivals; with `steps`, "
            "also its rates and durations."
        ),
    ),
    "limits": (
        None,
        (
            'Any [metric](metrics.md) against a bound: `"trigger.latency_ms.p99" = "< 500"`, `"calls.lost" = "== 0"`. '
            "Operators are `<`, `<=`, `>`, `>=`, `==`; percentiles are written `p50`, `p99`, `p99_9`.\n\n"
            '`"trigger.latency_ms.p99" = "< 1.2x baseline"` is relative: the bound is 1.2 times the figure of the run that '
            "`load.baseline` names. Without `load.baseline`, such a limit is a configuration error."
        ),
    ),
    "waivers": (
        Waiver,
        (
            "`[[waivers]]`, once for each: until its day, a deviation of the clause is *waived* and does not fail the run. "
            "See [Waivers](compare.md#waivers)."
        ),
    ),
    "notify": (
        Notify,
        (
            "Ringback sends a summary of each finished run to your webhook, as JSON by POST. Without this section it sends "
            "nothing.\n\n"
            "The summary (`ringback/notification/1`) has the verdict, the exit code, counts, the ids of clauses that "
            "failed, are undecided or waived, broken limits, and the load's main figures, but no text from the deployment. "
            "A failed notification is reported on standard error and does not affect the verdict."
        ),
    ),
    "sandbox": (SandboxOptions, "For runs against the embedded sandbox."),
}
_DEFAULTS = {
    "deployment.user_agent": "`ringback/` and the version",
    "deployment.proxy": "from the environment",
    "deployment.headers": "",
}


def render() -> str:
    """Return the page as Markdown."""
    return page(_lines())


def _lines() -> Iterator[str]:
    yield "# Configuration"
    yield ""
    yield GENERATED
    yield ""
    yield (
        "Ringback reads `ringback.toml` in the working directory, or the file that `--config` or `RINGBACK_CONFIG` "
        "names; then the environment; then flags. Later sources override earlier ones. `ringback init` writes the file, "
        "from flags, answers or a curl command. A mistake ends in one line with the source, the key, the value and the "
        "fix, and in exit code 2; nothing is sent. `ringback check --plan` prints all mistakes at once and needs no "
        "token; `ringback doctor` then looks at the deployment without placing a call."
    )
    yield ""
    yield (
        "Durations have units: `500ms`, `10s`, `1m30s`, `1h`. Paths are relative to the configuration file. Unknown keys "
        "are mistakes."
    )
    yield ""
    yield "## By environment"
    yield ""
    yield (
        "`RINGBACK_<SECTION>__<KEY>`, in capitals: `RINGBACK_DEPLOYMENT__BASE_URL`, `RINGBACK_LINES__BUSY`, "
        "`RINGBACK_TIMING__SETTLE`. Write lists as in TOML or with commas "
        "(`RINGBACK_DIALECT__PENDING_STATES=Ringing,Queued`); the dots of a limit become double underscores "
        '(`RINGBACK_LIMITS__TRIGGER__LATENCY_MS__P99="< 500"`). Waivers are one TOML list in `RINGBACK_WAIVERS`; '
        'headers are one TOML table (`RINGBACK_DEPLOYMENT__HEADERS=\'{ "X-Api-Key" = "env:GATEWAY_KEY" }\'`), and so '
        "are variables (`RINGBACK_VARIABLES='{customerName = \"sample\"}'`)."
    )
    for section, (model, text) in _SECTIONS.items():
        yield ""
        yield f"## `[{section}]`"
        if text:
            yield ""
            yield text
        if section == "lines":
            yield from _keys("lines", Line)
        if model is not None:
            yield from _keys(section, model)


def _keys(section: str, model: type[Section]) -> Iterator[str]:
    texts = attribute_texts(model)
    rows = []
    for key, field in model.model_fields.items():
        if key == "access_token":  # never in a configuration
            continue
        meaning = texts[key]
        if choices := _choices(field.annotation):
            meaning += f" One of {', '.join(f'`{choice}`' for choice in choices)}."
        rows.append((f"`{key}`", _DEFAULTS.get(f"{section}.{key}", _default(field)), meaning))
    yield from table(("key", "default", "meaning"), rows)


def _choices(annotation: Any) -> tuple[str, ...]:
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return next((found for part in get_args(annotation) if (found := _choices(part))), ())


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if any(getattr(each, "func", None) is parse_duration for each in field.metadata):
        return _duration(value)
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _duration(seconds: float) -> str:
    return f"`{seconds:g}s`" if seconds >= 1 else f"`{seconds * 1000:g}ms`"
