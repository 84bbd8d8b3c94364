"""A process that has imported much, and forks: `python server.py KIND LISTENING PROCESS LAUNCHER`.

The kind `gevent` has gevent take over the standard library before anything else is imported. It ends when the test
session, PROCESS, does.
"""

from __future__ import annotations

import _socket
import contextlib
import marshal
import os
import shutil
import signal
import sys
from collections.abc import Iterable
from os import close, fork, waitpid  # gevent replaces these
from pathlib import Path
from select import POLLIN, poll  # gevent has no poll of its own that blocks a whole process
from typing import Any, NoReturn

_UNIT = 4


def _imports(kind: str) -> None:
    """Import what commands of a kind need."""
    if kind == "gevent":
        from gevent import monkey

        monkey.patch_all()
        import ringback.loadgen.child
        import ringback.loadgen.plain_locust  # noqa: F401
    else:
        from tests.warm import warm

        warm()


def _received(connection: _socket.socket) -> tuple[dict[str, Any], list[int]]:
    """An order, and the standard streams that came with it."""
    size, ancillary, *_ = connection.recvmsg(_UNIT, _socket.CMSG_SPACE(3 * _UNIT))
    sent = ancillary[0][2]
    streams = [int.from_bytes(sent[at : at + _UNIT], sys.byteorder) for at in range(0, len(sent), _UNIT)]
    left, data = int.from_bytes(size, "big"), b""
    while len(data) < left:
        part = connection.recv(left - len(data))
        if not part:
            raise EOFError
        data += part
    return marshal.loads(data), streams


def _run(order: dict[str, Any], streams: list[int], others: Iterable[int]) -> NoReturn:
    """Be the process that was ordered, without the server's other descriptors."""
    import atexit
    import random
    import runpy
    import threading

    if "gevent" in sys.modules:
        import gevent

        gevent.reinit()  # an import may have made its hub
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    for descriptor in {*streams, *others} - {0, 1, 2}:
        close(descriptor)
    os.chdir(order["folder"])
    os.umask(order["umask"])
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.dont_write_bytecode = bool(order["environment"].get("PYTHONDONTWRITEBYTECODE"))
    sys.argv = ["", *order["arguments"]]
    if not order["safe_path"]:
        sys.path.insert(0, order["folder"])
    random.seed()
    for number in range(1, 32):
        if number in order["ignored"] and number not in {signal.SIGPIPE, signal.SIGXFSZ}:
            signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, order["mask"])
    code = 0
    try:
        runpy.run_module(order["module"], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]  # as Python does at its end
    atexit._run_exitfuncs()
    for printed in (sys.stdout, sys.stderr):
        try:
            printed.flush()
        except (OSError, ValueError):
            code = code or 120
    os._exit(code)


def main() -> None:
    """Fork as ordered, pass on signals, and report ends."""
    kind, listening, session, launcher = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    import gc

    gc.disable()
    sys.path.insert(0, str(Path(__file__).parents[2]))
    _imports(kind)
    sys.path.pop(0)
    gc.freeze()
    gc.enable()
    sys.executable = launcher
    server = _socket.socket(fileno=listening)
    os.set_inheritable(listening, False)
    waiting = poll()
    waiting.register(listening, POLLIN)
    ended = os.pidfd_open(session)
    waiting.register(ended, POLLIN)
    connections: dict[int, tuple[_socket.socket, int, int]] = {}
    """By connection and by process descriptor: the connection, the process, and its descriptor."""
    while True:
        for ready, _ in waiting.poll():
            if ready == ended:
                for _, child, _ in connections.values():
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(child, signal.SIGKILL)
                shutil.rmtree(Path(launcher).parent, ignore_errors=True)  # a killed session has left it
                os._exit(0)
            if ready == listening:
                connection = _socket.socket(fileno=server._accept()[0])  # type: ignore[attr-defined]
                try:
                    order, streams = _received(connection)
                except (OSError, EOFError, IndexError):
                    connection.close()
                    continue
                child = fork()
                if not child:
                    _run(order, streams, [listening, ended, connection.fileno(), *connections])
                for stream in streams:
                    close(stream)
                descriptor = os.pidfd_open(child)
                connections[connection.fileno()] = connections[descriptor] = (connection, child, descriptor)
                waiting.register(connection.fileno(), POLLIN)
                waiting.register(descriptor, POLLIN)
                continue
            if ready not in connections:
                continue
            connection, child, descriptor = connections[ready]
            if ready == descriptor:
                code = os.waitstatus_to_exitcode(waitpid(child, 0)[1])
                waiting.unregister(descriptor)
                del connections[descriptor]
                if connections.pop(connection.fileno(), None) is not None:
                    waiting.unregister(connection.fileno())
                    with contextlib.suppress(OSError):
                        connection.sendall(code.to_bytes(_UNIT, "big", signed=True))
                connection.close()
                close(descriptor)
                continue
            try:
                signals = connection.recv(64)
            except OSError:
                signals = b""
            for number in signals or [signal.SIGKILL]:
                os.kill(child, number)
            if not signals:  # the launcher was killed
                waiting.unregister(ready)
                del connections[ready]


if __name__ == "__main__":
    main()
