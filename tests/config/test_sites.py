"""Headers of gateways, proxies and commands for tokens: what a configuration means."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringback.config import Config, ConfigError, load_config
from ringback.config.loading import as_environment
from ringback.config.proxy import proxy_for
from ringback.config.token import AccessToken, TokenError
from tests.sites.forward_proxy import ForwardProxy, forwarding

TOKEN = "s3cret-token-value"
BASE = """
[deployment]
base_url = "https://ivr.example.com:22222"
project = "Collections"
scenario_path = "/ivr/collections"
orchestrator_url = "https://orchestrator.example.com"
display_number = "200"
{more}
[lines]
answered = "5550000001"
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(more: str, **environ: str) -> Config:
    Path("ringback.toml").write_text(BASE.format(more=more))
    return load_config(None, {"RINGBACK_ACCESS_TOKEN": TOKEN, **environ})


def mistake(more: str, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(more, **environ)
    return str(caught.value)


def shown(config: Config) -> list[tuple[str, str, str]]:
    return [(h.name, h.value.get_secret_value(), h.variable) for h in config.deployment.headers]


def test_headers_have_values_from_variables_files_or_the_text_itself(here: Path) -> None:
    (here / "key").write_text("from the file\n")
    config = load(
        'headers = { "X-Api-Key" = "env:KEY", "X-File" = "file:key", X-Stage = "test" }', KEY="from the shell"
    )
    assert shown(config) == [
        ("X-Api-Key", "from the shell", "KEY"),
        ("X-File", "from the file", "RINGBACK_HEADER_X_FILE"),
        ("X-Stage", "test", "RINGBACK_HEADER_X_STAGE"),
    ]
    assert "from the" not in repr(config)
    again = load_config(None, as_environment(config))
    assert [header[:2] for header in shown(again)] == [header[:2] for header in shown(config)]


def test_headers_by_environment(here: Path) -> None:
    table = '{ "X-Api-Key" = "env:KEY" }'
    config = load("", RINGBACK_DEPLOYMENT__HEADERS=table, KEY="the key")
    assert shown(config) == [("X-Api-Key", "the key", "KEY")]
    assert mistake("", RINGBACK_DEPLOYMENT__HEADERS="X-Api-Key: 1") == (
        'RINGBACK_DEPLOYMENT__HEADERS: not a TOML table; write { "X-Api-Key" = "env:GATEWAY_KEY" }'
    )


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ('"X Key" = "secret-1"', '"X Key": not a header\'s name; write letters, digits and dashes'),
        ('Host = "secret-1"', '"Host": Ringback sets this header itself; remove it'),
        ('content-LENGTH = "secret-1"', '"content-LENGTH": Ringback sets this header itself; remove it'),
        ('User-Agent = "secret-1"', '"User-Agent": has its own place; write it into user_agent'),
        (
            'X-Key = "secret-1", x-key = "secret-2"',
            '"x-key": the same header as X-Key; case does not matter in names, keep one',
        ),
        ("X-Key = 5", '"X-Key": not text; put it in quotes'),
        ('X-Key = "env:UNSET"', '"X-Key": the variable UNSET is not set; export it, or name another'),
        ('X-Key = "file:gone"', '"X-Key": its file can\'t be read as text; name an existing file after file:'),
        (
            'X-Key = "secret-1\\r\\nHost: x"',
            '"X-Key": empty, or not printable ASCII without blanks around it; write the value alone',
        ),
    ],
)
def test_a_mistake_in_a_header_is_one_line_without_its_value(here: Path, headers: str, message: str) -> None:
    line = mistake(f"headers = {{ {headers} }}")
    assert line == f"ringback.toml: deployment.headers.{message}"
    assert "secret" not in line


