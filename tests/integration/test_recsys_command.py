"""The command `recsys` against a running system: what it asks, tells, backs up and brings back."""

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import tiny_artifact
from waiting import PATIENT, until

from tools.local_stack import PYTHON, LocalStack, Ports

SHOP: Final = tiny_artifact.with_baskets(tiny_artifact.checkerboard(), {0: {5: 2.0, 8: 1.0}})
SETTINGS: Final = PATIENT | {"GATEWAY_EXPLORATION": "0", "EVENT_SINK_INTERVAL_S": "0.1"}
EXPERIMENTS: Final = """
experiments:
  - name: breadth
    arms:
      - {name: control, share: 0}
      - {name: wide, share: 0, diversity: {max_per_category: 1}}
"""


class System:
    """A small shop as local processes, with a sink, and the command beside it."""

    def __init__(self, folder: Path, ports: Ports, logs: Path) -> None:
        self.volume = folder / "volume"
        self.experiments = folder / "experiments.yaml"
        self.experiments.write_text(EXPERIMENTS)
        settings = SETTINGS | {"GATEWAY_EXPERIMENTS_FILE": str(self.experiments)}
        self.stack = LocalStack(self.volume, ports=ports, jobs={"event_sink": []}, log_dir=logs, environment=settings)

    def run(self, *arguments: str, status: int = 0) -> str:
        """What the command prints."""
        ended = self._ended(*arguments)
        assert ended.returncode == status, f"{arguments}: {ended.stdout}{ended.stderr}"
        return ended.stdout

    def json(self, *arguments: str, status: int = 0) -> Any:
        """The same, with --json, read."""
        return json.loads(self.run(*arguments, "--json", status=status))

    def soon(self, *arguments: str) -> Any:
        """The answer of a command that may find nothing yet."""
        return json.loads(until(lambda: self._ended(*arguments, "--json"), lambda ended: ended.returncode == 0).stdout)

    def _ended(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = self.stack.environment | {"RECSYS_URL": self.stack.gateway_url}
        command = [PYTHON, "-m", "recsys_cli", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder: Path = tmp_path_factory.mktemp("command")
    tiny_artifact.publish(SHOP, folder / "volume")
    system = System(folder, Ports.free(), folder / "logs")
    with system.stack:
        yield system


def views(name: str, *item_ids: str) -> list[dict[str, Any]]:
    return [
        {"event_id": f"{name}-{item_id}", "session_id": name, "item_id": item_id, "type": "view"}
        for item_id in item_ids
    ]


def items_of(answer: Any) -> list[tuple[str, float]]:
    return [(item["item_id"], item["score"]) for item in answer["items"]]


def test_lists_are_those_of_the_api(system: System) -> None:
    user = SHOP.user_ids[0]
    listed = system.json("recommend", user, "--count", "3")
    asked = httpx.get(f"{system.stack.gateway_url}/v1/users/{user}/recommendations?count=3&preview=true").json()
    assert items_of(listed) == items_of(asked)
    similar = system.json("similar", SHOP.item_ids[0])
    assert items_of(similar) == items_of(
        httpx.get(f"{system.stack.gateway_url}/v1/items/{SHOP.item_ids[0]}/similar").json()
    )
    assert SHOP.item_ids[0] not in [item_id for item_id, _ in items_of(similar)]
    together = system.json("similar", SHOP.item_ids[0], "--bought-together")
    assert [item_id for item_id, _ in items_of(together)][:2] == [SHOP.item_ids[5], SHOP.item_ids[8]]
    assert ["bought_together" in item["sources"] for item in together["items"]] == [True] * 2 + [False] * 8


def test_what_is_not_there_is_status_4(system: System) -> None:
    system.run("similar", "nothing like it", status=4)
    system.run("why", "0123456789abcdef", status=4)


def test_why_tells_of_an_answer_of_the_past_what_was_shown_by_which_sources_and_what_came_of_it(
    system: System, tmp_path: Path
) -> None:
    listed = system.json("recommend", "--session", "asker", "--count", "4", "--count-as-shown")
    clicked = listed["items"][1]
    told = system.soon("why", listed["list_id"])
    assert told["session_id"] == "asker"
    assert (told["artifact_version"], told["level"], told["arm"]) == (listed["artifact_version"], "full", None)
    shown = [(item["item_id"], item["sources"], item["propensity"]) for item in listed["items"]]
    assert [(item["item_id"], item["sources"], item["propensity"]) for item in told["items"]] == shown

    events = tmp_path / "click.jsonl"
    event = {"session_id": "asker", "item_id": clicked["item_id"], "type": "view", "list_id": listed["list_id"]}
    events.write_text(json.dumps(event | {"value": 2.5}))
    system.run("events", "import", str(events))

    came = until(lambda: system.json("why", listed["list_id"])["items"][1]["events"])
    assert [(one["event_type"], one["value"]) for one in came] == [("view", 2.5)]


def test_events_that_are_imported_twice_count_once_and_bad_ones_are_told(system: System, tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text("session_id,item_id,type,value\nimporter,1,view,\nimporter,2,purchase,2.5\nimporter,3,dance,\n")

    first = system.json("events", "import", str(path), status=1)
    again = system.json("events", "import", str(path), status=1)

    assert (first["accepted"], first["duplicates"]) == (2, 0)
    assert (again["accepted"], again["duplicates"]) == (2, 2)
    [rejected] = first["rejected"]
    assert rejected["index"] == 2
    assert "expected one of" in rejected["reason"]


def test_events_come_out_as_they_went_in(system: System, tmp_path: Path) -> None:
    given = tmp_path / "given.jsonl"
    given.write_text("\n".join(json.dumps(event) for event in views("exporter", "1", "2")))
    system.run("events", "import", str(given))

    system.run("events", "export", str(tmp_path / "all.jsonl"))

    exported = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    of_ours = [event for event in exported if event.get("session_id") == "exporter"]
    assert [{name: event[name] for name in ("event_id", "item_id", "type")} for event in of_ours] == [
        {"event_id": "exporter-1", "item_id": "1", "type": "view"},
        {"event_id": "exporter-2", "item_id": "2", "type": "view"},
    ]


def test_the_catalogue_goes_out_and_comes_in_again(system: System, tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    system.run("items", "export", str(path))
    lines = path.read_text().splitlines()
    assert len(lines) == 1 + len(SHOP.item_ids)

    assert system.json("items", "import", str(path)) == {"changed": len(SHOP.item_ids)}

    system.run("items", "export", str(tmp_path / "again.csv"))
    assert (tmp_path / "again.csv").read_text().splitlines() == lines


def test_a_user_is_erased(system: System) -> None:
    report = system.json("erase", "somebody", "--yes")
    assert report["lake_rows"] is None
    assert system.soon("erase", "somebody", "--report")["user_hash"] == report["user_hash"]


def test_an_experiment_is_started_shipped_and_an_edited_file_is_read_without_a_restart(system: System) -> None:
    system.run("experiments", "start", "breadth", "control=0.5", "wide=0.5")
    [listed] = system.json("experiments", "list")["experiments"]
    assert [(arm["name"], arm["share"]) for arm in listed["arms"]] == [("control", 0.5), ("wide", 0.5)]
    system.run("experiments", "ship", "breadth", status=1)  # nothing is decided
    assert "wide" in system.run("experiments", "report", "breadth")

    shipped = system.json("experiments", "ship", "breadth", "--arm", "wide")

    assert (shipped["state"], shipped["shipped_arm"]) == ("stopped", "wide")
    answer = system.json("recommend", "--session", "of nobody's experiment")
    categories = [item["category"] for item in answer["items"]]
    assert answer["experiment"] is None
    assert len(categories) == len(set(categories)) == 2

    system.experiments.write_text(EXPERIMENTS + "  - {name: later, arms: [{name: a, share: 0}, {name: b, share: 0}]}\n")
    until(lambda: system.json("experiments", "list")["experiments"], lambda found: len(found) == 2)
    system.json("experiments", "ship", "breadth", "--arm", "control")


def test_the_doctor_finds_nothing_wrong_with_a_running_system(system: System) -> None:
    findings = system.json("doctor")
    assert not [each for each in findings if each["level"] == "wrong"]
    assert {"volume", "live version", "lake", "feature store", "gateway", "versions", "clock"} <= {
        each["check"] for each in findings
    }


def test_a_backup_taken_under_traffic_brings_everything_back_after_all_volumes_are_lost(tmp_path: Path) -> None:
    tiny_artifact.publish(SHOP, tmp_path / "volume")
    users = SHOP.user_ids
    system = System(tmp_path, Ports.free(), tmp_path / "logs")
    with system.stack:
        url = f"{system.stack.gateway_url}/v1"
        for number in range(40):
            httpx.post(f"{url}/events", json={"events": views(f"early-{number}", "1", "3")}).raise_for_status()
        httpx.patch(f"{url}/items/{SHOP.item_ids[4]}", json={"available": False}).raise_for_status()
        on_sale = len(SHOP.item_ids) - 1
        popular = partial(httpx.get, f"{url}/items/popular", params={"count": on_sale})
        until(popular, lambda answer: len(answer.json()["items"]) == on_sale)  # the services have heard of it
        before = {user: items_of(system.json("recommend", user)) for user in users}
        before["early"] = items_of(system.json("recommend", "--session", "early-7"))
        stop = threading.Event()
        sent: list[str] = []

        def go_on() -> None:
            while not stop.is_set():
                name = f"late-{len(sent)}"
                httpx.post(f"{url}/events", json={"events": views(name, "2")}).raise_for_status()
                sent.append(name)

        traffic = threading.Thread(target=go_on)
        traffic.start()
        until(lambda: len(sent), lambda count: count >= 20)
        acknowledged = [f"early-{number}" for number in range(40)] + list(sent)
        taken = system.json("backup", str(tmp_path / "backup"))
        stop.set()
        traffic.join()
    assert taken["lake_sequence"] <= taken["position"]["stream"]

    shutil.rmtree(system.volume)
    restored = system.json("restore", str(tmp_path / "backup"))
    assert restored["live_version"] == "v1"

    system = System(tmp_path, Ports.free(), tmp_path / "logs-after")
    with system.stack:
        after = {user: items_of(system.json("recommend", user)) for user in users}
        after["early"] = items_of(system.json("recommend", "--session", "early-7"))
        assert after == before
        system.run("events", "export", str(tmp_path / "all.jsonl"))
        exported = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
        ids = [event["event_id"] for event in exported]
        assert len(ids) == len(set(ids))
        assert set(acknowledged) <= {event["session_id"] for event in exported}
        told = httpx.post(f"{system.stack.gateway_url}/v1/events", json={"events": views("early-3", "1", "3")}).json()
        assert (told["accepted"], told["duplicates"]) == (2, 2)
        system.run("restore", str(tmp_path / "backup"), "--overwrite", status=2)  # while the sink is at work
