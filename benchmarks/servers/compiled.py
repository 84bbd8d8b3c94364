"""nginx as a deployment: a compiled server, one process on one core, that answers each trigger with an id of its own.

It takes a fraction of what a load generator takes for the same request, so that the generator is what is measured.
It needs no privileges: everything it reads and writes lies in a folder of its own.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import trustme

__all__ = ["Compiled", "nginx"]

_CONFIGURATION = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000000;
  keepalive_timeout 3600s;
  tcp_nodelay on;
  server {{
    listen 127.0.0.1:{port}{tls} backlog=4096;
    {certificate}
    location = /v2/call {{ default_type application/json; return 200 '{{"UniqueId":"$request_id"}}'; }}
    location = /v2/callresult {{ default_type application/json; return 200 '{{"CallResults":[]}}'; }}
  }}
}}
"""
_CERTIFICATE = """\
ssl_certificate {folder}/chain.pem;
    ssl_certificate_key {folder}/key.pem;
    ssl_protocols TLSv1.3;
    ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;"""
"""One cipher for all clients: they differ in which they would rather have."""
_STARTING = 15.0


@dataclass(frozen=True, slots=True)
class Compiled:
    """An nginx that runs."""

    base_url: str
    pid: int
    authority: Path | None
    """The certificate to trust, with TLS."""

    def cpu(self) -> float:
        """Processor seconds it has used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100


@contextlib.contextmanager
def nginx(*, tls: bool, core: int) -> Iterator[Compiled]:
    """Run it on one core until the block ends; RuntimeError if it does not start."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        raise RuntimeError("nginx is missing: apt-get install nginx-light")
    with tempfile.TemporaryDirectory(prefix="ringback-nginx-") as name:
        folder = Path(name)
        authority = _issue(folder) if tls else None
        port = _free_port()
        certificate = _CERTIFICATE.format(folder=folder) if tls else ""
        text = _CONFIGURATION.format(folder=folder, port=port, tls=" ssl" if tls else "", certificate=certificate)
        (folder / "nginx.conf").write_text(text)
        command = ["taskset", "--cpu-list", str(core), program, "-p", name, "-c", "nginx.conf", "-e", "error.log"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            _wait_for(port, process, folder)
            yield Compiled(f"http{'s' if tls else ''}://127.0.0.1:{port}", process.pid, authority)
        finally:
            process.terminate()
            process.wait(10)


def _issue(folder: Path) -> Path:
    """A certificate for 127.0.0.1 by an authority made for it; returns the authority's certificate."""
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    issued = authority.issue_cert("127.0.0.1", key_type=trustme.KeyType.ECDSA)
    issued.private_key_pem.write_to_path(folder / "key.pem")
    for number, pem in enumerate(issued.cert_chain_pems):
        pem.write_to_path(folder / "chain.pem", append=number > 0)
    authority.cert_pem.write_to_path(folder / "authority.pem")
    ssl.create_default_context(cafile=str(folder / "authority.pem"))
    return folder / "authority.pem"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + _STARTING
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            log = folder / "error.log"
            raise RuntimeError(f"nginx did not start: {log.read_text() if log.is_file() else 'no word from it'}")
        time.sleep(0.05)