# -- proxies -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "url", "expected"),
    [
        ({"https_proxy": "http://a:1", "HTTPS_PROXY": "http://b:2"}, "https://x.test", "a:1"),
        ({"HTTPS_PROXY": "b:2"}, "https://x.test", "b:2"),
        ({"HTTPS_PROXY": "http://b"}, "https://x.test", "b:1080"),
        ({"HTTP_PROXY": "http://b:2"}, "http://x.test", None),
        ({"http_proxy": "http://a:1"}, "http://x.test", "a:1"),
        ({"http_proxy": "http://a:1"}, "https://x.test", None),
        ({"ALL_PROXY": "http://c:3"}, "https://x.test", "c:3"),
        ({"HTTPS_PROXY": "http://b:2"}, "https://127.0.0.1:22222", None),
        ({"HTTPS_PROXY": "http://b:2"}, "https://localhost", None),
    ],
)
def test_the_environment_names_a_proxy_as_for_curl(environ: dict[str, str], url: str, expected: str | None) -> None:
    proxy = proxy_for(None, url, environ)
    assert (proxy and proxy.where) == expected
    assert proxy_for("", url, environ) is None


BYPASSED = [
    ("*", "x.example.com", True),
    ("example.com", "example.com", True),
    ("example.com", "x.example.com", True),
    (".example.com", "example.com", True),
    ("EXAMPLE.com", "x.example.com", True),
    ("example.com", "notexample.com", False),
    ("other.com, example.com", "x.example.com", True),
    ("x.example.com", "example.com", False),
    ("10.0.0.0/8", "10.1.2.3", True),
    ("10.0.0.0/8", "11.1.2.3", False),
    ("10.1.2.3", "10.1.2.3", True),
    ("10.1.2", "10.1.2.3", False),
    ("2001:db8::1", "[2001:db8::1]", True),
    ("", "x.example.com", False),
]


@pytest.mark.parametrize(("no_proxy", "host", "bypassed"), BYPASSED)
def test_no_proxy_names_hosts_domains_and_networks(no_proxy: str, host: str, bypassed: bool) -> None:
    environ = {"https_proxy": "http://p:1", "NO_PROXY": no_proxy}
    assert (proxy_for(None, f"https://{host}:22222", environ) is None) == bypassed


def test_an_entry_of_no_proxy_may_name_a_port_and_brackets_as_elsewhere() -> None:
    """curl does not read these forms, Go and Python's libraries do."""
    environ = {"https_proxy": "http://p:1", "no_proxy": "example.com:443,[2001:db8::1]:22222,2001:db9::/32"}
    assert proxy_for(None, "https://[2001:db9::1]", environ) is None
    assert proxy_for(None, "https://example.com", environ) is None
    assert proxy_for(None, "https://example.com:22222", environ) is not None
    assert proxy_for(None, "https://[2001:db8::1]:22222", environ) is None


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(("no_proxy", "host", "bypassed"), BYPASSED)
def test_curl_agrees(no_proxy: str, host: str, bypassed: bool) -> None:
    with forwarding(ForwardProxy({}, answers=b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")) as proxy:
        subprocess.run(
            ["curl", "--silent", "--max-time", "2", "--connect-to", "::127.0.0.1:1", f"http://{host}:22222/"],
            env={"PATH": os.environ["PATH"], "http_proxy": proxy.url, "NO_PROXY": no_proxy},
            capture_output=True, check=False,
        )  # fmt: skip
        assert (not proxy.seen) == bypassed


def test_a_proxy_has_credentials_that_are_never_shown(here: Path) -> None:
    config = load('proxy = "http://ann:p%40ss@proxy.example.com:3128"')
    proxy = config.deployment.proxy
    assert proxy is not None
    assert (proxy.where, proxy.credentials) == ("proxy.example.com:3128", "ann:p@ss")
    assert "p@ss" not in repr(config) and "p%40ss" not in repr(config)
    again = load_config(None, as_environment(config))
    assert again.deployment.proxy == proxy
    (here / "proxy").write_text("http://file.example.com:1\n")
    from_file = load('proxy = "file:proxy"').deployment.proxy
    assert from_file is not None and from_file.where == "file.example.com:1"
    assert load('proxy = ""', https_proxy="http://p:1").deployment.proxy is None


@pytest.mark.parametrize(
    ("more", "environ", "message"),
    [
        (
            'proxy = "socks5://ann:secret@p:1"', {},
            ('ringback.toml: deployment.proxy: not an HTTP proxy (socks5); name one with http://, or write proxy = "" '
            "for none"),
        ),
        (
            "", {"HTTPS_PROXY": "https://ann:secret@p:1"},
            'HTTPS_PROXY: not an HTTP proxy (https); name one with http://, or write proxy = "" for none',
        ),
        (
            'proxy = "http://"', {},
            ("ringback.toml: deployment.proxy: not the URL of a proxy; write it like "
            '"http://user:password@proxy.example.com:3128"'),
        ),
        ("proxy = 3128", {}, "ringback.toml: deployment.proxy: not a URL; write it as text, such as"),
        ('proxy = "env:UNSET"', {}, "ringback.toml: deployment.proxy: the variable UNSET is not set; export it"),
    ],
)  # fmt: skip
def test_a_mistake_about_a_proxy_is_one_line(here: Path, more: str, environ: dict[str, str], message: str) -> None:
    line = mistake(more, **environ)
    assert line.startswith(message)
    assert "secret" not in line


# -- commands that give tokens -----------------------------------------------------------------------------------------


def command(code: str) -> str:
    return f"access_token_command = '''{sys.executable} -c \"{code}\"'''"


def test_a_command_gives_the_token(here: Path) -> None:
    config = load(command("print('from-the-command')") + '\naccess_token_lifetime = "50m"')
    assert config.deployment.access_token.get_secret_value() == "from-the-command"
    variables = as_environment(config)
    assert "from-the-command" not in variables.values()
    again = load_config(None, variables)
    assert again.deployment.access_token == config.deployment.access_token


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("access_token_command = 'no-such-program-here'", "it can't be started (No such file or directory)"),
        ('access_token_command = "vault \'read"', "its quotes do not match"),
        (command("print('secret'); exit(3)"), "it ended with exit code 3"),
        (command("pass"), "it printed no token, or more than a line"),
        (command("print('secret'); print('more')"), "it printed no token, or more than a line"),
        (command("print('x' * 100000)"), "it printed more than a token"),
    ],
)
def test_a_command_that_fails_is_one_line_without_its_output(here: Path, more: str, problem: str) -> None:
    line = mistake(more)
    assert line.startswith(f"ringback.toml: deployment.access_token_command: {problem}; ")
    assert "secret" not in line


