"""The demo on a shop like Online Retail: what the API took stays true when the events file grows and the demo restarts.

Runs `python -m tools.demo run`, as `make demo` does. The real file is read where it lies beside the project.
"""

import csv
import gzip
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

import httpx
import pytest
from waiting import PATIENT, WITHIN_S, until

from tools.local_stack import PYTHON, ROOT, Ports

REAL = ROOT.parent / "shared/data/online-retail/online_retail.csv.gz"
MAPPING = ROOT / "examples/online_retail.toml"
HEADER = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]
FIRST_DAY = datetime(2010, 12, 1, 8, 26)


def generated(path: Path) -> None:
    """A year of a small gift shop: 300 customers, each of one of four tastes, and 120 items."""
    rng = random.Random(7)
    rows = []
    for customer in range(300):
        taste = customer % 4
        for _ in range(rng.randint(5, 14)):
            item = taste * 30 + min(29, int(rng.expovariate(0.12))) if rng.random() < 0.85 else rng.randrange(120)
            rows.append((FIRST_DAY + timedelta(minutes=rng.randrange(370 * 24 * 60)), customer, item))
    write(path, [line(n, f"{2000 + item}A", f"{13000 + user}", at) for n, (at, user, item) in enumerate(sorted(rows))])


def line(number: int, item: str, customer: str, at: datetime) -> list[object]:
    """One invoice line."""
    return [
        536365 + number,
        item,
        f"GIFT {item}",
        1,
        f"{at:%Y-%m-%d %H:%M:%S}",
        2.55,
        f"{customer}.0",
        "United Kingdom",
    ]


def write(path: Path, rows: list[list[object]]) -> None:
    """The whole file anew."""
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(HEADER)
        out.writerows(rows)


@pytest.fixture(params=["generated", "real"])
def events(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The shop's file, at a place where a line can be appended."""
    path = tmp_path / "retail.csv"
    if request.param == "generated":
        generated(path)
    elif REAL.is_file():
        with gzip.open(REAL, "rt", newline="") as source:
            path.write_text("".join(few(source)))
    else:
        pytest.skip(f"{REAL} is not here")
    return path


def few(source: TextIO) -> Iterator[str]:
    """The header and the lines of every eighth customer: quickly trained, and whole histories."""
    yield next(source)
    for text in source:
        customer = text.split(",")[-2].removesuffix(".0")
        if customer.isdecimal() and int(customer) % 8 == 0:
            yield text


@contextmanager
def demo(events: Path, log: Path) -> Iterator[httpx.Client]:
    """`make demo EVENTS=… MAPPING=… FORCE=1` on free ports, ready, and stopped as by Ctrl-C."""
    ports = Ports.free()
    numbers = {f"{name.upper()}_PORT": str(port) for name, port in vars(ports).items()}
    command = [PYTHON, "-m", "tools.demo", "run", "--events", events, "--mapping", MAPPING, "--force"]
    with log.open("ab") as out:
        process = subprocess.Popen(
            [*command, "--root", events.parent / "demo"],
            cwd=ROOT,
            env=os.environ | numbers | PATIENT | {"GATEWAY_EXPLORATION": "0"},
            stdout=out,
            stderr=out,
        )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{ports.gateway}", timeout=WITHIN_S) as api:
                # it trains first: a training that never ends is ended with the test
                while "Ctrl-C stops" not in log.read_text():
                    assert process.poll() is None, log.read_text()
                    time.sleep(0.1)
                yield api
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(WITHIN_S)
            log.write_text("")


def get(api: httpx.Client, path: str, **params: str | int) -> dict[str, Any]:
    answer: dict[str, Any] = api.get(path, params=params).raise_for_status().json()
    return answer


def page(api: httpx.Client, **body: str | int) -> dict[str, Any]:
    answer: dict[str, Any] = api.post("/v1/recommendations", json=body).raise_for_status().json()
    return answer


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["item_id"] for item in answer["items"]]


def test_what_the_api_took_holds_when_the_file_grows_and_the_demo_restarts(events: Path, tmp_path: Path) -> None:
    log = tmp_path / "demo.log"
    with demo(events, log) as api:
        version = get(api, "/v1/model")["artifact_version"]
        erased, buyer, other = customers = [user["user_id"] for user in get(api, "/v1/users", page_size=3)["users"]]
        assert all(customer.isdecimal() for customer in customers)  # the file has 17850.0
        cursor = page(api, user_id=other, count=2, paginate=True)["next_cursor"]
        off_sale, sold = ids(get(api, f"/v1/users/{buyer}/recommendations", count=2))
        api.delete(f"/v1/users/{erased}").raise_for_status()
        api.patch(f"/v1/items/{off_sale}", json={"available": False}).raise_for_status()
        event = {"user_id": buyer, "item_id": sold, "type": "purchase", "value": 2.55}
        api.post("/v1/events", json=event).raise_for_status()
        until(lambda: get(api, f"/v1/users/{erased}/erasure")["lake_erased_at"])
        check(api, erased=erased, buyer=buyer, off_sale=off_sale, sold=sold)

    with events.open("a", newline="") as file:
        csv.writer(file).writerow(line(99_999, "NEW-ITEM", other, datetime(2011, 12, 9, 12, 50)))
    with demo(events, log) as api:
        assert get(api, "/v1/model")["artifact_version"] != version
        assert get(api, "/v1/items/NEW-ITEM")["title"] == "GIFT NEW-ITEM"
        check(api, erased=erased, buyer=buyer, off_sale=off_sale, sold=sold)
        assert ids(page(api, cursor=cursor, count=2))
    assert [one.name for one in (tmp_path / "demo/volumes").iterdir()] == ["retail"]
    assert len([one for one in (tmp_path / "demo/logs/retail").iterdir() if not one.is_symlink()]) == 2


def check(api: httpx.Client, *, erased: str, buyer: str, off_sale: str, sold: str) -> None:
    """The erased user is a stranger, the item is off sale, and the purchase is the buyer's."""
    assert get(api, f"/v1/users/{erased}/history")["items"] == []
    asked = api.post("/v1/recommendations", json={"user_id": erased, "count": 5, "preview": True}).json()
    assert asked["user_known"] is False
    assert get(api, f"/v1/items/{off_sale}")["available"] is False
    assert off_sale not in ids(get(api, f"/v1/users/{buyer}/recommendations", count=50))
    assert ids(get(api, f"/v1/users/{buyer}/history", count=5))[0] == sold
    assert sold not in ids(get(api, f"/v1/users/{buyer}/recommendations", count=50))
