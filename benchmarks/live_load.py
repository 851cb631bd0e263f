"""A shop's clients on kept-alive connections: who asks, what happens, and events as fast as they are acknowledged."""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from benchmarks import serving_volume

SUBJECTS: Final = 200  # of each kind
SENDERS: Final = 4
BATCH: Final = 100
SECONDS: Final = 5.0  # of sending events
_BATCHES: Final = 1_000  # made beforehand; more than are sent

Json = dict[str, Any]


class Client:
    """One kept-alive connection."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = HTTPConnection(parts.hostname or "", parts.port, timeout=30)

    def post(self, path: str, body: bytes) -> tuple[float, Json]:
        """Milliseconds until the answer is here, and the answer. Raises: RuntimeError unless it is 200."""
        started = time.perf_counter()
        self._connection.request("POST", path, body, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        content = response.read()
        spent_ms = (time.perf_counter() - started) * 1e3
        if response.status != 200:
            raise RuntimeError(f"POST {path}: expected 200, found {response.status}: {content[:500]!r}")
        answer: Json = orjson.loads(content)
        return spent_ms, answer

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


def subject_of(kind: str, number: int) -> Json:
    """The nth user or session of a kind; no user is of two kinds."""
    if kind == "session":
        return {"session_id": f"session-{number}"}
    return {"user_id": serving_volume.user_id(number + (SUBJECTS if kind == "known" else 0))}


def batch_of(subjects: Sequence[Json], rng: random.Random, *, n_items: int) -> bytes:
    """One request with an event for each of the subjects, as shops see them: mostly views."""
    types = rng.choices(("view", "cart", "purchase"), (90, 7, 3), k=len(subjects))
    events = [
        subject
        | {"item_id": f"i{rng.randrange(n_items):08d}", "type": event_type, "event_id": f"{rng.getrandbits(128):x}"}
        for subject, event_type in zip(subjects, types, strict=True)
    ]
    return orjson.dumps({"events": events})


def percentile_99(values: Sequence[float]) -> float:
    """In the values' unit."""
    return statistics.quantiles(values, n=100)[98]


def events_under_load(url: str, ask: Callable[[int], bytes], *, n_items: int, n_users: int) -> str:
    """Events acknowledged a second while one more client gets answers, and what both take.

    Args:
        ask: the body of the nth question.
    """
    rng = random.Random(2)
    ready = [
        batch_of([_user(rng.randrange(n_users)) for _ in range(BATCH)], rng, n_items=n_items) for _ in range(_BATCHES)
    ]
    begun = time.perf_counter()
    with ThreadPoolExecutor(SENDERS + 1) as pool:
        asking = pool.submit(_ask, url, ask, until=begun + SECONDS)
        sending = [pool.submit(_send, url, ready, until=begun + SECONDS) for _ in range(SENDERS)]
        sent = [spent_ms for each in sending for spent_ms in each.result()]
        took_s = time.perf_counter() - begun
        answers = asking.result()
    return (
        f"durable events, batches of {BATCH}, {SENDERS} clients: {len(sent) * BATCH / took_s:,.0f}/s acknowledged; "
        f"a batch p50 {statistics.median(sent):.0f} ms, p99 {percentile_99(sent):.0f} ms\n"
        f"meanwhile {len(answers) / took_s:,.0f} answers/s on one connection: "
        f"p50 {statistics.median(answers):.2f} ms, p99 {percentile_99(answers):.2f} ms"
    )


def _send(url: str, ready: list[bytes], *, until: float) -> list[float]:
    """Send batches; milliseconds of each. Raises: RuntimeError where one is not taken whole."""
    client = Client(url)
    spent: list[float] = []
    while ready and time.perf_counter() < until:
        spent_ms, outcome = client.post("/v1/events", ready.pop())
        if outcome["accepted"] != BATCH or outcome["duplicates"]:
            raise RuntimeError(f"expected {BATCH} new events to be accepted, found {outcome}")
        spent.append(spent_ms)
    client.close()
    return spent


def _ask(url: str, ask: Callable[[int], bytes], *, until: float) -> list[float]:
    """Ask one question after the other; milliseconds of each."""
    client = Client(url)
    spent: list[float] = []
    while time.perf_counter() < until:
        spent_ms, _ = client.post("/v1/recommendations", ask(len(spent) % SUBJECTS))
        spent.append(spent_ms)
    client.close()
    return spent


def _user(number: int) -> Json:
    return {"user_id": serving_volume.user_id(number)}
