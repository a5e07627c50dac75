"""Images of many requests through the network together: as many as wait, after a moment's patience."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Generic, NamedTuple, TypeVar

I = TypeVar("I")  # noqa: E741 - an input
A = TypeVar("A")


class _Waiting(NamedTuple):
    item: object
    since: float
    answer: asyncio.Future[object]


class Batcher(Generic[I, A]):
    """Collects inputs into batches and answers them in a thread of its own, one batch after the other.

    While a batch is in the network the next one gathers, so that under load the batches are large without anybody
    having to wait for it. How many may wait is not decided here.
    """

    def __init__(self, answer: Callable[[Sequence[I]], Sequence[A]], *, most: int, patience: float) -> None:
        """Set up; inside a running event loop.

        Args:
            answer: one forward pass; gives an answer for each input.
            most: inputs in a batch.
            patience: seconds that the first input of a batch may wait for others.
        """
        self._answer, self._most, self._patience = answer, most, patience
        self._waiting: deque[_Waiting] = deque()
        self._some, self._enough = asyncio.Event(), asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "network")
        self._task = asyncio.get_running_loop().create_task(self._work())
        self._busy_since: float | None = None

    async def submit(self, item: I) -> A:
        """The answer for an input; what the network raised, where it did."""
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(item, time.monotonic(), future))
        self._some.set()
        if len(self._waiting) >= self._most:
            self._enough.set()
        return await future  # type: ignore[return-value]

    @property
    def busy_seconds(self) -> float:
        """How long the batch that is in the network has been there."""
        return 0.0 if self._busy_since is None else time.monotonic() - self._busy_since

    async def close(self) -> None:
        """Stop; what waits is not answered."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _work(self) -> None:
        while True:
            await self._some.wait()
            await self._gather()
            batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
            if not self._waiting:
                self._some.clear()
            if len(self._waiting) < self._most:
                self._enough.clear()
            batch = [one for one in batch if not one.answer.done()]  # nobody waits for it any more
            if batch:
                await self._answer_all(batch)

    async def _gather(self) -> None:
        left = self._patience - (time.monotonic() - self._waiting[0].since)
        if left > 0 and len(self._waiting) < self._most:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._enough.wait(), left)

    async def _answer_all(self, batch: Sequence[_Waiting]) -> None:
        loop = asyncio.get_running_loop()
        self._busy_since = time.monotonic()
        try:
            answers = await loop.run_in_executor(self._thread, self._answer, [one.item for one in batch])  # type: ignore[arg-type]
        except Exception as error:
            for one in batch:
                if not one.answer.done():
                    one.answer.set_exception(error)
        else:
            for one, answer in zip(batch, answers, strict=True):
                if not one.answer.done():
                    one.answer.set_result(answer)
        finally:
            self._busy_since = None
