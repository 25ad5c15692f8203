"""Work that threads do out of order, as bytes in order: a bounded part of it is under way."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from typing import Any, Final, NamedTuple

WINDOW: Final = 12 << 20  # bytes of the files that are under way, or done and not yet sent


class Step(NamedTuple):
    """Some work for `cost` bytes, and what makes bytes of its result when its turn has come."""

    cost: int
    work: asyncio.Future[Any] | None
    emit: Callable[[Any], Iterable[bytes]]


async def in_order(steps: AsyncGenerator[Step]) -> AsyncGenerator[bytes]:
    """What the steps emit, in their order. No more of them are begun than the window holds; when
    this is closed the others are cancelled."""
    pending: deque[Step] = deque()
    under_way = 0
    more = True
    async with aclosing(steps):
        try:
            while more or pending:
                if more and (under_way < WINDOW or not pending):
                    step = await anext(steps, None)
                    if step is None:
                        more = False
                        continue
                    pending.append(step)
                    under_way += step.cost
                    # What is ready goes at once: the client waits for the first byte.
                    if under_way < WINDOW and not _is_done(pending[0]):
                        continue
                step = pending.popleft()
                result = None if step.work is None else await step.work
                under_way -= step.cost
                for chunk in step.emit(result):
                    yield chunk
        finally:
            for step in pending:
                if step.work is not None:
                    step.work.cancel()


def _is_done(step: Step) -> bool:
    return step.work is None or step.work.done()
