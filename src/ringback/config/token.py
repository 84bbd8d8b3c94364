"""The access token in force, and the command that gives a new one before it is too old."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from ringback import clock

__all__ = ["AccessToken", "TokenError", "check_token", "token_from"]

T = TypeVar("T")

_LONGEST = 64 * 1024
"""Bytes of a command's output."""
_PATIENCE = 30.0
"""Seconds that a command may take."""
_RENEW_AT = 0.8
"""The part of its lifetime after which a token is renewed, so that triggers sent meanwhile carry a valid one."""
_RETRY_AFTER = 1.0
"""Seconds between two tries to renew a token."""


class TokenError(Exception):
    """There is no token. The message is `problem; fix` and shows neither command nor output."""


def check_token(token: str) -> str:
    """The token; raises `TokenError` if it can't be one."""
    if not token or not token.isprintable():
        raise TokenError("the token is empty or has control characters; write only the token there")
    return token


def token_from(command: str) -> str:
    """Run a command, without a shell, and return the token that it prints. Raises `TokenError`.

    It gets no input, and what it writes to standard error is discarded.
    """
    try:
        words = shlex.split(command)
    except ValueError:
        raise TokenError("its quotes do not match; write the command as in a shell") from None
    if not words:
        raise TokenError("empty; write a command that prints the token")
    late = threading.Event()
    try:
        process = subprocess.Popen(  # noqa: S603 - the user's own command
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not a command"
        raise TokenError(f"it can't be started ({why}); name an installed program") from None

    def kill() -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)

    def give_up() -> None:
        late.set()
        kill()

    timer = threading.Timer(_PATIENCE, give_up)
    timer.daemon = True
    timer.start()
    try:
        with process:
            assert process.stdout is not None  # noqa: S101 - it was asked for
            output = process.stdout.read(_LONGEST + 1)
            if len(output) > _LONGEST:
                kill()
    finally:
        timer.cancel()
        if process.poll() is None:
            kill()
    if late.is_set():
        raise TokenError(f"it did not end within {_PATIENCE:g} s; make it print the token without questions")
    if len(output) > _LONGEST:
        raise TokenError("it printed more than a token; make it print the token alone")
    if process.returncode:
        raise TokenError(f"it ended with exit code {process.returncode}; run it in a terminal to see why")
    try:
        return check_token(output.decode("utf-8").strip())
    except (UnicodeDecodeError, TokenError):
        raise TokenError("it printed no token, or more than a line; make it print the token alone") from None


class AccessToken:
    """The token in force. With a command and a lifetime (seconds), `renew` replaces it."""

    def __init__(self, value: str, command: str | None = None, lifetime: float | None = None) -> None:
        self._value = value
        self._command = command
        self._lifetime = lifetime
        self._obtained = clock.monotonic()
        self._tried = 0.0
        self._listeners: WeakKeyDictionary[Any, Callable[[Any, str], None]] = WeakKeyDictionary()
        self.earlier: tuple[str, ...] = ()
        """The tokens that were in force before."""

    @classmethod
    def by(cls, command: str, lifetime: float | None) -> AccessToken:
        """The token that a command gives now; raises `TokenError`."""
        asked = clock.monotonic()
        token = cls(token_from(command), command, lifetime)
        token._obtained = asked
        return token

    def get_secret_value(self) -> str:
        """The token itself."""
        return self._value

    @property
    def all_in_force(self) -> tuple[str, ...]:
        """The token, and those that were in force before."""
        return (*self.earlier, self._value)

    def before_renewal(self, owner: T, listener: Callable[[T, str], None]) -> None:
        """Call `listener(owner, token)` with each new token before it comes into force, as long as `owner` lives."""
        self._listeners[owner] = listener

    @property
    def age(self) -> float:
        """Seconds since it was obtained."""
        return clock.monotonic() - self._obtained

    @property
    def due(self) -> bool:
        """Whether it should be renewed now."""
        return self.due_in == 0.0

    @property
    def due_in(self) -> float | None:
        """Seconds until it should be renewed; None if it never is."""
        if self._command is None or self._lifetime is None:
            return None
        return max(0.0, _RENEW_AT * self._lifetime - self.age, self._tried + _RETRY_AFTER - clock.monotonic())

    @property
    def too_old(self) -> bool:
        """Whether its lifetime is over, so that it must not be sent."""
        return self._lifetime is not None and self.age >= self._lifetime

    def renew(self) -> None:
        """Run the command and put the new token into force; raises `TokenError` and keeps the old one."""
        assert self._command is not None  # noqa: S101 - only such tokens are ever due
        self._tried = asked = clock.monotonic()
        value = token_from(self._command)
        for owner, listener in list(self._listeners.items()):
            listener(owner, value)
        if value != self._value:
            self.earlier = (*self.earlier, self._value)
        self._value, self._obtained, self._tried = value, asked, 0.0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AccessToken) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "AccessToken(**********)"
