"""Real processes killed and paused under load, seen through REST: no request fails, each answer says its level."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from tiny_artifact import checkerboard, publish
from waiting import PATIENT, WITHIN_S, until

from tools.local_stack import PYTHON, LocalStack, Ports

TIMEOUT_S: Final = 1.0  # the gateway's budget: one that hangs is waited for so long
ITEMS: Final = 12
OFF_SALE: Final = "item-11"  # the most popular one
OF_STAGES: Final = {
    "candidate_gen": {"popular_in_category", "static"},
    "reranker": {"without_rerank"},
    "both": {"popular_in_category", "static"},
}


class System(LocalStack):
    """The system, whose parts can be ended the hard way and started again."""

    def signal(self, service: str, number: signal.Signals) -> None:
        """To one of the processes."""
        self.processes[service].send_signal(number)

    def kill(self, service: str) -> None:
        """kill -9."""
        self.processes[service].kill()
        self.processes[service].wait()

    def start(self, service: str) -> None:
        """Once more, where it was."""
        self._start(service, PYTHON)


@dataclass(frozen=True)
class Answers:
    """What a load saw."""

    statuses: Counter[int]
    levels: Counter[str]
    item_ids: set[str]
    slowest_s: float


class Load:
    """Callers who ask for lists, one after the other each, until they are told to stop."""

    def __init__(self, url: str, *, callers: int = 4) -> None:
        self._url = url
        self._callers = callers
        self._stopped = False
        self.seen: list[tuple[int, str, float]] = []  # status, level, seconds
        self.item_ids: set[str] = set()

    @contextmanager
    def running(self) -> Iterator["Load"]:
        with ThreadPoolExecutor(self._callers) as pool:
            callers = [pool.submit(self._ask, number) for number in range(self._callers)]
            try:
                yield self
            finally:
                self._stopped = True
            for caller in callers:
                caller.result()

    def _ask(self, number: int) -> None:
        paths = [f"/v1/users/user-0{number}/recommendations", "/v1/items/popular", f"/v1/items/item-0{number}/similar"]
        with httpx.Client(base_url=self._url, timeout=WITHIN_S) as rest:
            while not self._stopped:
                for path in paths:
                    started_s = time.monotonic()
                    response = rest.get(path)
                    self._note(response, time.monotonic() - started_s)

    def _note(self, response: httpx.Response, seconds: float) -> None:
        answer: dict[str, Any] = response.json()
        self.seen.append((response.status_code, answer.get("level", str(answer)), seconds))
        self.item_ids.update(item["item_id"] for item in answer.get("items", []))

    def wait_until_all_are(self, levels: set[str]) -> None:
        """Until the latest 30 answers are of these levels."""
        until(
            lambda: Counter(level for _, level, _ in self.seen[-30:]),
            lambda latest: latest.total() == 30 and set(latest) <= levels,
        )

    def take(self) -> Answers:
        """What was seen since the last time."""
        seen, self.seen = self.seen, []
        return Answers(
            statuses=Counter(status for status, _, _ in seen),
            levels=Counter(level for _, level, _ in seen),
            item_ids=self.item_ids,
            slowest_s=max(seconds for _, _, seconds in seen),
        )


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """All three, with a list in the gateway already, and one item off sale."""
    publish(checkerboard(items=ITEMS), tmp_path / "volume")
    environment = PATIENT | {"GATEWAY_TIMEOUT_S": str(TIMEOUT_S)}
    with System(tmp_path / "volume", ports=Ports.free(), log_dir=tmp_path / "logs", environment=environment) as system:
        httpx.patch(f"{system.gateway_url}/v1/items/{OFF_SALE}", json={"available": False}).raise_for_status()
        yield system


def parts_of(part: str) -> list[str]:
    return ["candidate_gen", "reranker"] if part == "both" else [part]


@pytest.mark.parametrize("part", ["candidate_gen", "reranker", "both"])
def test_a_service_that_is_killed_and_comes_back_costs_no_answer(system: System, part: str) -> None:
    with Load(system.gateway_url).running() as load:
        load.wait_until_all_are({"full"})
        for service in parts_of(part):
            system.kill(service)
        load.wait_until_all_are(OF_STAGES[part])
        ready = httpx.get(f"{system.gateway_url}/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
        for service in parts_of(part):
            system.start(service)
        load.wait_until_all_are({"full"})
    answers = load.take()
    assert set(answers.statuses) == {200}
    assert set(answers.levels) <= {"full", "without_rerank", "popular_in_category", "static"}
    assert OFF_SALE not in answers.item_ids


@pytest.mark.parametrize("part", ["candidate_gen", "reranker"])
def test_a_service_that_hangs_is_answered_without_within_the_budget_and_soon_at_once(system: System, part: str) -> None:
    with Load(system.gateway_url).running() as load:
        load.wait_until_all_are({"full"})
        system.signal(part, signal.SIGSTOP)
        load.wait_until_all_are(OF_STAGES[part])
        load.take()
        load.wait_until_all_are(OF_STAGES[part])
        hung = load.take()
        system.signal(part, signal.SIGCONT)
        load.wait_until_all_are({"full"})
    assert set(hung.statuses) == set(load.take().statuses) == {200}
    assert hung.levels.total() >= 30


@pytest.mark.anyio
async def test_more_callers_than_may_be_in_flight_hear_200_or_429_and_then_all_is_well(tmp_path: Path) -> None:
    publish(checkerboard(items=ITEMS), tmp_path / "volume")
    with System(
        tmp_path / "volume",
        ports=(ports := Ports.free()),
        log_dir=tmp_path / "logs",
        environment=PATIENT | {"GATEWAY_MAX_IN_FLIGHT": "4"},
    ) as system:
        flood = await asyncio.gather(*(ask_often(ports.gateway, times=5) for _ in range(200)))
        with httpx.Client(base_url=system.gateway_url, timeout=WITHIN_S) as rest:
            after = [rest.get("/v1/users/user-01/recommendations") for _ in range(20)]
    heads = [head for heads in flood for head in heads]
    assert {head.split()[1] for head in heads} == {"200", "429"}
    assert all("retry-after: 1" in head for head in heads if head.split()[1] == "429")
    assert {(response.status_code, response.json()["level"]) for response in after} == {(200, "full")}


async def ask_often(port: int, *, times: int) -> list[str]:
    """The heads of the answers on one connection; a client library would be slower than the gateway is."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    heads = []
    for _ in range(times):
        writer.write(b"GET /v1/users/user-01/recommendations HTTP/1.1\r\nHost: gateway\r\n\r\n")
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        [length] = [line.partition(": ")[2] for line in head.split("\r\n") if line.startswith("content-length")]
        await reader.readexactly(int(length))
        heads.append(head)
    writer.close()
    await writer.wait_closed()
    return heads
