"""Debian's nginx and squid between Ringback and a deployment: key, base path, private CA, client certificate, proxy."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from ringback.sandbox import SandboxSettings, launch
from tests.cli.commands import environment
from tests.loadgen.deployments import unused_port
from tests.redaction.detector import find_secrets

pytestmark = pytest.mark.slow

TOKEN = "rb-programs-token-SECRET"
KEY = "nginx-key-5559998887776"
PASSWORD = "squid-p4ssword"
LINES = {"answered": "5550000001", "busy": "5550000002"}
BEHIND = SandboxSettings(
    port=0, tls=False, access_token=TOKEN, project="Collections", scenario_path="/ivr/collections", lines=LINES,
    ring_seconds=0.1, queued_delivery_seconds=0.2,
)  # fmt: skip
CONFIG = """\
[deployment]
base_url = "https://ivr.test:{port}/telephony/ivr"
project = "Collections"
scenario_path = "/ivr/collections"
orchestrator_url = "https://orchestrator.example.com"
display_number = "200"
headers = {{ "X-Api-Key" = "file:key" }}
ca_bundle = "ca.pem"
client_cert = "client.pem"
proxy = "file:proxy"
[lines]
answered = "5550000001"
busy = "5550000002"
[budget]
triggers_per_second = 200
[timing]
request = "10s"
settle = "10s"
poll_interval = "100ms"
delivery = "5s"
queued_delivery = "5s"
[load]
budget_calls = 1000
poll_interval = "200ms"
"""
NGINX = """\
daemon off;
user root;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
worker_processes 1;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/temp;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_max_body_size 4m;
  client_body_buffer_size 4m;
  large_client_header_buffers 8 64k;
  server {{
    listen 127.0.0.1:{port} ssl;
    server_name ivr.test;
    ssl_certificate {folder}/server.pem;
    ssl_certificate_key {folder}/server.pem;
    ssl_client_certificate {folder}/ca.pem;
    ssl_verify_client on;
    location /telephony/ivr/ {{
      if ($http_x_api_key != "{key}") {{ return 401; }}
      proxy_pass http://127.0.0.1:{behind}/;
      proxy_set_header X-Api-Key "";
      proxy_http_version 1.1;
    }}
  }}
}}
"""
SQUID = """\
http_port 127.0.0.1:{port}
hosts_file {folder}/hosts
pid_filename {folder}/squid.pid
cache_log {folder}/squid.log
access_log stdio:{folder}/access.log
cache deny all
coredump_dir {folder}
shutdown_lifetime 0 seconds
auth_param basic program {auth} {folder}/passwords
acl known proxy_auth REQUIRED
http_access allow known
http_access deny all
"""
AUTH = Path("/usr/lib/squid/basic_ncsa_auth")


def needs(program: str) -> str:
    """The path of a program; the test is skipped where it is not installed."""
    found = shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin")
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


@contextlib.contextmanager
def running(*command: str, port: int, folder: Path) -> Iterator[None]:
    """A program for the length of a block, from when its port accepts connections."""
    with (folder / "output").open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        try:
            for _ in range(600):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                assert process.poll() is None, (folder / "output").read_text()[-2000:]
                time.sleep(0.05)  # it sets no event
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@dataclass(frozen=True)
class Place:
    """The folder of a configuration, and what lies between."""

    folder: Path
    programs: Path
    squid_port: int

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run(
            [sys.executable, "-m", "ringback", *command], cwd=self.folder, capture_output=True, timeout=300,
            env=environment(RINGBACK_ACCESS_TOKEN=TOKEN, **variables), stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        assert b"Traceback" not in done.stderr, done.stderr.decode()[-2000:]
        (self.folder / f"printed {len(list(self.folder.iterdir()))}").write_bytes(done.stdout + done.stderr)
        return done


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    nginx, squid = needs("nginx"), needs("squid")
    if not AUTH.is_file():
        pytest.skip(f"{AUTH} is not installed")
    folder, programs = tmp_path_factory.mktemp("place"), tmp_path_factory.mktemp("programs")
    for each in (programs, *programs.parents):
        if each.stat().st_uid == programs.stat().st_uid and each != Path("/"):
            each.chmod(each.stat().st_mode | 0o755)  # squid gives up root's rights
    programs.chmod(0o777)
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(programs / "ca.pem"))
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    ca.issue_cert("ivr.test").private_key_and_cert_chain_pem.write_to_path(str(programs / "server.pem"))
    ca.issue_cert("tester@example.com").private_key_and_cert_chain_pem.write_to_path(str(folder / "client.pem"))
    nginx_port, squid_port = unused_port(), unused_port()
    with launch(BEHIND) as sandbox:
        behind = sandbox.base_url.rpartition(":")[2]
        (programs / "nginx.conf").write_text(NGINX.format(folder=programs, port=nginx_port, key=KEY, behind=behind))
        (programs / "hosts").write_text("127.0.0.1 ivr.test\n")
        hashed = subprocess.run(
            ["openssl", "passwd", "-apr1", "-stdin"], input=PASSWORD, capture_output=True, text=True, check=True
        ).stdout.strip()
        (programs / "passwords").write_text(f"tester:{hashed}\n")
        (programs / "squid.conf").write_text(SQUID.format(port=squid_port, folder=programs, auth=AUTH))
        (folder / "key").write_text(KEY + "\n")
        (folder / "proxy").write_text(f"http://tester:{PASSWORD}@127.0.0.1:{squid_port}\n")
        (folder / "ringback.toml").write_text(CONFIG.format(port=nginx_port))
        with (
            running(nginx, "-c", str(programs / "nginx.conf"), port=nginx_port, folder=programs),
            running(squid, "-N", "-f", str(programs / "squid.conf"), port=squid_port, folder=programs),
        ):
            yield Place(folder, programs, squid_port)


def test_check(place: Place) -> None:
    done = place.run("check", "--seed", "1", "--out", "check")
    assert done.returncode == 0, (done.stdout.decode()[-3000:], done.stderr)
    verdicts = {c["id"]: c["verdict"] for c in json.loads((place.folder / "check/verdict.json").read_text())["clauses"]}
    assert verdicts["TRN-01"] == verdicts["TRN-02"] == verdicts["ROB-03"] == "pass"
    assert "TCP_TUNNEL/200" in (place.programs / "access.log").read_text()


def test_load(place: Place) -> None:
    done = place.run("load", "--rate", "30", "--duration", "3s", "--out", "load")
    assert done.returncode == 0, (done.stdout.decode()[-3000:], done.stderr)
    load = json.loads((place.folder / "load/verdict.json").read_text())["load"]
    assert (load["calls"]["accepted"], load["trigger"]["errors"]) == (90, {})


def test_without_credentials_nothing_is_held_against_the_deployment(place: Place) -> None:
    proxy = f"http://127.0.0.1:{place.squid_port}"
    for command in (("check", "--out", "no-check"), ("load", "--rate", "20", "--duration", "2s", "--out", "no-load")):
        done = place.run(*command, RINGBACK_DEPLOYMENT__PROXY=proxy)
        printed = " ".join(done.stdout.decode().split())
        assert done.returncode == 3, printed
        assert f"the proxy 127.0.0.1:{place.squid_port}" in printed
    verdicts = {c["verdict"] for c in json.loads((place.folder / "no-check/verdict.json").read_text())["clauses"]}
    assert "fail" not in verdicts


def test_no_proxy_leads_past_the_proxy(place: Place) -> None:
    """The name is then looked up here, where it means nothing."""
    (place.folder / "direct.toml").write_text(
        "\n".join(line for line in (place.folder / "ringback.toml").read_text().splitlines() if "proxy =" not in line)
    )
    proxies = {"HTTPS_PROXY": (place.folder / "proxy").read_text().strip()}
    command = ("check", "--config", "direct.toml", "--clause", "ACK-01")
    done = place.run(*command, "--out", "by-variable", **proxies)
    assert done.returncode == 0, done.stdout.decode()
    done = place.run(*command, "--out", "past", NO_PROXY=".test", **proxies)
    assert done.returncode == 3
    assert "no connection to ivr.test" in " ".join(done.stdout.decode().split())


def test_no_secret_is_left(place: Place) -> None:
    credentials = base64.b64encode(f"tester:{PASSWORD}".encode()).decode()
    leaks = {
        path.name: [(leak.secret, leak.how, leak.excerpt) for leak in found[:3]]
        for path in sorted(place.folder.rglob("*"))
        if path.is_file() and path.name not in {"key", "proxy"}
        if (found := find_secrets(path.read_bytes(), TOKEN, (), [KEY, PASSWORD, credentials]))
    }
    assert not leaks
