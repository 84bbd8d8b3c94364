"""Hosts made of Linux namespaces: each with a network, a name and a clock of its own, on one switch.

Making them takes root's rights and `ip`; where either lacks, tests are skipped and say so.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

__all__ = ["Hosts", "hosts_or_skip"]

_NET = "10.203.77"


class Hosts:
    """Hosts by name, with an address each. Processes that are started on them are killed in the end."""

    def __init__(self, names: tuple[str, ...], boot: dict[str, int]) -> None:
        self._mark = f"rb{os.getpid()}"
        self._boot = boot
        self._switch = f"{self._mark}-switch"
        self.address = {name: f"{_NET}.{number}" for number, name in enumerate(names, start=1)}
        self._started: list[subprocess.Popen[str]] = []

    def build(self) -> None:
        """Set up the network. CalledProcessError if that is not permitted."""
        self._ip("netns", "add", self._switch)
        self._ip("-n", self._switch, "link", "add", "name", "switch", "type", "bridge")
        self._ip("-n", self._switch, "link", "set", "dev", "switch", "up")
        for name, address in self.address.items():
            space = self._space(name)
            self._ip("netns", "add", space)
            self._ip(
                "-n", self._switch, "link", "add", "name", name, "type", "veth", "peer", "name", "eth0", "netns", space
            )
            self._ip("-n", self._switch, "link", "set", "dev", name, "master", "switch", "up")
            self._ip("-n", space, "addr", "add", f"{address}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                self._ip("-n", space, "link", "set", "dev", device, "up")

    def start(self, name: str, *command: str, folder: Path, **variables: str) -> subprocess.Popen[str]:
        """Start a command on a host; it does not outlive the hosts."""
        clock = ["--time", "--monotonic", str(self._boot[name])] if name in self._boot else []
        process = subprocess.Popen(
            [
                "ip", "netns", "exec", self._space(name),
                "unshare", "--uts", *clock, "--fork", "--kill-child",
                "sh", "-c", 'hostname "$0" && exec "$@"', name, *command,
            ],
            cwd=folder, env={**os.environ, **variables}, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._started.append(process)
        return process

    def connected(self, name: str, to: str, port: int) -> bool:
        """Whether a host holds a connection to a port of another."""
        there = ["dst", f"{self.address[to]}:{port}"]
        shown = subprocess.run(
            ["ip", "netns", "exec", self._space(name), "ss", "-Htn", "state", "established", *there],
            capture_output=True, check=True, text=True,
        )  # fmt: skip
        return bool(shown.stdout.strip())

    def unplug(self, name: str) -> None:
        """Disconnect a host."""
        self._ip("-n", self._switch, "link", "set", "dev", name, "down")

    def tear_down(self) -> None:
        """End what was started, and remove the hosts."""
        for process in self._started:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate(timeout=30)
        for space in (*map(self._space, self.address), self._switch):
            subprocess.run(["ip", "netns", "del", space], capture_output=True, check=False)

    def _space(self, name: str) -> str:
        return f"{self._mark}-{name}"

    def _ip(self, *arguments: str) -> None:
        subprocess.run(["ip", *arguments], capture_output=True, check=True)


@contextlib.contextmanager
def hosts_or_skip(*names: str, **boot: int) -> Iterator[Hosts]:
    """Hosts of these names; `boot` are seconds by which a host's monotonic clock is ahead of this machine's."""
    if os.geteuid() or not all(map(shutil.which, ("ip", "ss", "unshare"))):
        pytest.skip("hosts are made of namespaces, by root, with ip, ss and unshare")
    hosts = Hosts(names, boot)
    try:
        try:
            hosts.build()
        except subprocess.CalledProcessError as error:
            pytest.skip(f"this machine permits no network namespaces: {error.stderr.decode().strip()}")
        yield hosts
    finally:
        hosts.tear_down()
