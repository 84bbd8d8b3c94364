"""Stands for Python: runs a module in a fork of a process that has imported it, or else starts Python.

It starts in a hundredth of a second, because it imports only what is built into Python.
"""

import _signal  # type: ignore[import-not-found]  # the built-in module behind signal
import _socket
import fcntl
import marshal
import os
import sys

HERE = "FOLDER"
KINDS = {
    "ringback": "plain",
    "ringback.sandbox": "plain",
    "ringback.loadgen.live": "plain",
    "ringback.loadgen": "gevent",
    "locust": "gevent",
}
_PASSED_ON = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP, _signal.SIGQUIT, _signal.SIGUSR1, _signal.SIGUSR2)


def identity() -> tuple[object, ...]:
    """What a fork has from the process that it is forked from, and a new process from its parent."""
    import resource

    spaces = [os.readlink(f"/proc/self/ns/{name}") for name in sorted(os.listdir("/proc/self/ns"))]
    limits = [resource.getrlimit(kind) for kind in range(16)]
    names = ("PYTHON", "LD_", "LC_", "LANG", "TZ", "MALLOC_", "GEVENT", "OPENSSL", "SSL_")
    variables = sorted(
        (name, value)
        for name, value in os.environ.items()
        if name.startswith(names) and name != "PYTHONDONTWRITEBYTECODE"
    )
    with open("/proc/self/cgroup", encoding="ascii") as groups:
        return (
            os.getuid(), os.geteuid(), os.getgid(), sorted(os.getgroups()), os.nice(0),
            sorted(os.sched_getaffinity(0)), spaces, limits, variables, groups.read(),
        )  # fmt: skip


def main() -> None:
    with open(f"{HERE}/session", encoding="utf-8") as session:
        python, server, process, same = session.read().split("\n", 3)
    arguments = sys.argv[1:]
    safe_path = arguments[:1] == ["-P"]
    module = arguments[safe_path + 1] if arguments[safe_path : safe_path + 1] == ["-m"] else ""
    others = {int(name) for name in os.listdir("/proc/self/fd")} - {0, 1, 2}
    plain = not any(os.isatty(number) for number in (0, 1, 2)) and all(
        not os.path.exists(f"/proc/self/fd/{number}") for number in others
    )
    if module not in KINDS or not plain or repr(identity()) != same:
        os.execv(python, [python, *arguments])
    mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, _PASSED_ON)
    umask = os.umask(0)
    connection = connected(python, server, process, KINDS[module])
    order = {
        "module": module, "arguments": arguments[safe_path + 2 :], "safe_path": safe_path, "umask": umask,
        "folder": os.getcwd(), "environment": dict(os.environ), "mask": [int(number) for number in mask],
        "ignored": [n for n in range(1, 32) if _signal.getsignal(n) == _signal.SIG_IGN],
    }  # fmt: skip
    message = marshal.dumps(order)
    streams = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
    connection.sendmsg([len(message).to_bytes(4, "big")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
    connection.sendall(message)
    for number in _PASSED_ON:
        _signal.signal(number, lambda number, _: connection.send(bytes([number])))
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, _PASSED_ON)
    code = int.from_bytes(connection.recv(4), "big", signed=True)
    if code < 0:
        _signal.signal(-code, _signal.SIG_DFL) if -code != _signal.SIGKILL else None
        os.kill(os.getpid(), -code)
    os._exit(code)


def connected(python: str, server: str, process: str, kind: str) -> _socket.socket:
    """A connection to the server of this kind, which is started if it is not running."""
    address = f"{HERE}/{kind}"
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    with open(f"{address}.lock", "w", encoding="ascii") as lock:
        try:
            connection.connect(address)
        except OSError:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                connection.connect(address)
            except OSError:
                start(python, server, process, kind, address)
                connection.connect(address)
    return connection


def start(python: str, server: str, process: str, kind: str, address: str) -> None:
    """Start the server; return when it listens."""
    listening = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    listening.bind(address)
    listening.listen(512)
    if os.fork():
        return
    os.setsid()
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
    for number in _PASSED_ON:
        _signal.signal(number, _signal.SIG_DFL)
    if os.fork():
        os._exit(0)
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    log = os.open(f"{address}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for number, to in ((0, null), (1, log), (2, log)):
        os.dup2(to, number)
    os.set_inheritable(listening.fileno(), True)
    launcher = f"{HERE}/python"
    os.execv(python, [python, "-P", server, kind, str(listening.fileno()), process, launcher])


if __name__ == "__main__":
    main()
