"""Whether `make test` passes on machines unlike this one: busy, small, abroad, without IPv6, with a clock that jumps.

    python -m tests.everywhere [--times N] [--only NAME ...] [--list]

Clones this checkout's last commit, makes its virtual environment, and runs `make test` there so many times in each
way. Prints a line for each run, and keeps the log of one that failed. Ends with 1 if any failed. A way that this
machine lacks the means for is skipped, with the reason.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
AS_NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
MEMORY = 4 * 1024**3
_BUSY = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"


class Missing(Exception):
    """What this machine lacks for a way to run the tests."""


def nothing(_clone: Path) -> contextlib.nullcontext[dict[str, str]]:
    return contextlib.nullcontext({})


@dataclass(frozen=True)
class Way:
    """One way to run `make test`."""

    what: str
    times: int = 5
    prefix: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    arguments: Callable[[int], str] = lambda _nth: ""
    """pytest's further arguments in the n-th run."""
    beside: Callable[[Path], contextlib.AbstractContextManager[dict[str, str]]] = lambda _clone: contextlib.nullcontext(
        {}
    )
    """What goes on meanwhile; gives further variables. Raises Missing."""


@contextlib.contextmanager
def busy(_clone: Path) -> Iterator[dict[str, str]]:
    loops = [subprocess.Popen([sys.executable, "-c", _BUSY]) for _ in range(2)]
    try:
        yield {}
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@contextlib.contextmanager
def jumping_clock(clone: Path) -> Iterator[dict[str, str]]:
    """The wall clock of all processes jumps."""
    library, source = clone.parent / "jumping_clock.so", clone / "tests/jumping_clock.c"
    compiler = shutil.which("cc")
    if compiler is None:
        raise Missing("a C compiler (Debian package gcc)")
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(source), "-ldl"], check=True)
    yield {"LD_PRELOAD": str(library)}


@contextlib.contextmanager
def little_memory(_clone: Path) -> Iterator[dict[str, str]]:
    """A control group of 4 GiB, which `_in_group` puts the tests into."""
    old, new = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    group, limit = (old, "memory.limit_in_bytes") if old.is_dir() else (new, "memory.max")
    group /= f"ringback-{os.getpid()}"
    try:
        group.mkdir()
        (group / limit).write_text(str(MEMORY))
    except OSError as error:
        raise Missing(f"the right to limit memory: {error}") from None
    try:
        yield {"TEST_CGROUP": str(group / "cgroup.procs")}
    finally:
        group.rmdir()


@contextlib.contextmanager
def as_nobody(clone: Path) -> Iterator[dict[str, str]]:
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        raise Missing("root's right to become an ordinary user, and setpriv (Debian package util-linux)")
    nobody = pwd.getpwnam("nobody")
    _hand_over(clone.parent, nobody.pw_uid, nobody.pw_gid)
    if subprocess.run(
        [*AS_NOBODY, clone / ".venv/bin/python", "-c", ""], stderr=subprocess.DEVNULL, check=False
    ).returncode:
        raise Missing("an interpreter that ordinary users may run; name one, such as PYTHON=/usr/bin/python3")
    try:
        yield {"HOME": str(clone.parent), "TMPDIR": str(clone.parent / "tmp")}
    finally:
        _hand_over(clone.parent, 0, 0)


@contextlib.contextmanager
def own_network(_clone: Path) -> Iterator[dict[str, str]]:
    made = subprocess.run(["unshare", "--net", "ip", "link", "set", "lo", "up"], capture_output=True, check=False)
    if made.returncode:
        raise Missing(f"the right to make a network namespace: {made.stderr.decode().strip()}")
    yield {}


def _hand_over(folder: Path, user: int, group: int) -> None:
    os.chown(folder, user, group)
    for entry in folder.rglob("*"):
        os.chown(entry, user, group, follow_symlinks=False)


_WITHOUT_IPV6 = 'ip link set lo up && sysctl -qw net.ipv6.conf.all.disable_ipv6=1 && exec "$@"'
_IN_GROUP = 'echo $$ > "$TEST_CGROUP" && exec "$@"'
WAYS = {
    "busy": Way("beside two busy loops", times=10, beside=busy),
    "clock": Way("while the machine's clock jumps", beside=jumping_clock),
    "memory": Way("with 4 GiB of memory", prefix=("sh", "-c", _IN_GROUP, "-"), beside=little_memory),
    "plain": Way("with -p no:randomly", arguments=lambda _nth: "-p no:randomly"),
    "shuffled": Way("in random order", arguments=lambda nth: f"--order-seed {nth}"),
    "abroad": Way("in Kathmandu, in Turkish", variables={"TZ": "Asia/Kathmandu", "LANG": "tr_TR.UTF-8"}),
    "nobody": Way(
        "as an ordinary user", prefix=AS_NOBODY,
        beside=as_nobody,
    ),
    "ipv4": Way(
        "without IPv6", prefix=("unshare", "--net", "sh", "-c", _WITHOUT_IPV6, "-"), beside=own_network
    ),
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--times", type=int, metavar="N", help="runs in each way [default: 5, busy 10]")
    parser.add_argument("--only", choices=WAYS, nargs="+", metavar="NAME", help="these ways only")
    parser.add_argument("--list", action="store_true", help="list the ways, and run nothing")
    options = parser.parse_args(arguments)
    if options.list:
        print("\n".join(f"{name:9} {way.what}" for name, way in WAYS.items()))
        return 0
    failed = 0
    with tempfile.TemporaryDirectory(prefix="ringback-everywhere-") as folder:
        clone = Path(folder) / "clone"
        clone.parent.chmod(0o755)
        (Path(folder) / "tmp").mkdir()
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        subprocess.run(["make", "--silent", ".venv/.ready"], cwd=clone, stderr=subprocess.DEVNULL, check=True)
        for name in options.only or WAYS:
            failed += _run_all(name, WAYS[name], options.times or WAYS[name].times, clone)
    return 1 if failed else 0


def _run_all(name: str, way: Way, times: int, clone: Path) -> int:
    """Run the tests so many times in one way; how many of the runs failed."""
    failed = 0
    try:
        with way.beside(clone) as variables:
            for nth in range(1, times + 1):
                failed += not _run(name, way, nth, clone, variables)
    except Missing as lack:
        print(f"{name}: skipped, for it needs {lack}", flush=True)
    return failed


def _run(name: str, way: Way, nth: int, clone: Path, variables: Mapping[str, str]) -> bool:
    environment = {**os.environ, **way.variables, **variables, "PYTEST_ARGS": way.arguments(nth)}
    begun = time.monotonic()
    end = subprocess.run(
        [*way.prefix, "make", "test"], cwd=clone, env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    output = end.stdout.decode(errors="replace")
    last = next(
        (line for line in reversed(output.splitlines()) if " passed" in line or " failed" in line), "no summary"
    )
    print(f"{name} {nth}, {way.what}: {last} ({time.monotonic() - begun:.0f} s)", flush=True)
    if end.returncode:
        log = Path(tempfile.gettempdir()) / f"ringback-{name}-{nth}.log"
        log.write_text(output)
        print(f"  exit {end.returncode}: {log}", flush=True)
    return end.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
