"""What each part of a request takes: the figures of docs/adr/0011-where-the-time-goes.md.

    make benchmark-serving-profile    # or: .venv/bin/python -m benchmarks.serving_profile [--items 1000000]

All in one process, as the processor time of its thread: FAISS alone (as the baseline uses it), candidate_gen and the
reranker as their servers call them, from bytes to bytes, and the gateway's application without them. For the living
shop and the plain one, for users drawn at random, so that caches are as cold as requests find them.
"""

import argparse
import gc
import os
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, redirect_stderr
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any, Final
from unittest.mock import patch

import numpy as np
import uvloop
from fastapi import FastAPI

from benchmarks import serving_shops, serving_volume
from benchmarks.load import machine
from benchmarks.one_process_service import CANDIDATES
from benchmarks.our_code_in_one_process import NO_CONTEXT, Call, Method, in_process
from benchmarks.serving_shops import Shop
from gateway.app import create_app
from gateway.http.access import guard
from gateway.http.metrics import GatewayMetrics
from gateway.lists.popular_list import popular_list
from gateway.settings import Settings
from gateway.shop.live_shop import go_live
from recsys.observability import logging
from tools.local_stack import LocalStack, Ports

_REQUESTS: Final = 3_000
_WARMING: Final = 300


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1_000_000)
    n_items = parser.parse_args().items
    print(f"{machine()}; {n_items:,} items; µs of processor time a request\n")
    print("| shop | stage | p50 | mean | p50 ÷ FAISS alone |\n|---|---|---|---|---|")
    for make in (serving_shops.living, serving_shops.plain):
        shop = make(n_items=n_items, n_users=n_items)
        spent = uvloop.run(profile(shop))
        alone = median(spent["FAISS alone"])
        for stage, took_s in spent.items():
            middle = median(took_s)
            print(
                f"| {shop.name} | {stage} | {middle * 1e6:.0f} | {fmean(took_s) * 1e6:.0f} | {middle / alone:.2f} |",
                flush=True,
            )


async def profile(shop: Shop) -> dict[str, list[float]]:
    """Seconds of each stage, in each of the requests."""
    rng, alone = random.Random(0), FaissAlone(shop)
    spent: dict[str, list[float]] = defaultdict(list)
    stages: dict[str, float] = defaultdict(float)  # of one request
    async with application(shop, stages) as app:
        gc.freeze()  # as the processes do
        for number in range(_WARMING + _REQUESTS):
            if number == _WARMING:
                spent.clear()
            spent["FAISS alone"].append(alone.search(rng))
            request = shop.requests.draw(rng)
            stages.clear()
            started = time.thread_time()
            await ask(app, *request)
            all_s = time.thread_time() - started
            for stage, took_s in stages.items():
                spent[stage].append(took_s)
            spent["gateway"].append(all_s - sum(stages.values()))
            spent["all three"].append(all_s)
    return spent


class FaissAlone:
    """The search of the baseline, for users of the model."""

    def __init__(self, shop: Shop) -> None:
        artifact = serving_volume.live_artifact(shop.volume)
        self._users = np.asarray(artifact.user_embeddings)
        self._index = serving_volume.mapped_index(artifact)

    def search(self, rng: random.Random) -> float:
        """Seconds that it took."""
        vector = self._users[rng.randrange(len(self._users)), None]
        started = time.thread_time()
        self._index.search(vector, CANDIDATES)
        return time.thread_time() - started


@asynccontextmanager
async def application(shop: Shop, stages: dict[str, float]) -> AsyncIterator[FastAPI]:
    """The gateway's application, with both services behind it; they add to `stages` what they spend."""
    with tempfile.TemporaryDirectory(dir=shop.volume.parent) as name, Path(name, "log").open("w") as log:
        folder = Path(name)
        of_shop = shop.settings_in(folder)
        stack = LocalStack(shop.volume, ports=Ports.free(), log_dir=folder, environment=of_shop)
        with patch.dict(os.environ, stack.environment), redirect_stderr(log):
            logging.configure(service="profile", level="INFO")
            settings = Settings()
            async with (
                in_process(settings, called=partial(timed, stages=stages)) as clients,
                go_live(settings) as live,
                guard(settings) as access,
                popular_list(clients, file=None) as popular,
            ):
                if live.store is not None:  # its loop gets no turn here, and who is in no experiment costs less
                    await live.experiments.refresh(live.store)
                yield create_app(settings, clients, live, guard=access, metrics=GatewayMetrics(), popular=popular)


def timed(method: Method, *, stages: dict[str, float]) -> Call:
    """A servicer's method as the server runs it: what it takes from the request's bytes to the answer's is its own."""
    stage = method.__module__.partition(".")[0]

    async def call(request: Any, *, timeout_s: float) -> Any:
        content = request.SerializeToString()
        started = time.thread_time()
        answer = method(type(request).FromString(content), NO_CONTEXT)
        content = answer.SerializeToString()
        stages[stage] += time.thread_time() - started
        return type(answer).FromString(content)

    return call


async def ask(app: FastAPI, method: str, target: str, body: str) -> None:
    """One request, as a server hands it to the application. Raises: RuntimeError, unless it is answered with 200."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "root_path": "",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    statuses = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body.encode(), "more_body": False}

    async def send(message: Any) -> None:
        statuses.append(message.get("status", 200))

    await app(scope, receive, send)
    if set(statuses) != {200}:
        raise RuntimeError(f"{method} {target}: expected 200, found {statuses}")


if __name__ == "__main__":
    main()
