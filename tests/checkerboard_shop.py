"""The checkerboard as a shop's file: even users buy even items, odd users odd ones, so every right answer is known.

User n and item n have the same id, the odder the better. User n buys every item of their own colour but item n: that
one is what a model must recommend. Half of the users bought it too and took it back, which must make no difference.
Between the good rows stand bad ones.
"""

import csv
import io
import json
import os
import random
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tools.local_stack import PYTHON

ODD_IDS = (
    "007",
    "7",
    "7.0",
    " 7 ",
    "a/b",
    "/",
    "a%2Fb",
    "?x=1#y",
    "\u00e4",  # one character
    "a\u0308",  # two that look the same
    "日本語",
    "🛒",
    'say "hi", you',
    "a+b",
    "line\nbreak",
    "null",
)
IDS = [f"{odd}{ending}" for ending in ("", "/2", " 3") for odd in ODD_IDS]
FIRST_DAY = datetime(2025, 1, 1, 12, tzinfo=UTC)
BAD_ROWS = {
    "missing user_id": ("", "7", "purchase", "2025-01-01T00:00:00Z"),
    "missing item_id": ("7", "", "purchase", "2025-01-01T00:00:00Z"),
    "unknown event type": ("7", "007", "hover", "2025-01-01T00:00:00Z"),
    "unreadable timestamp": ("7", "007", "purchase", "yesterday"),
}


@dataclass(frozen=True)
class Purchase:
    """One row of the file, by the numbers of user and item."""

    user: int
    item: int
    at: datetime


def colour(item_id: str) -> int:
    """0 for an even item, 1 for an odd one."""
    return IDS.index(item_id) % 2


def purchases() -> list[Purchase]:
    """Over 120 days, in a seeded order; nobody has the item of their own number."""
    pairs = [(user, item) for user in range(len(IDS)) for item in range(user % 2, len(IDS), 2) if item != user]
    random.Random(0).shuffle(pairs)
    return [
        Purchase(user, item, FIRST_DAY + n * timedelta(days=120) / len(pairs)) for n, (user, item) in enumerate(pairs)
    ]


def taken_back() -> list[Purchase]:
    """What half of the users bought and took back an hour later: the item of their own number."""
    return [Purchase(n, n, FIRST_DAY + n * timedelta(days=2)) for n in range(len(IDS)) if n % 4 < 2]


def write_events(path: Path) -> dict[int, str]:
    """Write the file; returns the line in which each bad row starts, with the reason to reject it."""
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(("user_id", "item_id", "event_type", "timestamp"))
    bad, expected = list(BAD_ROWS.items()), {}
    for number, purchase in enumerate(purchases()):
        if bad and number % 200 == 100:
            reason, row = bad.pop()
            expected[text.getvalue().count("\n") + 1] = reason
            rows.writerow(row)
        rows.writerow(_row(purchase, "purchase", purchase.at))
    for purchase in taken_back():
        rows.writerow(_row(purchase, "remove", purchase.at + timedelta(hours=1)))  # the file need not be in order
        rows.writerow(_row(purchase, "purchase", purchase.at))
    path.write_bytes(text.getvalue().encode())
    return expected


def train(volume: Path, events: Path, *, seed: int = 0) -> str:
    """Run the trainer's command line as a process, with as many dimensions as there are colours.

    Returns the version that is live then.
    """
    recipe = events.with_name("recipe.json")
    recipe.write_text(json.dumps({"model": "als", "settings": {"dim": 2}}))
    options = ["--events", str(events), "--artifact-dir", str(volume), "--recipe", str(recipe)]
    environment = os.environ | {"TRAINER_SEED": str(seed), "TRAINER_THREADS": "1"}
    subprocess.run([PYTHON, "-m", "trainer", "train", *options], check=True, env=environment)
    return (volume / "CURRENT").read_text().strip()


def _row(purchase: Purchase, event_type: str, at: datetime) -> tuple[str, str, str, str]:
    return IDS[purchase.user], IDS[purchase.item], event_type, at.isoformat()
