"""An event loop in a thread of its own: tests are plain functions, what they ask for runs in the loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from typing import Any, TypeVar

__all__ = ["LoopThread"]

T = TypeVar("T")

_ENDING_SECONDS = 10
"""How long the last coroutine may take."""


class LoopThread:
    """`start` before use; `stop` ends it. Methods may be called from any thread but the loop's own."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.loop = loop or asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="ringback-loop", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the loop and wait for its result; Ctrl-C cancels it."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def schedule(self, coroutine: Coroutine[Any, Any, object]) -> None:
        """Run a coroutine in the loop without waiting for it."""
        asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def stop(self, last: Coroutine[Any, Any, object]) -> None:
        """Run a last coroutine, then end loop and thread, whatever comes of it."""
        with contextlib.suppress(Exception, CancelledError):
            asyncio.run_coroutine_threadsafe(last, self.loop).result(_ENDING_SECONDS)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)
        if not self._thread.is_alive():
            self.loop.close()

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
