"""What the lake says is added to the files: each event once, checked; items as the API changed them; nobody erased."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from lake_files import DAY_MS, MIDDAY_MS, event, item, write_lake
from two_tastes import two_tastes

from recsys.artifact import layout
from recsys.artifact.reader import open_artifact
from recsys.errors import DataError
from recsys.lake import COMMITTED, count_after
from trainer import pipeline
from trainer.choosing.recipe import ALSRecipe
from trainer.models.als import ALSSettings
from trainer.settings import Settings
from trainer.shop_data import event_files, interactions, lake
from trainer.shop_data.lake import LakeReport
from trainer.shop_data.mapping import ColumnMapping, Timestamp
from trainer.shop_data.shop import Shop

NOW = datetime(2026, 8, 1, tzinfo=UTC)
NOTHING = Shop(event_files.SCHEMA.to_frame(), two_tastes().catalogue.head(0), ColumnMapping().event_weights)


def added(folder: Path, shop: Shop = NOTHING) -> tuple[Shop, LakeReport]:
    return lake.add(shop, folder, mapping=ColumnMapping(), now=NOW)


def test_events_of_the_lake_lie_among_those_of_the_files_by_time(tmp_path: Path) -> None:
    write_lake(tmp_path, [event(1, day=-100, user_id="new", value=2.5)], [event(2, item_id="i777")])
    shop = two_tastes()
    now, report = added(tmp_path, shop)
    assert now.events.schema == event_files.SCHEMA
    assert now.events.height == shop.events.height + 2
    assert now.events["timestamp"].is_sorted()
    row = now.events.filter(pl.col("user_id") == "new").row(0, named=True)
    moment = datetime.fromtimestamp((MIDDAY_MS - 100 * DAY_MS) / 1000, UTC)
    assert (row["event_type"], row["timestamp"], row["quantity"], row["value"]) == ("purchase", moment, 1.0, 2.5)
    assert "i777" in now.catalogue["item_id"].to_list()
    assert (now.stream_sequence, report.sequence, report.rows.kept) == (2, 2, 2)


def test_pieces_of_the_lake_are_taken_back_as_those_of_files(tmp_path: Path) -> None:
    rows = [event(1, user_id="u", quantity=6), event(2, day=1, user_id="u", quantity=2, event_type="remove")]
    write_lake(tmp_path, rows)
    now, _ = added(tmp_path)
    kept, _ = interactions.without_taken_back(now.events)
    assert kept.select("quantity", "share").rows() == [(6.0, pytest.approx(4 / 6))]


def test_rows_are_rejected_for_the_same_reasons_as_those_of_files(tmp_path: Path) -> None:
    write_lake(
        tmp_path,
        [
            event(1),
            event(2, event_id="e1"),
            event(3, user_id=""),
            event(4, item_id=""),
            event(5, unix_ms=2**62),
            event(6, unix_ms=int((NOW + timedelta(days=2)).timestamp()) * 1000),
            event(7, event_type="wishlist"),
            event(8, value=float("inf")),
            event(9, event_type="remove"),
        ],
    )
    now, report = added(tmp_path)
    assert now.events.height == report.rows.kept == 2
    assert {one.reason: one.rows for one in report.rows.rejected} == {
        "repeated event_id, the first counts": 1,
        "missing user_id": 1,
        "missing item_id": 1,
        "unreadable timestamp": 1,
        "timestamp in the future": 1,
        "unknown event type": 1,
        "unreadable value": 1,
    }
    assert "lake: 9 rows read, 2 kept, 7 rejected" in report.render()


def test_an_event_id_counts_once_even_years_apart_in_different_parts(tmp_path: Path) -> None:
    write_lake(tmp_path, [event(1, event_id="same", day=-900)], [event(500, event_id="same")])
    now, _ = added(tmp_path)
    assert now.events["timestamp"].dt.year().to_list() == [2024]


def test_what_a_session_did_before_its_first_user_signed_in_is_that_users(tmp_path: Path) -> None:
    guest = [event(n, session_id="s", item_id=f"i{n}") for n in (1, 2)]
    write_lake(
        tmp_path,
        [*guest, event(4, user_id="anna", item_id="i4"), event(5, session_id="other")],
        merges=((3, "anna", "s"), (6, "ben", "s")),
    )
    now, report = added(tmp_path)
    assert now.events.select("user_id", "item_id").rows() == [("anna", "i1"), ("anna", "i2"), ("anna", "i4")]
    assert report.single_item_sessions == 1


def test_what_a_forgotten_session_did_afterwards_is_whose_it_became_then(tmp_path: Path) -> None:
    sequences = (1, 4, 5, 7, 8)
    write_lake(
        tmp_path,
        [event(n, session_id="shared", item_id=f"i{n}") for n in sequences],
        merges=((2, "anna", "shared"), (6, "ben", "shared")),
    )
    now, _ = added(tmp_path)
    users = ["anna", "ben", "ben", "session:shared", "session:shared"]
    assert now.events.select("user_id", "item_id").rows() == [
        (user, f"i{n}") for user, n in zip(users, sequences, strict=True)
    ]


def test_a_session_of_two_items_stands_for_a_user_and_one_of_a_single_item_is_left_out(tmp_path: Path) -> None:
    pairs = [("two", "a"), ("two", "b"), ("one", "a"), ("one", "a")]
    write_lake(tmp_path, [event(n, session_id=session, item_id=i) for n, (session, i) in enumerate(pairs, 1)])
    now, report = added(tmp_path)
    assert now.events.select("user_id", "item_id").rows() == [("session:two", "a"), ("session:two", "b")]
    assert report.single_item_sessions == 2


def test_erased_users_are_dropped_from_the_files_and_what_they_did_since_is_kept(tmp_path: Path) -> None:
    write_lake(tmp_path, [event(8, user_id="u002", item_id="i001")], erased=("u002", "stranger"))
    now, report = added(tmp_path, two_tastes())
    assert now.events.filter(pl.col("user_id") == "u002")["item_id"].to_list() == ["i001"]
    assert report.erased_users == 2


def test_what_the_api_says_of_items_is_laid_over_what_files_say(tmp_path: Path) -> None:
    write_lake(
        tmp_path,
        items=[
            item("i000", price=9.5, attributes__colour="red"),
            item("i001", is_whole=True, title="Put"),
            item("i002", title=None, available=False),
            item("i003", is_deleted=True),
            item("new", title="New", price=1),
        ],
    )
    now, _ = added(tmp_path, two_tastes())
    told = {row["item_id"]: row for row in now.catalogue.rows(named=True)}
    assert now.catalogue["item_id"].is_sorted()
    assert now.catalogue.columns == [*two_tastes().catalogue.columns, "attr:colour"]
    assert (told["i000"]["title"], told["i000"]["price"], told["i000"]["attr:colour"]) == ("Item 0", 9.5, "red")
    assert (told["i001"]["title"], told["i001"]["price"], told["i001"]["available"]) == ("Put", None, True)
    assert (told["i002"]["title"], told["i002"]["category"], told["i002"]["available"]) == (None, "even", False)
    assert (told["i003"]["title"], told["i003"]["available"]) == ("Item 3", False)
    assert (told["new"]["title"], told["new"]["price"], told["new"]["available"]) == ("New", 1.0, True)
    assert told["i004"]["attr:colour"] is None


def test_a_lake_that_nothing_was_committed_to_adds_nothing(tmp_path: Path) -> None:
    now, report = added(tmp_path, two_tastes())
    assert now.events.height == two_tastes().events.height
    assert (now.stream_sequence, report.rows.read) == (0, 0)


def test_only_what_is_committed_is_read(tmp_path: Path) -> None:
    committed = write_lake(tmp_path, [event(1)], [event(2)])
    first = dict(list(committed.parts.items())[:1])
    (tmp_path / COMMITTED).write_text(committed.model_copy(update={"parts": first}).model_dump_json())
    assert added(tmp_path)[0].events.height == 1


def test_a_part_with_other_rows_than_committed_is_an_error_that_names_it(tmp_path: Path) -> None:
    committed = write_lake(tmp_path, [event(1)])
    (tmp_path / COMMITTED).write_text(
        committed.model_copy(update={"parts": dict.fromkeys(committed.parts, 2)}).model_dump_json()
    )
    with pytest.raises(DataError, match=r"part-1-1\.0\.parquet: expected 2 rows, found 1"):
        added(tmp_path)


def test_a_committed_part_that_is_missing_is_an_error(tmp_path: Path) -> None:
    committed = write_lake(tmp_path, [event(1)])
    (tmp_path / next(iter(committed.parts))).unlink()
    with pytest.raises(DataError, match="expected the parts that COMMITTED names"):
        added(tmp_path)


def test_new_events_are_those_behind_a_place_of_the_stream(tmp_path: Path) -> None:
    assert count_after(tmp_path, "events", sequence=0) == 0
    write_lake(tmp_path, [event(1), event(2)], [event(7)])
    assert [count_after(tmp_path, "events", sequence=n) for n in (0, 2, 7)] == [3, 1, 0]


def test_counting_new_events_reads_nothing_of_the_parts_before_them(tmp_path: Path) -> None:
    write_lake(tmp_path, [event(1), event(2)], [event(7)])
    (tmp_path / "events/date=2026-07-01/part-1-2.0.parquet").write_text("no Parquet")
    assert count_after(tmp_path, "events", sequence=2) == 1


def test_the_next_model_after_an_erasure_does_not_know_the_user(tmp_path: Path) -> None:
    settings = Settings(artifact_dir=tmp_path)
    recipe = ALSRecipe(settings=ALSSettings(dim=2))
    folder = tmp_path / "lake"
    rows = [event(n, user_id=user, item_id=f"i{n:03}") for n, user in enumerate(["u002", "u002", "late", "late"], 1)]

    def trained(part: list[dict[str, object]], *erased: str) -> tuple[list[str], int]:
        write_lake(folder, part, erased=erased)
        shop, _ = added(folder, two_tastes())
        version = pipeline.train(replace(shop), settings=settings, recipe=recipe, force=True).version
        artifact = open_artifact(layout.version_dir(tmp_path, version))
        return [artifact.users.id_of(row) for row in range(len(artifact.users))], artifact.manifest.stream_sequence

    users, sequence = trained(rows)
    assert {"u002", "late"} <= set(users)
    assert sequence == 4
    users, sequence = trained([event(9, user_id="other")], "u002", "late")
    assert not {"u002", "late"} & set(users)
    assert sequence == 9


def test_an_event_of_the_api_far_before_all_the_rest_is_left_out_and_one_long_after_is_kept(tmp_path: Path) -> None:
    write_lake(tmp_path, [event(1, unix_ms=0), event(2, day=0)])
    now, report = added(tmp_path, two_tastes())
    assert now.events.height == two_tastes().events.height + 1
    assert [(one.reason, one.rows) for one in report.rows.rejected] == [("timestamp far before the others", 1)]
    keeping = ColumnMapping(timestamp=Timestamp(farthest=0))
    assert lake.add(two_tastes(), tmp_path, mapping=keeping, now=NOW)[1].rows.kept == 2


def test_events_of_a_type_without_a_weight_are_never_left_out_silently(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_lake(tmp_path, [event(1), event(2, event_type="wishlist")])
    _, report = added(tmp_path)
    assert "1  unknown event type" in report.render()
    assert "type_of_event=wishlist" in report.render()
    [warning] = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "types without a weight" in warning.getMessage()
    caplog.clear()
    lake.add(NOTHING, tmp_path, mapping=ColumnMapping(weights={"wishlist": 2}), now=NOW)
    assert caplog.records == []
