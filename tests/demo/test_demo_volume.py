"""Which volume a shop of the demo has, when its files count as changed, and what is refused with a sentence."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from recsys.feature_store.opening import open_store
from tools import demo, local_stack
from tools.demo_volume import RUNS_KEPT, Shop, files_of, shop_name
from tools.local_stack import ROOT, Ports, StackError, _last_problem, _settings, kept_key


@pytest.fixture
def events(tmp_path: Path) -> Path:
    file = tmp_path / "orders.csv.gz"
    file.write_text("user_id,item_id,event_type,timestamp\n")
    return file


def shop(events: Path, name: str = "orders") -> Shop:
    return Shop(name=name, data={"events": events}, root=events.parent / "demo")


@pytest.mark.parametrize(
    ("file", "name"), [("orders.csv.gz", "orders"), ("sales.2024.parquet", "sales.2024"), ("folder", "folder")]
)
def test_a_shop_is_called_like_its_file_or_folder(file: str, name: str) -> None:
    assert shop_name(Path("/data") / file, None) == name


def test_names_that_only_odd_characters_tell_apart_stay_apart_and_safe() -> None:
    names = [shop_name(Path(f"/data/{name}.csv"), None) for name in ("shop#1", "shop#2", "shop 1", "shop-1", "*", "ß%")]
    assert len(set(names)) == len(names)
    assert not any(set(name) & set("#% */") for name in names)


@pytest.mark.parametrize("name", ["", "..", ".", "a/b", "a b", "a#b", "-x", "x" * 101])
def test_a_given_name_that_is_no_folder_s_is_refused(name: str) -> None:
    with pytest.raises(StackError, match="SHOP="):
        shop_name(None, name)


def test_a_changed_file_has_the_same_volume_and_counts_as_changed_until_it_is_learnt(events: Path) -> None:
    ours = shop(events)
    ours.volume.mkdir(parents=True)
    assert ours.has_changed()
    ours.note_learnt(ours.files())
    assert not ours.has_changed()
    events.write_text(events.read_text() + "u,i,view,2025-01-01\n")
    assert ours.has_changed()
    assert shop(events).volume == ours.volume


def test_a_line_that_comes_while_the_shop_is_trained_is_learnt_the_next_time(
    events: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = shop(events)
    ours.volume.mkdir(parents=True)

    def trains(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        events.write_text(events.read_text() + "u,i,view,2025-01-01\n")
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(demo.subprocess, "run", trains)
    demo.train(ours, if_needed=True, force=False)
    assert ours.has_changed()


def test_another_mapping_counts_as_changed(events: Path) -> None:
    ours = shop(events)
    ours.volume.mkdir(parents=True)
    ours.note_learnt(ours.files())
    mapping = events.with_name("mapping.toml")
    mapping.touch()
    assert Shop(ours.name, ours.data | {"mapping": mapping}, ours.root).has_changed()


def test_two_files_of_one_name_do_not_share_a_volume_unless_it_is_named(events: Path, tmp_path: Path) -> None:
    ours = shop(events)
    ours.volume.mkdir(parents=True)
    ours.note_learnt(ours.files())
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / events.name
    other.touch()
    data = {"events": other}
    with pytest.raises(StackError, match=r"is the shop of .*orders\.csv\.gz, not of .*SHOP=another-name"):
        demo.shop_of(data, name=None, root=ours.root)
    assert demo.shop_of(data, name="orders", root=ours.root).volume == ours.volume


def test_a_volume_of_an_earlier_release_is_named_and_can_be_used(
    events: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = events.parent / "demo"
    (root / "volumes/orders.csv.gz-0123abcd").mkdir(parents=True)
    demo.shop_of({"events": events}, name=None, root=root)
    assert "SHOP=orders.csv.gz-0123abcd" in capsys.readouterr().out
    assert shop_name(events, "orders.csv.gz-0123abcd") == "orders.csv.gz-0123abcd"


def test_two_demos_on_one_volume_are_refused_and_a_killed_one_blocks_nobody(events: Path) -> None:
    code = (
        "import sys, pathlib; from tools.demo_volume import Shop\n"
        f"with Shop('orders', {{}}, pathlib.Path({str(events.parent / 'demo')!r})).locked():\n"
        "    print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(StackError, match="another `make demo` serves"), shop(events).locked():
            pass
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    with shop(events).locked():
        pass


def test_each_run_has_its_own_logs_and_the_newest_few_are_kept(events: Path) -> None:
    runs = [shop(events).new_log_dir() for _ in range(RUNS_KEPT + 2)]
    assert [run.exists() for run in runs] == [False, False] + [True] * RUNS_KEPT
    assert (runs[-1].parent / "latest").resolve() == runs[-1]


def test_a_pattern_in_a_folder_stands_for_its_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "events.csv").touch()
    assert files_of(tmp_path / "*" / "events.csv") == [tmp_path / "a/events.csv", tmp_path / "b/events.csv"]
    with pytest.raises(StackError, match="no such file"):
        files_of(tmp_path / "*.csv")


def test_a_mapping_without_events_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="MAPPING without EVENTS"):
        demo.shop_of({"mapping": tmp_path / "x"}, name=None, root=tmp_path)


def test_a_shop_may_start_with_a_catalogue_alone_or_with_nothing(tmp_path: Path) -> None:
    (tmp_path / "items.csv").touch()
    (tmp_path / "shop.toml").touch()
    catalogue = demo.shop_of({"catalogue": tmp_path / "items.csv"}, name=None, root=tmp_path)
    assert (catalogue.name, demo.options(catalogue)) == ("items", ["--catalogue", str(tmp_path / "items.csv")])
    nothing = demo.shop_of({}, name=None, root=tmp_path, starts_empty=True)
    assert (nothing.name, demo.options(nothing)) == ("my-shop", ["--empty"])
    weights = demo.shop_of({"mapping": tmp_path / "shop.toml"}, name="mine", root=tmp_path, starts_empty=True)
    assert demo.options(weights) == ["--mapping", str(tmp_path / "shop.toml"), "--empty"]


@pytest.mark.parametrize("goal", ["demo", "train"])
def test_a_misspelt_variable_of_make_demo_is_refused(goal: str) -> None:
    ran = subprocess.run(["make", "-n", goal, "EVNETS=x.csv"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "EVNETS: no such variable; expected EVENTS, MAPPING" in ran.stderr


@pytest.mark.parametrize("port", ["abc", "70000", "0", "-1", "9" * 5_000, "²"])
def test_a_port_that_is_none_is_a_sentence(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PORT", port)
    with pytest.raises(StackError, match="GATEWAY_PORT: expected a port from 1 to 65535"):
        Ports.from_environment()


def test_a_taken_port_and_one_given_twice_are_named_with_their_variable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StackError, match=rf"port {port} is in use; .*RERANKER_PORT="):
            Ports(candidate_gen=Ports.free().candidate_gen, reranker=port).check()
    free = Ports.free()
    twice = Ports(free.candidate_gen, free.reranker, free.gateway, free.candidate_gen)
    with pytest.raises(StackError, match="CANDIDATE_GEN_PORT and UI_PORT are both"):
        twice.check()


def test_an_internal_port_that_is_taken_is_another_one_unless_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "8010")
    for name in ("CANDIDATE_GEN_PORT", "RERANKER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(local_stack, "_is_free", lambda port: port != Ports.candidate_gen)
    ports = Ports.from_environment()
    assert (ports.reranker, ports.gateway) == (Ports.reranker, 8010)
    assert ports.candidate_gen not in (Ports.candidate_gen, Ports.reranker, 8010)
    monkeypatch.setenv("CANDIDATE_GEN_PORT", str(Ports.candidate_gen))
    with pytest.raises(StackError, match=r"port 50051 is in use; choose another: make demo CANDIDATE_GEN_PORT=50061"):
        Ports.from_environment().check()


def test_the_reason_of_a_process_is_its_last_error(tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    log.write_text('{"level": "info"}\n{"level": "error", "message": "no model"}\n{"level": "info"}\n')
    assert "no model" in _last_problem(log)


@pytest.mark.parametrize("name", ["shop#1", "50%20off", "with space", "what?"])
def test_the_store_of_a_volume_lies_in_that_volume_whatever_its_path(name: str, tmp_path: Path) -> None:
    volume = tmp_path / name
    volume.mkdir()
    asyncio.run(open_store(_settings(volume, Ports())["GATEWAY_FEATURE_STORE_URL"]).close())
    assert (volume / "features.db").exists()
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_the_key_of_the_cursors_is_made_once_and_nobody_else_s_to_read(tmp_path: Path) -> None:
    path = tmp_path / "cursor.key"
    key = kept_key(path)
    assert len(key) == 64
    assert (kept_key(path), path.stat().st_mode & 0o777) == (key, 0o600)
    path.write_text("")  # as by a process that was killed before it wrote
    assert kept_key(path) == kept_key(path) != key
