"""Each mistake in a configuration is one line with source, key, value and fix, and never shows a token."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from ringback.config import ConfigError, load_config

TOKEN = "s3cret-token-value"
GOOD = """
[deployment]
base_url = "https://ivr.example.com:22222"
project = "Collections"
scenario_path = "/ivr/collections"
orchestrator_url = "https://orchestrator.example.com"
display_number = "200"
[lines]
answered = "5550000001"
"""
_TOKEN = re.compile(r"(?<!_)TOKEN")
ENVIRON = {"RINGBACK_ACCESS_TOKEN": TOKEN}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def mistake(text: str, environ: Mapping[str, str] = ENVIRON, flags: Mapping[str, object] | None = None) -> str:
    Path("ringback.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(None, environ, flags)
    message = str(caught.value)
    assert "\n" not in message
    assert TOKEN not in message
    return message


def edited(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def test_a_missing_file(folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(Path("nope.toml"), ENVIRON)
    assert str(caught.value) == "nope.toml: no such file; name an existing file, or make one with: ringback init"
    with pytest.raises(ConfigError, match=r"^gone.toml: no such file"):
        load_config(None, {**ENVIRON, "RINGBACK_CONFIG": "gone.toml"})


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"[lines]\nanswered = \xff", r"not UTF-8; save the file as UTF-8"),
        (b"[lines]\nanswered = 555 0", r"not TOML: .*\(at line 2, .*\); fix the line; text values need quotes"),
    ],
)
def test_a_file_that_is_not_toml(folder: Path, content: bytes, problem: str) -> None:
    Path("ringback.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=rf"^ringback\.toml: {problem}$"):
        load_config(None, ENVIRON)


def test_a_folder_for_a_file(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"unreadable \(Is a directory\); name a readable file$"):
        load_config(folder, ENVIRON)


def cases(kind: str) -> list[dict[str, str]]:
    """The mistakes of one kind in `mistakes.toml`, with the current dates filled in."""
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    text = Path(__file__).with_name("mistakes.toml").read_text(encoding="utf-8")
    entries: list[dict[str, str]] = tomllib.loads(text)[kind]
    return [
        {key: _TOKEN.sub(TOKEN, value).replace("YESTERDAY", str(yesterday)) for key, value in entry.items()}
        for entry in entries
    ]


@pytest.mark.parametrize("case", cases("file"), ids=lambda case: case.get("add", case.get("with")).replace("\n", " "))
def test_a_mistake_in_the_file(folder: Path, case: dict[str, str]) -> None:
    text = GOOD + case["add"] if "add" in case else edited(case["replace"], case["with"])
    assert mistake(text) == f"ringback.toml: {case['message']}"


def test_an_empty_or_unset_token(folder: Path) -> None:
    unset = (
        'deployment.access_token_env = "RINGBACK_ACCESS_TOKEN": this variable is not set; '
        "export RINGBACK_ACCESS_TOKEN=... with the project's access token"
    )
    assert mistake(GOOD, {}) == f"ringback.toml: {unset}"
    assert mistake(GOOD, {"RINGBACK_ACCESS_TOKEN": ""}) == f"ringback.toml: {unset}"
    assert "write only the token there" in mistake(GOOD, {"RINGBACK_ACCESS_TOKEN": f"{TOKEN}\n{TOKEN}"})
    (folder / "token").write_bytes(b"\xff" + TOKEN.encode())
    with_file = edited('project = "C', 'access_token_file = "token"\nproject = "C')
    assert mistake(with_file).endswith("access_token_file: unreadable as text; write the token into it as UTF-8")
    (folder / "token").write_text("\n")
    assert mistake(with_file).endswith("the token is empty or has control characters; write only the token there")


def test_a_ca_bundle_must_hold_certificates(folder: Path) -> None:
    (folder / "corp.pem").write_text("not a certificate")
    text = edited('project = "C', 'ca_bundle = "corp.pem"\nproject = "C')
    assert mistake(text).endswith("has no certificate in PEM form; export the CA's certificates as PEM")
    trustme.CA().cert_pem.write_to_path(str(folder / "corp.pem"))
    assert load_config(None, ENVIRON).deployment.ca_bundle == Path("corp.pem")


@pytest.mark.parametrize("case", cases("environment"), ids=lambda case: case["variable"])
def test_a_mistake_in_the_environment_names_the_variable(folder: Path, case: dict[str, str]) -> None:
    shown = mistake(GOOD, {**ENVIRON, case["variable"]: case["value"]})
    assert shown == f"{case['variable']}: {case['message']}"


def test_a_mistake_in_a_flag_names_the_flag(folder: Path) -> None:
    shown = mistake(GOOD, flags={"deployment.base_url": "ftp://x"})
    assert shown.startswith('--base-url: deployment.base_url = "ftp://x": not an http or https URL')


def test_a_message_is_one_short_line_whatever_the_value(folder: Path) -> None:
    shown = mistake(GOOD + '[gate]\nscenario = "a\\nb\\u001b[31m' + "x" * 500 + '"')
    assert shown.isprintable()
    assert len(shown) < 250
