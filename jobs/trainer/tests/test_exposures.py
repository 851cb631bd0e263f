"""What a shop's log of shown lists says of other orders, from the lake to the summary of a run."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from lake_files import Row, write_table
from two_tastes import DAYS, START, two_tastes

from recsys.artifact import reports
from recsys.lake import COMMITTED, Committed, lake_dir
from trainer import pipeline
from trainer.choosing.recipe import ALSRecipe
from trainer.evaluation import exposures, windows
from trainer.evaluation.split import Split
from trainer.models import baselines
from trainer.models.als import ALSSettings
from trainer.settings import Settings

SHOP = two_tastes()
LATE_MS = int((START + timedelta(days=DAYS - 5)).timestamp() * 1000)
MINUTE_MS = 60_000


def newest_window() -> Split:
    return windows.held_out(SHOP.events, weights=SHOP.weights, settings=Settings(horizon_days=30))[-1]


def list_shown(list_id: str, user_id: str, items: list[str], propensities: list[float], **facts: object) -> Row:
    told = {"item_ids": items, "propensities": propensities, "unix_ms": LATE_MS, "artifact_version": "v"}
    return {"list_id": list_id, "user_id": user_id, **told, **facts}


def click(list_id: str, user_id: str, item_id: str, *, event_type: str = "view") -> Row:
    told = {"item_id": item_id, "event_type": event_type, "unix_ms": LATE_MS + MINUTE_MS}
    return {"list_id": list_id, "user_id": user_id, **told}


def lake_of(volume: Path, shown: list[Row], done: list[Row]) -> Path:
    lake = lake_dir(volume)
    parts = write_table(lake, "exposures", shown) | write_table(lake, "events", done)
    (lake / COMMITTED).write_text(Committed(sequence=len(shown), parts=parts).model_dump_json())
    return lake


def test_lists_of_the_window_are_told_by_place_with_what_they_earned(tmp_path: Path) -> None:
    shown = [
        list_shown("l1", "u003", ["i001", "new"], [1.0, 0.05]),
        list_shown("l1", "u003", ["i005"], [1.0]),  # its second page
        list_shown("l0", "u002", ["i004", "i000"], [0.95, 1.0]),
        list_shown("nobody the models know", "u999", ["i000"], [1.0]),
        list_shown("before the window", "u002", ["i000"], [1.0], unix_ms=LATE_MS - 60 * 86_400_000),
    ]
    done = [click("l1", "u003", "new"), click("l0", "u002", "i000", event_type="purchase")]
    window = newest_window()

    found = exposures.in_window(lake_of(tmp_path, shown, done), window)

    assert found is not None
    assert [window.train.user_ids[row] for row in found.user_rows] == ["u002", "u003"]
    log = found.logs["clicked"]
    assert log.people.tolist() == [0, 1]
    assert log.lists.tolist() == [0, 0, 1, 1]
    assert log.places.tolist() == [0, 1, 0, 1]
    names = [*window.train.item_ids, "none of train"]
    assert [names[item] for item in log.items] == ["i004", "i000", "i001", "none of train"]
    assert log.propensities.tolist() == [0.95, 1.0, 1.0, 0.05]
    assert log.earned.tolist() == [0, 1, 0, 1]
    assert found.logs["bought"].earned.tolist() == [0, 1, 0, 0]


def test_where_nothing_was_explored_no_order_is_estimated(tmp_path: Path) -> None:
    window = newest_window()
    shown = exposures.in_window(lake_of(tmp_path, [list_shown("l", "u002", ["i000"], [1.0])], []), window)
    assert shown is not None
    judged = exposures.judge(shown, {"popular": baselines.fit(window.train)}, window.train, seed=0)
    assert judged.orders == {}
    assert "no estimate of another order is honest" in judged.lines()[1]


def test_without_lists_in_the_window_there_is_nothing_to_tell(tmp_path: Path) -> None:
    shown = [list_shown("l", "u999", ["i000"], [1.0])]
    assert exposures.in_window(lake_of(tmp_path, shown, []), newest_window()) is None


def test_a_run_tells_what_its_order_would_have_earned(tmp_path: Path) -> None:
    """Every item is as likely at the one place, and clicked where it is of the user's taste: .5 of those shown."""
    rng, shown, done = np.random.default_rng(0), [], []
    for number in range(4_000):
        user, item = int(rng.integers(80)), int(rng.integers(60))
        list_id, user_id, item_id = f"l{number}", f"u{user:03}", f"i{item:03}"
        shown.append(list_shown(list_id, user_id, [item_id], [1 / 60]))
        if user % 2 == item % 2:
            done.append(click(list_id, user_id, item_id))
    shop = replace(SHOP, lake=lake_of(tmp_path, shown, done))
    settings = Settings(artifact_dir=tmp_path, horizon_days=30)

    outcome = pipeline.train(shop, settings=settings, recipe=ALSRecipe(settings=ALSSettings(dim=2)), force=False)

    assert outcome.judgement is not None
    found = outcome.judgement.off_policy
    assert found is not None
    assert found.served["clicked"].value == pytest.approx(0.5, abs=0.03)
    [of_new] = found.orders.values()
    assert of_new["clicked"].ips.low <= 1 <= of_new["clicked"].ips.high
    assert of_new["clicked"].snips.value == 1
    assert of_new["clicked"].dr.low > found.served["clicked"].high
    assert "4,000 lists of the window were shown" in outcome.summary()
    assert outcome.report is not None
    assert "By what was shown" in outcome.report.read_text(encoding="utf-8")
    [(order, outcome_of, value)] = [
        (each.order, each.outcome, each.value)
        for each in reports.told(tmp_path, outcome.version).earned
        if each.order != reports.AS_SERVED and each.outcome == "clicked"
    ]
    assert order.startswith("the new version's order")
    assert value == of_new[outcome_of].dr.value
