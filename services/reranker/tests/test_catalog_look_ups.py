"""The catalogue's look-ups and pages."""

from pathlib import Path

import pytest
from tiny_artifact import checkerboard, publish

from recsys.artifact.reader import Artifact, open_artifact
from reranker import catalog


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    return open_artifact(publish(checkerboard(), tmp_path))


def test_items_come_in_the_order_asked_for_without_the_unknown(artifact: Artifact) -> None:
    found = catalog.find(artifact, ["item-07", "stranger", "item-01", "item-07"])
    assert [item.item_id for item in found] == ["item-07", "item-01", "item-07"]


def test_pages_by_id_hold_everything_once(artifact: Artifact) -> None:
    seen: list[str] = []
    has_more = True
    while has_more:
        page = catalog.search(artifact, query="", category="odd", after_item_id=seen[-1] if seen else "", page_size=4)
        seen += [item.item_id for item in page.items]
        has_more = page.has_more
    assert seen == [f"item-{row:02d}" for row in range(1, 12, 2)]


def test_a_full_last_page_says_that_nothing_follows(artifact: Artifact) -> None:
    page = catalog.search(artifact, query="", category="", after_item_id="item-09", page_size=2)
    assert [item.item_id for item in page.items] == ["item-10", "item-11"]
    assert not page.has_more


def test_every_word_must_stand_in_the_title(artifact: Artifact) -> None:
    page = catalog.search(artifact, query="NUMBER 11", category="", after_item_id="", page_size=5)
    assert [item.item_id for item in page.items] == ["item-11"]
    assert catalog.search(artifact, query="number eleven", category="", after_item_id="", page_size=5).items == []
