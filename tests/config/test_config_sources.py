"""File, environment and flags in rising precedence; a configuration survives being written as environment."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ringback.config import LINE_STATES, Config, load_config
from ringback.config.loading import Sources, as_environment, gather

TOKEN = "s3cret-token-value"
ENVIRON = {"RINGBACK_ACCESS_TOKEN": TOKEN}
GOOD = """
[deployment]
base_url = "https://file.example.com:22222/"
project = "from the file"
scenario_path = "/ivr"
orchestrator_url = "https://orchestrator.example.com"
display_number = "200"
[lines]
answered = "5550000001"
[limits]
"calls.lost" = "== 0"
[limits.trigger.latency_ms]
p99 = "< 500"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD, encoding="utf-8")
    return path


def test_flags_over_environment_over_file(file: Path) -> None:
    assert load_config(file, ENVIRON).deployment.base_url == "https://file.example.com:22222"
    environ = {**ENVIRON, "RINGBACK_DEPLOYMENT__BASE_URL": "https://env.example.com", "RINGBACK_BUDGET__CALLS": "7"}
    assert load_config(file, environ).deployment.base_url == "https://env.example.com"
    assert load_config(file, environ).deployment.project == "from the file"
    assert load_config(file, environ).budget.calls == 7
    flags = {"deployment.base_url": "https://flag.example.com", "budget.calls": None}
    assert load_config(file, environ, flags).deployment.base_url == "https://flag.example.com"
    assert load_config(file, environ, flags).budget.calls == 7


def test_the_environment_overrides_one_limit_however_the_file_writes_it(file: Path) -> None:
    environ = {**ENVIRON, "RINGBACK_LIMITS__TRIGGER__LATENCY_MS__P99": "< 9"}
    assert [str(limit) for limit in load_config(file, environ).limits] == [
        "calls.lost == 0",
        "trigger.latency_ms.p99 < 9",
    ]


def test_where_the_file_comes_from(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert not gather(None, ENVIRON).names_a_deployment
    named = {**ENVIRON, "RINGBACK_CONFIG": str(file)}
    assert load_config(None, named).deployment.project == "from the file"
    (tmp_path / "ringback.toml").write_text(GOOD.replace("from the file", "from the folder"), encoding="utf-8-sig")
    assert load_config(None, ENVIRON).deployment.project == "from the folder"
    assert load_config(None, named).deployment.project == "from the file"
    assert not gather(None, {**ENVIRON, "RINGBACK_CONFIG": ""}).names_a_deployment


def test_the_token_comes_from_a_variable_or_a_file_and_is_never_shown(file: Path) -> None:
    for environ in (
        {**ENVIRON},
        {"RINGBACK_DEPLOYMENT__ACCESS_TOKEN_ENV": "RINGBACK_MY__TOKEN", "RINGBACK_MY__TOKEN": TOKEN},
    ):
        config = load_config(file, environ)
        assert config.deployment.access_token.get_secret_value() == TOKEN
        assert TOKEN not in f"{config!r} {config} {config.model_dump()} {config.model_dump_json()}"
    (file.parent / "token").write_text(f"{TOKEN}\n")
    file.write_text(GOOD.replace('project = "', 'access_token_file = "token"\nproject = "'), encoding="utf-8")
    assert load_config(file, {}).deployment.access_token.get_secret_value() == TOKEN


def test_lists_in_the_environment(file: Path) -> None:
    for written in ('["Ringing", "In queue"]', "Ringing, In queue"):
        environ = {**ENVIRON, "RINGBACK_DIALECT__PENDING_STATES": written}
        assert load_config(file, environ).dialect.pending_states == ("Ringing", "In queue")


def test_defaults_and_a_token_for_the_embedded_deployment() -> None:
    sources = Sources("configuration", {"budget": {"calls": 5}})
    defaults: dict[str, dict[str, Any]] = {
        "deployment": {
            "base_url": "https://localhost:1", "project": "Demo", "scenario_path": "/x",
            "orchestrator_url": "https://localhost", "display_number": "200",
        },
        "lines": {"answered": "5550000001"},
        "budget": {"calls": 60, "triggers_per_second": 100},
    }  # fmt: skip
    config = sources.build(defaults, token=TOKEN)
    assert (config.budget.calls, config.budget.triggers_per_second) == (5, 100.0)
    assert config.deployment.is_loopback
    assert config.deployment.access_token.get_secret_value() == TOKEN


printable = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Cn", "Co", "Cf", "Zl", "Zp", "Zs")), min_size=1, max_size=12
)
durations = st.one_of(
    st.integers(1, 600_000).map("{}ms".format),
    st.floats(0.001, 60, allow_nan=False).map(lambda value: f"{value:.6f}s"),
    st.integers(1, 100).map("{}m".format),
)


def _is_not_final(word: str) -> bool:
    return word not in LINE_STATES.values()


@st.composite
def trees(draw: st.DrawFn) -> dict[str, Any]:
    numbers = draw(st.lists(st.from_regex(r"\A\+?[1-8][0-9]{4,14}\Z"), min_size=3, max_size=3, unique=True))
    tree: dict[str, Any] = {
        "deployment": {
            "base_url": draw(st.sampled_from(["https://a.example:1", "http://[::1]:2/x", "https://127.0.0.1"])),
            "project": draw(printable), "tenant": draw(printable), "scenario_path": draw(printable),
            "orchestrator_url": "https://o.example", "display_number": draw(printable), "verify": draw(st.booleans()),
        },
        "lines": dict(zip(("answered", "no_answer", "temporarily_unavailable"), numbers, strict=True)),
        "budget": {
            "calls": draw(st.integers(1, 1000)),
            "triggers_per_second": draw(st.floats(1e-6, 10_000)),
            "cost_per_call": draw(st.floats(0, 1e6)),
        },
        "timing": {key: draw(durations) for key in ("request", "settle", "poll_interval", "delivery")},
        "dialect": {"pending_states": draw(st.lists(printable.filter(_is_not_final), max_size=3))},
        "limits": {"calls.lost": "== 0", "trigger.latency_ms.p99_9": f"< {draw(st.floats(0, 1e6)):.9f}"},
        "result_destination": {"listen": draw(st.sampled_from(["[::1]:0", "0.0.0.0:80"])), "public_url": "http://x:1"},
        "waivers": [
            {"clause": "ROB-01", "reason": draw(printable), "expires": date(2999, 1, draw(st.integers(1, 28)))}
            for _ in range(draw(st.integers(0, 2)))
        ],
    }  # fmt: skip
    for section in draw(
        st.sets(st.sampled_from(["budget", "timing", "dialect", "limits", "result_destination", "waivers"]))
    ):
        del tree[section]
    return tree


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=150)
@given(trees(), printable)
def test_as_environment_gives_the_same_configuration_again(tree: dict[str, Any], token: str) -> None:
    config: Config = Sources("configuration", tree).build(token=token)
    variables = as_environment(config)
    assert variables["RINGBACK_CONFIG"] == ""
    assert load_config(None, variables) == config
    assert load_config(None, variables).deployment.access_token.get_secret_value() == token
