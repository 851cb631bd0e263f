"""The doctor: of each fault it says what was found, and what mends it."""

from pathlib import Path

import httpx
import pytest
import tiny_artifact

from recsys.artifact import layout
from recsys.lake import COMMITTED, lake_dir
from recsys_cli.doctor import environment, gateway, lake, machine, store, volume
from recsys_cli.doctor.finding import Finding


def wrong(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(each.check, each.found) for each in findings if each.level == "wrong"]


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    tiny_artifact.publish(tiny_artifact.checkerboard(), tmp_path)
    return tmp_path


def test_a_variable_that_nothing_reads_is_named_with_the_one_that_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    found = list(environment.look({"RECSYS_ULR": "x", "TRAINER_KEEP_VERSION": "5", "RECSYS_URL": "x", "PATH": ""}))
    assert [(each.level, each.found, each.mend) for each in found] == [
        ("warning", "nothing reads RECSYS_ULR", "is RECSYS_URL meant?"),
        ("warning", "nothing reads TRAINER_KEEP_VERSION", "is TRAINER_KEEP_VERSIONS meant?"),
        ("good", "variables of RECSYS_… and TRAINER_… that are set: 1", ""),
    ]
    monkeypatch.setenv("TRAINER_KEEP_VERSIONS", "none")
    [finding] = environment.look({})
    assert finding.level == "wrong"
    assert finding.found.startswith("TRAINER_KEEP_VERSIONS: ")


def test_a_sound_volume_has_nothing_to_mend(sound: Path) -> None:
    assert not wrong(list(volume.look(sound)))


def test_a_volume_that_is_not_there_is_named(tmp_path: Path) -> None:
    [finding] = volume.look(tmp_path / "nowhere")
    assert (finding.level, finding.found) == ("wrong", f"{tmp_path}/nowhere is no folder")
    assert "TRAINER_ARTIFACT_DIR" in finding.mend


def test_a_volume_without_a_version_asks_for_a_training(tmp_path: Path) -> None:
    *_, finding = volume.look(tmp_path)
    assert (finding.check, finding.level, finding.mend) == ("live version", "wrong", "recsys train")


def test_a_damaged_file_of_the_live_version_is_named_and_another_version_offered(sound: Path) -> None:
    first = str(layout.current_version(sound))
    live = tiny_artifact.publish(tiny_artifact.checkerboard(), sound, version="v2")
    path = layout.version_dir(sound, str(layout.current_version(sound))) / layout.POPULARITY
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")

    [(check, found)] = wrong(list(volume.look(sound)))

    assert check == "live version"
    assert layout.POPULARITY in found
    [mend] = [each.mend for each in volume.look(sound) if each.level == "wrong"]
    assert mend == f"recsys activate {first}"
    assert live


def test_a_live_version_that_is_gone_is_named_and_the_rest_of_the_volume_looked_at(tmp_path: Path) -> None:
    (tmp_path / layout.CURRENT).write_text("gone\n")
    found = list(volume.look(tmp_path))
    assert [check for check, _ in wrong(found)] == ["live version"]
    assert [each.check for each in found][-1] == "room"
    assert list(machine.look(tmp_path))


def test_a_lake_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = lake_dir(tmp_path)
    folder.mkdir()
    (folder / COMMITTED).write_text("no JSON")
    [(check, found)] = wrong(list(lake.look(tmp_path)))
    assert check == "lake"
    assert str(folder / COMMITTED) in found


def test_a_store_that_nobody_runs_is_named(tmp_path: Path) -> None:
    [finding] = store.look("valkey://user:secret@127.0.0.1:1/0")
    assert (finding.check, finding.level) == ("feature store", "wrong")
    assert "127.0.0.1:1" in finding.found
    assert "secret" not in finding.found
    [finding] = store.look("valkey+cluster://127.0.0.1:1")
    assert (finding.level, "127.0.0.1:1" in finding.found) == ("wrong", True)
    [finding] = store.look(f"sqlite://{tmp_path}/features.db")
    assert finding.found == f"{tmp_path}/features.db is not there"


def test_a_damaged_embedded_store_is_found(tmp_path: Path) -> None:
    (tmp_path / "features.db").write_bytes(b"no database" * 1000)
    assert wrong(list(store.look(f"sqlite://{tmp_path}/features.db")))


def test_a_gateway_that_is_not_there_is_named_with_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_URL", "http://127.0.0.1:1")
    [finding] = gateway.look(None)
    assert finding.found.startswith("http://127.0.0.1:1: ")
    assert "RECSYS_URL" in finding.mend


def test_a_gateway_that_is_ready_and_does_not_answer_for_the_model_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def get(_: httpx.Client, path: str) -> httpx.Response:
        if path == "/v1/model":
            raise httpx.ReadTimeout("timed out")
        return httpx.Response(200, json={"status": "ready"}, headers={"X-Request-ID": "1"})

    monkeypatch.setattr(httpx.Client, "get", get)
    [(check, found)] = wrong(list(gateway.look(None)))
    assert (check, found.endswith(": timed out")) == ("gateway", True)
