"""The whole system as local processes with their pages of metrics open, and a load that touches every part of it."""

import hashlib
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import checkerboard_shop as shop
import httpx
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from waiting import PATIENT, WITHIN_S, until

from recsys.artifact import layout
from tools.local_stack import LocalStack, Ports

SECRET: Final = "of the test"
JOBS: Final = ("gateway", "candidate_gen", "reranker", "event_sink", "ui")


@dataclass(frozen=True)
class Watched:
    """The running system, its REST API, and where the page of each process is."""

    stack: LocalStack
    rest: httpx.Client
    volume: Path
    keys: Path
    ports: dict[str, int]  # of the pages

    def page(self, process: str) -> dict[str, Metric]:
        """The families of ours on a process's page, by the names of their samples but for a histogram's ending."""
        text = httpx.get(f"http://127.0.0.1:{self.ports[process]}/metrics", timeout=WITHIN_S).text
        return families(text)

    def wait_for(self, process: str, metric: str, when: Callable[[Metric], bool] = lambda one: True) -> None:
        """Until the page has a sample of the metric and it is as wanted."""
        until(lambda: self.page(process).get(metric), lambda found: found is not None and when(found))


def families(text: str) -> dict[str, Metric]:
    """What a page says of ours, with a sample at least: name as in a query → family."""
    found = {}
    for family in text_string_to_metric_families(text):
        is_ours = family.name.startswith("recsys_") and not family.name.endswith("_created")
        if is_ours and family.samples:
            found[family.name + ("_total" if family.type == "counter" else "")] = family
    return found


def value_of(family: Metric) -> float:
    """The sum of its samples' values."""
    return sum(one.value for one in family.samples if not one.name.endswith(("_created", "_bucket", "_sum")))


@contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    """Trained, started and used by a few shoppers."""
    volume, events, keys = folder / "volume", folder / "events.csv", folder / "api-keys.yaml"
    shop.write_events(events)
    shop.train(volume, events)
    write_keys(keys)
    pages = dict(zip(JOBS, vars(Ports.free()).values(), strict=True))
    settings = {
        **PATIENT,  # what is told of a load on a busy machine calls nobody
        **{f"{process.upper()}_METRICS_PORT": str(port) for process, port in pages.items()},
        "GATEWAY_API_KEYS_FILE": str(keys),
        "EVENT_SINK_INTERVAL_S": "0.2",
        "CANDIDATE_GEN_RECALL_EVERY_S": "0.1",
        "UI_API_KEY": SECRET,
    }
    stack = LocalStack(
        volume,
        ports=Ports.free(),
        with_ui=True,
        jobs={"event_sink": []},
        log_dir=folder / "logs",
        environment=settings,
    )
    headers = {"Authorization": f"Bearer {SECRET}"}
    with stack, httpx.Client(base_url=stack.gateway_url, headers=headers, timeout=WITHIN_S) as rest:
        system = Watched(stack, rest, volume, keys, pages)
        use(system)
        yield system


def write_keys(path: Path) -> None:
    """One key that may do everything."""
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    path.write_text(f"keys:\n  - {{name: test, sha256: {digest}, scopes: [read, events, admin]}}\n")


def use(system: Watched, *, rounds: int = 3) -> None:
    """Shoppers who look, buy, come back, sign in and are forgotten; some of what they send is wrong or sent twice."""
    rest = system.rest
    for number in range(rounds):
        for user_id in shop.IDS[:12]:
            rest.get(f"/v1/users/{quote(user_id, safe='')}/recommendations").raise_for_status()
        rest.get(f"/v1/users/{quote(shop.IDS[0], safe='')}/history").raise_for_status()
        rest.get("/v1/items/popular").raise_for_status()
        rest.get("/v1/items/7/similar").raise_for_status()
        rest.get("/v1/items/nothing")
        rest.get("/v1/users/nobody/history").raise_for_status()
        stranger, session = f"new-{number}", f"session-{number}"
        event = {"user_id": stranger, "item_id": "7", "type": "view", "event_id": uuid.uuid4().hex}
        for body in (event, event, event | {"type": "purchase", "event_id": uuid.uuid4().hex}):
            rest.post("/v1/events", json=body).raise_for_status()
        rest.post("/v1/events", json=event | {"type": "hover"})
        rest.post("/v1/events", json={"session_id": session, "item_id": "007", "type": "view"}).raise_for_status()
        rest.post(f"/v1/users/{stranger}/sessions", json={"session_id": session}).raise_for_status()
        rest.get(f"/v1/users/{stranger}/recommendations").raise_for_status()
        rest.delete(f"/v1/users/{stranger}").raise_for_status()
        rest.get("/v1/nowhere")
    for process in ("candidate_gen", "event_sink"):
        system.wait_for(process, _LAST_OF[process], lambda family: value_of(family) > 0)


_LAST_OF: Final = {"candidate_gen": "recsys_ann_sampled_neighbours_total", "event_sink": "recsys_shown_items"}


def name_no_version(system: Watched) -> None:
    """What a broken deployment of models does: both services refuse it, and answer on."""
    (system.volume / layout.CURRENT).write_text("of-nobody\n")


def break_keys(system: Watched) -> None:
    """What an editor's slip does."""
    system.keys.write_text("keys: [\n")
