"""An experiment through the real processes: guests see lists, sign in and buy; the sink sums; the report shows it."""

from pathlib import Path
from typing import Any, Final

import checkerboard_shop as shop
import httpx
from waiting import PATIENT, until

from tools.local_stack import LocalStack, Ports

GUESTS: Final = 40
FILE: Final = """
experiments:
  - name: halves
    arms:
      - {name: quiet, share: 0.5}
      - {name: buying, share: 0.5}
    metrics:
      - {name: clicks, measure: clicked}
      - {name: orders, measure: converted}
      - {name: net, measure: money}
"""


def test_whoever_buys_in_one_arm_only_is_reported_in_that_arm_only(tmp_path: Path) -> None:
    shop.write_events(tmp_path / "events.csv")
    shop.train(tmp_path / "volume", tmp_path / "events.csv")
    (tmp_path / "experiments.yaml").write_text(FILE)
    settings = PATIENT | {
        "GATEWAY_EXPERIMENTS_FILE": str(tmp_path / "experiments.yaml"),
        "EVENT_SINK_INTERVAL_S": "0.5",
    }
    stack = LocalStack(
        tmp_path / "volume",
        ports=Ports.free(),
        jobs={"event_sink": []},
        log_dir=tmp_path / "logs",
        environment=settings,
    )
    with stack, httpx.Client(base_url=stack.gateway_url, timeout=30) as rest:
        arms = [everything_that_one_does(rest, number) for number in range(GUESTS)]
        buying = arms.count("buying")
        assert 0 < buying < GUESTS
        built = report_when(rest, exposures=2 * GUESTS, net=buying * 7.5)

    of_arm = {arm["name"]: arm for arm in built["results"]}
    assert {name: (arm["units"], arm["mixed_units"]) for name, arm in of_arm.items()} == {
        "quiet": (GUESTS - buying, 0),
        "buying": (buying, 0),
    }
    metrics = {name: arm["metrics"] for name, arm in of_arm.items()}
    assert [metrics["quiet"][name]["outcomes"] for name in ("clicks", "orders", "net")] == [0, 0, 0]
    assert [metrics["buying"][name]["outcomes"] for name in ("clicks", "orders", "net")] == [buying] * 3
    assert metrics["buying"]["net"]["total"] == buying * 7.5
    assert built["as_of"] is not None
    assert built["age_s"] >= 0


def everything_that_one_does(rest: httpx.Client, number: int) -> str:
    """A guest sees a list, signs in, sees another one, and in one arm buys of it and returns a half."""
    session, user = f"guest-{number}", f"new-{number}"
    before = ask(rest, session_id=session)
    post(rest, f"/v1/users/{user}/sessions", session_id=session)
    after = ask(rest, user_id=user)
    arm = str(before["experiment"]["arm"])
    assert after["experiment"]["arm"] == arm
    if arm == "buying":
        item = after["items"][0]["item_id"]
        post(rest, "/v1/events", user_id=user, item_id=item, type="purchase", value=15.0, list_id=after["list_id"])
        post(rest, "/v1/events", user_id=user, item_id=item, type="remove", value=7.5, list_id=after["list_id"])
    return arm


def ask(rest: httpx.Client, **who: str) -> dict[str, Any]:
    answer: dict[str, Any] = post(rest, "/v1/recommendations", count=3, **who)
    assert answer["items"]
    return answer


def post(rest: httpx.Client, path: str, **body: object) -> dict[str, Any]:
    answer: dict[str, Any] = rest.post(path, json=body).raise_for_status().json()
    return answer


def report_when(rest: httpx.Client, *, exposures: int, net: float) -> dict[str, Any]:
    """The report, asked for again and again until it has all that happened, in whatever arm."""

    def has_all(built: dict[str, Any]) -> bool:
        shown = sum(arm["exposures"] for arm in built["results"])
        money = sum(arm["metrics"]["net"]["total"] for arm in built["results"])
        return (shown, money) == (exposures, net)

    return until(lambda: rest.get("/v1/experiments/halves").raise_for_status().json(), has_all)
