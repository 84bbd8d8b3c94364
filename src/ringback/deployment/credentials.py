"""What requests need beyond their own content: configured headers, and the access token in force when they are sent."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping

from ringback.config import Deployment
from ringback.config.token import TokenError
from ringback.contract.near_misses import near_miss_tokens
from ringback.deployment.errors import NotSent

__all__ = ["Credentials"]

_SHORT_TOKEN = 8
"""A shorter token is only replaced where it is a whole text, because it may be a part of others by chance."""


class Credentials:
    """The headers and the token of one deployment. Belongs to one event loop."""

    def __init__(self, deployment: Deployment) -> None:
        self._token = deployment.access_token
        self._renewing = asyncio.Lock()
        self._replaced: tuple[str, ...] = ()
        self._outdated: re.Pattern[bytes] | None = None
        self._current: Mapping[bytes, bytes] = {}
        self.headers = [(header.name, header.value.get_secret_value()) for header in deployment.headers]
        self._shown = {
            header.name.lower(): (
                header.name,
                f"${header.variable}" if header.is_secret else header.value.get_secret_value(),
            )
            for header in deployment.headers
        }

    def shown(self, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Headers for the record: with variables in place of the values of configured ones."""
        return [self._shown.get(name.lower(), (name, value)) for name, value in headers]

    async def refresh(self) -> None:
        """Renew the token if that is due. Raises `NotSent` if it is too old and can't be renewed."""
        if not self._token.due and not self._token.too_old:
            return
        async with self._renewing:
            problem = "the last try to renew it failed"
            if self._token.due:
                try:
                    await asyncio.to_thread(self._token.renew)
                except TokenError as why:
                    problem = str(why)
            if self._token.too_old:
                raise NotSent(f"the access token is too old, and access_token_command gives no other: {problem}")

    def with_current_token(self, body: bytes) -> bytes:
        """A body that was made with an earlier token, or with a near miss of it, with the token in force instead."""
        if self._replaced != self._token.earlier:
            self._replaced = self._token.earlier
            self._current = _replacements(self._replaced, self._token.get_secret_value())
            longest_first = sorted(self._current, key=len, reverse=True)
            self._outdated = re.compile(b"|".join(map(re.escape, longest_first))) if longest_first else None
        if self._outdated is None:
            return body
        return self._outdated.sub(lambda found: self._current[found[0]], body)


def _replacements(earlier: tuple[str, ...], token: str) -> dict[bytes, bytes]:
    """Texts in a body -> what they are replaced by. A near miss is replaced where it is a whole text."""
    found: dict[bytes, bytes] = {}
    for old in earlier:
        for make in near_miss_tokens().values():
            found |= _as_json(make(old), make(token), whole=True)
        found |= _as_json(old, token, whole=len(old) < _SHORT_TOKEN)
    return {old: new for old, new in found.items() if old != new and token.encode() not in old}


def _as_json(old: str, new: str, *, whole: bool) -> dict[bytes, bytes]:
    spelt = {}
    for ascii_only in (True, False):
        before, after = (json.dumps(text, ensure_ascii=ascii_only) for text in (old, new))
        if whole:
            spelt[before.encode()] = after.encode()
        else:
            spelt[before[1:-1].encode()] = after[1:-1].encode()
    return spelt
