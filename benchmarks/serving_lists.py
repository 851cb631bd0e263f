"""What the lists hold that a system gives under load: whether the living shop lives, and none is a fallback."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

import orjson

from benchmarks import serving_volume
from benchmarks.live_load import Client, Json
from benchmarks.serving_shops import PINNED, Shop

COUNT: Final = 10
PINNED_PLACE: Final = 2  # from 0


def shares(url: str, shop: Shop, *, lists: int) -> Mapping[str, float]:
    """The share of lists, for users drawn at random, of which each thing is true. Raises: RuntimeError (a fallback)."""
    client, rng, found = Client(url), random.Random(3), Counter[str]()
    for _ in range(lists):
        user = serving_volume.user_id(rng.randrange(shop.requests.users))
        _, answer = client.post("/v1/recommendations", orjson.dumps({"user_id": user, "count": COUNT}))
        if (answer["level"], len(answer["items"])) != ("full", COUNT):
            raise RuntimeError(f"{user}: expected a full list of {COUNT}, found {orjson.dumps(answer)!r}")
        found.update(_true_of(answer))
    client.close()
    return {name: count / lists for name, count in found.items()}


def described(found: Mapping[str, float]) -> str:
    """One line."""
    return ", ".join(f"{share:.0%} {name}" for name, share in sorted(found.items()))


def _true_of(answer: Json) -> Iterator[str]:
    yield f"vector {answer['vector']}"
    if answer["experiment"]:
        yield f"arm {answer['experiment']['arm']}"
    sources = {source for item in answer["items"] for source in item["sources"]}
    yield from (f"with an item of {source}" for source in sources)
    if answer["items"][PINNED_PLACE]["item_id"] == PINNED:
        yield "with the pinned item in its place"
