"""What live features cost: latency of answers with and without them, and durable events a second under that load.

    make benchmark-live-features      # or: .venv/bin/python -m benchmarks.live_features [--users 40000 --items 40000]

In one run, on the same cores, all of it real processes: the system with the embedded feature store, and the same system
without one. One client on one kept-alive connection to each asks in turns, so that whatever else the machine does
meets every kind of question alike. Then four clients send events in batches of 100 while a fifth asks. The events are
in a new file beside the volume, so the disk is the one that a shop would write to.
"""

import argparse
import random
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import orjson

from benchmarks import live_load, serving_volume
from benchmarks.live_load import SUBJECTS, Client, Json, batch_of, percentile_99, subject_of
from tools.local_stack import LocalStack, Ports

LIVE_EVENTS: Final = 20
ROUNDS: Final = 8
REQUESTS_A_ROUND: Final = 50  # of each kind
_CATEGORIES: Final = 500  # as serving_volume has them
_WARM: Final = 100

FILTER: Final[Json] = {"filter": {"categories": [f"category-{n}" for n in range(0, _CATEGORIES, 50)]}}
DIVERSITY: Final[Json] = {"diversity": {"mmr_lambda": 0.7, "max_per_category": 2}}
BLEND: Final[Json] = {"blend": {"personal": 1.0, "popularity": 0.3, "recency": 0.1}}
EXPLAIN: Final[Json] = {"explain": True}


@dataclass(frozen=True)
class Question:
    """A kind of question, and the answer that makes a measurement count."""

    name: str
    subject: str  # "known": a user without live events; "live": one with; "session"
    vector: str  # what the answer must say that it was found with
    extras: Json = field(default_factory=dict)
    has_store: bool = True

    def body(self, number: int) -> bytes:
        """Of the request for the nth subject."""
        return orjson.dumps(subject_of(self.subject, number) | {"count": 10} | self.extras)


PLAIN: Final = Question("known user, no feature store", "known", "trained", has_store=False)
STORE: Final = Question("known user, no live event", "known", "trained")
FOLDED: Final = Question(f"{LIVE_EVENTS} live events: fold-in", "live", "folded_in")
ALL: Final = Question("fold-in and all of these", "live", "folded_in", FILTER | DIVERSITY | BLEND | EXPLAIN)
SESSION: Final = Question(f"session with {LIVE_EVENTS} events", "session", "folded_in")
QUESTIONS: Final = (
    PLAIN,
    STORE,
    FOLDED,
    Question("fold-in and category filter", "live", "folded_in", FILTER),
    Question("fold-in, MMR and cap", "live", "folded_in", DIVERSITY),
    Question("fold-in and blend", "live", "folded_in", BLEND),
    Question("fold-in and explanation", "live", "folded_in", EXPLAIN),
    ALL,
    SESSION,
)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=40_000)
    parser.add_argument("--users", type=int, default=40_000)
    arguments = parser.parse_args()
    if arguments.users < 2 * SUBJECTS:
        sys.exit(f"--users: expected {2 * SUBJECTS} or more")
    print(f"making {arguments.items:,} items, {arguments.users:,} users", file=sys.stderr, flush=True)
    volume = serving_volume.volume_of(n_items=arguments.items, n_users=arguments.users)
    print(f"## {arguments.items:,} items, {arguments.users:,} users, d={serving_volume.DIM}\n")
    with (
        tempfile.TemporaryDirectory(dir=volume.parent) as folder,
        system(volume, Path(folder) / "live", store=f"sqlite://{folder}/features.db") as live,
    ):
        fill(live, n_items=arguments.items)
        with system(volume, Path(folder) / "plain", store="") as plain:
            print(latencies(live, plain))
        print(f"\n{next_answer(live, n_items=arguments.items)}", flush=True)
        ask = FOLDED.body
        print(f"\n{live_load.events_under_load(live, ask, n_items=arguments.items, n_users=arguments.users)}")