def test_a_command_that_does_not_end_is_killed(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringback.config.token._PATIENCE", 0.2)
    assert "it did not end within 0.2 s" in mistake(command("import time; time.sleep(60)"))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            'access_token_env = "A"\naccess_token_command = "b"',
            "access_token_command: access_token_env names the token already; keep one of the two",
        ),
        (
            'access_token_lifetime = "5m"',
            "access_token_lifetime: only a token from access_token_command can be renewed; add the command",
        ),
    ],
)
def test_there_is_one_way_to_the_token(here: Path, more: str, message: str) -> None:
    assert mistake(more) == f"ringback.toml: deployment.{message}"


@pytest.fixture
def counting(tmp_path: Path) -> Iterator[str]:
    """A command that prints another token each time."""
    script = tmp_path / "next.py"
    script.write_text(
        "import pathlib\n"
        "runs = pathlib.Path(__file__ + '.runs')\n"
        "runs.open('a').write('x')\n"
        "print('token-number', len(runs.read_text()), sep='-')\n"
    )
    yield f"{sys.executable} {script}"


def test_a_token_is_renewed_before_it_is_too_old(counting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("ringback.clock.monotonic", lambda: now[0])
    token = AccessToken.by(counting, 10.0)
    heard: list[tuple[str, str]] = []
    token.before_renewal(
        test_a_token_is_renewed_before_it_is_too_old, lambda _, new: heard.append((new, token.get_secret_value()))
    )
    assert (token.due, token.due_in) == (False, 8.0)
    now[0] = 108.5
    assert token.due and not token.too_old
    token.renew()
    assert heard == [("token-number-2", "token-number-1")], "known as a secret before it is in force"
    assert (token.get_secret_value(), token.earlier) == ("token-number-2", ("token-number-1",))
    assert token.due_in == 8.0
    now[0] = 200.0
    monkeypatch.setattr("ringback.config.token.token_from", _fails)
    with pytest.raises(TokenError):
        token.renew()
    assert token.too_old and not token.due, "it is tried again after a moment"
    now[0] += 1.0
    assert token.due


def _fails(_command: str) -> str:
    raise TokenError("no; fix")
