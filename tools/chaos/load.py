"""A steady load on the gateways, as a careful client sends it, and what became of every request.

So many requests a second are sent whether or not answers keep up, and latency counts from when a request was due. When
a gateway breaks a connection, the same request goes to the next one: all requests may be repeated. Nothing else is.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from threading import Event, Thread
from typing import Final

import httpx

from tools.chaos.answers import ANSWERED, Outcome, judge
from tools.chaos.shop import Question, Shop, question

PER_S: Final = 50.0
_PATIENCE_S: Final = 3.0  # of the client; the gateway's own budget for a list is a second
_PATIENCE_FOR_EVENTS_S: Final = 10.0  # a store that is stuck is given several seconds to take one
_LOOK_S: Final = 0.5  # how often to look which gateways there are
_AGAIN_S: Final = 0.02  # after a gateway broke a connection
_IDLE_S: Final = 2.0  # the gateways close idle connections after five


@dataclass(frozen=True)
class Asked:
    """One request and what became of it. Times are of `time.monotonic`."""

    question: Question
    due_s: float
    ended_s: float
    outcome: Outcome
    broken: int  # gateways that broke the connection before

    @property
    def latency_ms(self) -> float:
        """From when it was due."""
        return (self.ended_s - self.due_s) * 1e3


class Load:
    """Asks from a thread of its own; `asked` grows in the order of the answers."""

    def __init__(self, shop: Shop, *, gateways: Callable[[], Sequence[str]], dearer: str) -> None:
        """`gateways` gives the base URLs of those that run, again and again; `dearer` is the dearer version."""
        self.asked: list[Asked] = []
        self._shop = shop
        self._find = gateways
        self._dearer = dearer
        self._gateways: Sequence[str] = ()
        self._numbers = count()
        self._stopped = Event()

    @contextmanager
    def running(self) -> Iterator["Load"]:
        """Under load, for as long as the block lasts."""
        self._gateways = self._find()
        thread = Thread(target=lambda: asyncio.run(self._run()), name="load")
        thread.start()
        try:
            yield self
        finally:
            self._stopped.set()
            thread.join()

    def acknowledged(self) -> list[Question]:
        """The events that were taken."""
        return [one.question for one in self.asked if one.question.is_event and one.outcome.kind == ANSWERED]

    async def _run(self) -> None:
        limits = httpx.Limits(max_connections=None, keepalive_expiry=_IDLE_S)
        async with httpx.AsyncClient(limits=limits) as client, asyncio.TaskGroup() as tasks:
            looking = tasks.create_task(self._look())
            started_s = time.monotonic()
            for number in self._numbers:
                due_s = started_s + number / PER_S
                await asyncio.sleep(max(due_s - time.monotonic(), 0))
                if self._stopped.is_set():
                    break
                tasks.create_task(self._ask(client, number, due_s))
            looking.cancel()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            self._gateways = await asyncio.to_thread(self._find)

    async def _ask(self, client: httpx.AsyncClient, number: int, due_s: float) -> None:
        asked, broken, give_up_s = question(self._shop, number), 0, time.monotonic() + _PATIENCE_S
        while (outcome := await self._answer(client, asked, number + broken)) is None and time.monotonic() < give_up_s:
            broken += 1
            await asyncio.sleep(_AGAIN_S)
        self.asked.append(Asked(asked, due_s, time.monotonic(), outcome or Outcome("no gateway"), broken))

    async def _answer(self, client: httpx.AsyncClient, asked: Question, turn: int) -> Outcome | None:
        """What the gateway whose turn it is said; none if it broke the connection, or there is no gateway."""
        if not self._gateways:
            return None
        gateway = self._gateways[turn % len(self._gateways)]
        patience_s = _PATIENCE_FOR_EVENTS_S if asked.is_event else _PATIENCE_S
        try:
            answer = await client.request(asked.method, gateway + asked.path, json=asked.body, timeout=patience_s)
        except httpx.TimeoutException:
            return Outcome("no answer in time")
        except httpx.TransportError:
            return None
        return judge(asked, answer.status_code, answer.content, shop=self._shop, dearer=self._dearer)