@contextmanager
def system(volume: Path, logs: Path, *, store: str) -> Iterator[str]:
    """The address of the real processes with their defaults; without `store` nothing is live."""
    urls = {f"{service}_FEATURE_STORE_URL": store for service in ("CANDIDATE_GEN", "RERANKER", "GATEWAY")}
    with LocalStack(volume, ports=Ports.free(), log_dir=logs, environment=urls) as stack:
        yield stack.gateway_url


def fill(url: str, *, n_items: int) -> None:
    """Give users and sessions their live events."""
    rng, client = random.Random(1), Client(url)
    for kind in ("live", "session"):
        for number in range(SUBJECTS):
            client.post("/v1/events", batch_of([subject_of(kind, number)] * LIVE_EVENTS, rng, n_items=n_items))
    client.close()


def latencies(live: str, plain: str) -> str:
    """Markdown: every kind of question, asked in turns by one client."""
    clients = {True: Client(live), False: Client(plain)}
    for number in range(_WARM):
        for question in QUESTIONS:
            clients[question.has_store].post("/v1/recommendations", question.body(number % SUBJECTS))
    spent: dict[str, list[float]] = {question.name: [] for question in QUESTIONS}
    for turn in range(ROUNDS):
        for question in QUESTIONS:
            for number in range(REQUESTS_A_ROUND):
                body = question.body((turn * REQUESTS_A_ROUND + number) % SUBJECTS)
                spent_ms, answer = clients[question.has_store].post("/v1/recommendations", body)
                check(question, answer)
                spent[question.name].append(spent_ms)
    for client in clients.values():
        client.close()
    return table(spent)


def check(question: Question, answer: Json) -> None:
    """Raises: RuntimeError unless a full list came, by the vector that was meant."""
    found = answer["vector"], answer["level"], len(answer["items"])
    if found != (question.vector, "full", 10):
        raise RuntimeError(f"{question.name}: expected {question.vector}, full, 10 items; found {found}")


def table(spent: dict[str, list[float]]) -> str:
    """Medians and tails, and what each kind costs over the one without live events."""
    middle = {name: statistics.median(each) for name, each in spent.items()}
    base = middle[STORE.name]
    lines = ["| one connection | p50 ms | p99 ms | p50 over no live event, ms | ratio |", "|---|---|---|---|---|"]
    for name, each in spent.items():
        over = middle[name] - base
        lines.append(
            f"| {name} | {middle[name]:.2f} | {percentile_99(each):.2f} | {over:+.2f} | {middle[name] / base:.2f} |"
        )
    costs = {
        "the feature store": middle[STORE.name] - middle[PLAIN.name],
        "fold-in": middle[FOLDED.name] - base,
        "fold-in and all features": middle[ALL.name] - base,
        "fold-in and all features, over fold-in alone": middle[ALL.name] - middle[FOLDED.name],
    }
    return "\n".join([*lines, "", *(f"{name} add(s) {cost:.2f} ms at the median" for name, cost in costs.items())])


def next_answer(url: str, *, n_items: int) -> str:
    """Known users do something for the first time and ask at once: do answers count it, and how long do both take."""
    client, rng, spent, counted = Client(url), random.Random(3), [], 0
    for number in range(SUBJECTS):
        subject = subject_of("known", number)
        event_ms, _ = client.post("/v1/events", batch_of([subject], rng, n_items=n_items))
        answer_ms, answer = client.post("/v1/recommendations", STORE.body(number))
        counted += answer["vector"] == "folded_in"
        spent.append(event_ms + answer_ms)
    client.close()
    return (
        f"an event, and then an answer: {counted} of {SUBJECTS} answers count it; both together "
        f"p50 {statistics.median(spent):.2f} ms, p99 {percentile_99(spent):.2f} ms"
    )


if __name__ == "__main__":
    main()
