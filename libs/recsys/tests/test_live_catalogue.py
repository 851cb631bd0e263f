"""The catalogue as the shop has it now: known answers, and against a plain dictionary for any changes."""

import gc
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from threading import Thread
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from recsys.artifact.reader import Artifact, open_artifact
from recsys.feature_store.follower import LiveState
from recsys.shop import overlay
from recsys.shop.catalogue import LiveCatalogue
from recsys.shop.filter import Filter
from recsys.shop.item import Item, ItemRecord, JsonScalar
from recsys.shop.item_wire import item_from_wire
from recsys.shop.search import Wanted
from recsys.v1 import item_pb2

# sorted: "0001" White Lantern, "1" lantern red (off sale), "85123A" without title and price, "A b" Mug
LANTERN, RED, UNTITLED, MUG = range(4)


class Live(LiveState):
    """What a follower knows of items."""

    def tell(self, *records: ItemRecord) -> None:
        self.change_items({record.item_id: record for record in records})


def record(
    item_id: str, fields: Mapping[str, JsonScalar], *, whole: bool = False, deleted: bool = False, created_ms: int = 1
) -> ItemRecord:
    return ItemRecord(
        item_id=item_id,
        sequence=1,
        is_whole=whole,
        is_deleted=deleted,
        fields=fields,
        created_ms=created_ms,
        updated_ms=created_ms,
    )


def masked(
    catalogue: LiveCatalogue,
    *,
    categories: Sequence[str] = (),
    attributes: Mapping[str, str] | None = None,
    **prices: float,
) -> NDArray[np.bool_]:
    """Which items of the version meet these conditions."""
    wanted = Filter(categories=tuple(categories), attributes=tuple((attributes or {}).items()), **prices)
    return catalogue.mask(wanted.conditions)


@pytest.fixture
def live() -> Live:
    return Live()


@pytest.fixture
def artifact(volume: Any) -> Artifact:
    return open_artifact(volume.publish())


@pytest.fixture
def catalogue(artifact: Artifact, live: Live) -> LiveCatalogue:
    return LiveCatalogue(artifact, live)


def rows(mask: NDArray[np.bool_]) -> list[int]:
    return np.flatnonzero(mask).tolist()


def found(
    catalogue: LiveCatalogue, *, query: str = "", category: str = "", after: str = "", size: int = 9
) -> list[str]:
    page = catalogue.search(Wanted(query, category, after), page_size=size)
    return [item.item_id for item in page.items]


def test_without_live_items_the_catalogue_is_as_it_was_trained(artifact: Artifact) -> None:
    catalogue = LiveCatalogue(artifact)
    assert rows(catalogue.available_mask()) == [LANTERN, UNTITLED, MUG]
    assert catalogue.item(MUG) == artifact.catalogue.item(MUG)
    assert catalogue.find("A b") == artifact.catalogue.item(MUG)
    assert catalogue.find("stranger") is None
    assert catalogue.new_items() == []
    assert found(catalogue) == ["0001", "1", "85123A", "A b"]


def test_each_condition_and_all_of_them_together(catalogue: LiveCatalogue) -> None:
    assert rows(
        masked(
            catalogue,
        )
    ) == [0, 1, 2, 3]
    assert rows(masked(catalogue, categories=["kitchen"])) == [MUG]
    assert rows(masked(catalogue, categories=["kitchen", "light"])) == [0, 1, 2, 3]
    assert rows(masked(catalogue, categories=["garden"])) == []
    assert rows(masked(catalogue, min_price=3.5)) == [LANTERN, MUG]
    assert rows(masked(catalogue, max_price=3.5)) == [LANTERN, RED]
    assert rows(masked(catalogue, attributes={"brand": "Lumo"})) == [LANTERN, UNTITLED]
    assert rows(masked(catalogue, attributes={"colour": "red"})) == []
    assert rows(masked(catalogue, categories=["light"], max_price=3, attributes={})) == [RED]
    assert rows(masked(catalogue, categories=["light"], min_price=3, attributes={"brand": "Lumo"})) == [LANTERN]


def test_a_patch_overrules_the_fields_that_it_names(catalogue: LiveCatalogue, live: Live) -> None:
    before = catalogue.item(MUG)
    live.tell(record("A b", {"price": 1, "attributes.brand": None, "attributes.colour": "red"}))
    assert catalogue.item(MUG) == replace(before, price=1, attributes={"colour": "red"})
    assert rows(masked(catalogue, max_price=2)) == [RED, MUG]
    assert rows(masked(catalogue, attributes={"brand": "Oak & Co"})) == []
    assert rows(masked(catalogue, attributes={"colour": "red"})) == [MUG]
    assert rows(masked(catalogue, categories=["kitchen"])) == [MUG]


def test_categories_are_counted_by_what_is_on_sale_now(catalogue: LiveCatalogue, live: Live) -> None:
    assert catalogue.category_counts() == {"light": 2, "kitchen": 1}
    live.tell(
        record("1", {"available": True}),
        record("A b", {"category": "gifts"}),
        record("0001", {"category": None}),
        record("new", {"category": "light"}, whole=True),
        record("untold", {"category": ""}, whole=True),
        record("hidden", {"category": "garden", "available": False}, whole=True),
    )
    assert catalogue.category_counts() == {"light": 3, "gifts": 1}
    live.tell(record("85123A", {}, deleted=True), record("new", {}, deleted=True))
    assert catalogue.category_counts() == {"light": 1, "gifts": 1}


def categories_of(catalogue: LiveCatalogue, asked: NDArray[np.int64]) -> list[str | None]:
    name_of = {catalogue.category_code(name): name for name in ("kitchen", "light", "gifts", None)}
    assert len(name_of) == 4
    return [name_of[code] for code in catalogue.categories()[asked].tolist()]


def test_the_categories_of_many_rows_come_at_once(catalogue: LiveCatalogue, live: Live) -> None:
    asked = np.array([MUG, LANTERN, RED, MUG])
    assert categories_of(catalogue, asked) == ["kitchen", "light", "light", "kitchen"]
    live.tell(record("1", {"title": "Rug"}, whole=True), record("A b", {"category": "gifts"}), record("0001", {}))
    assert categories_of(catalogue, asked) == ["gifts", "light", None, "gifts"]


def test_a_description_is_kept_until_its_item_changes(catalogue: LiveCatalogue, live: Live) -> None:
    [before] = catalogue.descriptions(np.array([MUG]))
    live.tell(record("0001", {"price": 1}))
    assert catalogue.descriptions(np.array([MUG]))[0] is before
    live.tell(record("A b", {"price": 1}))
    [after] = catalogue.descriptions(np.array([MUG]))
    assert (told(before).price, told(after).price) == (8.0, 1.0)
    live.tell(record("A b", {"price": 2}))
    assert told(catalogue.descriptions(np.array([MUG]))[0]).price == 2.0


def test_a_catalogue_ends_with_its_last_use_without_a_collection_of_garbage(artifact: Artifact, live: Live) -> None:
    catalogue = LiveCatalogue(artifact, live)
    catalogue.descriptions(np.array([MUG]))
    catalogue.categories()
    is_there = weakref.ref(catalogue)
    gc.disable()
    try:
        del catalogue
        assert is_there() is None
    finally:
        gc.enable()


def test_a_put_replaces_the_item_and_is_on_sale_unless_it_says_otherwise(catalogue: LiveCatalogue, live: Live) -> None:
    live.tell(record("1", {"title": "Rug"}, whole=True))
    assert catalogue.item(RED) == Item("1", "Rug", None, None, None, available=True)
    assert RED in rows(catalogue.available_mask())
    assert rows(masked(catalogue, categories=["light"])) == [LANTERN, UNTITLED]
    assert rows(masked(catalogue, max_price=100)) == [LANTERN, MUG]
    live.tell(record("1", {"title": "Rug", "available": False}, whole=True))
    assert RED not in rows(catalogue.available_mask())
    assert catalogue.find("1") == Item("1", "Rug", None, None, None, available=False)


def test_a_deleted_item_is_nowhere_until_it_is_put_again(catalogue: LiveCatalogue, live: Live) -> None:
    live.tell(record("A b", {}, deleted=True))
    assert MUG not in rows(catalogue.available_mask())
    assert not catalogue.item(MUG).available
    assert catalogue.find("A b") is None
    assert found(catalogue) == ["0001", "1", "85123A"]
    live.tell(record("A b", {"title": "Mug again"}, whole=True))
    assert MUG in rows(catalogue.available_mask())
    assert found(catalogue, query="again") == ["A b"]


def test_an_item_that_the_version_does_not_know_is_new_the_latest_first(catalogue: LiveCatalogue, live: Live) -> None:
    live.tell(
        record("N1", {"title": "Lamp", "attributes.brand": "Lumo"}, whole=True, created_ms=5),
        record("N2", {}, whole=True, created_ms=9),
        record("N0", {}, whole=True, created_ms=5),
        record("off", {"available": False}, whole=True),
        record("gone", {}, whole=True, deleted=True),
        record("only patched", {"title": "Ghost"}),
    )
    assert [(new.item.item_id, new.created_ms) for new in catalogue.new_items()] == [("N2", 9), ("N0", 5), ("N1", 5)]
    assert catalogue.find("N1") == Item("N1", "Lamp", None, None, None, True, {"brand": "Lumo"})
    assert catalogue.find("off") is not None
    assert [catalogue.find(item_id) for item_id in ("gone", "only patched")] == [None, None]
    assert rows(catalogue.available_mask()) == [LANTERN, UNTITLED, MUG]


def test_a_search_shows_changes_and_new_items_in_the_order_of_ids(catalogue: LiveCatalogue, live: Live) -> None:
    live.tell(
        record("1", {"title": "Blue LANTERN"}),
        record("0", {"title": "Lantern for 0", "category": "light"}, whole=True),
        record("é", {"title": "a lantern"}, whole=True),
        record("0001", {"category": "garden"}),
    )
    assert found(catalogue, query="lantern") == ["0", "0001", "1", "é"]
    assert found(catalogue, query="LANTERN blue") == ["1"]
    assert found(catalogue, category="light") == ["0", "1", "85123A"]
    assert found(catalogue, category="garden") == ["0001"]
    assert found(catalogue, query="red") == []
    assert found(catalogue, after="0001") == ["1", "85123A", "A b", "é"]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pages_hold_every_item_once(catalogue: LiveCatalogue, live: Live, size: int) -> None:
    live.tell(record("1", {}, deleted=True), record("2", {}, whole=True), record("Z", {}, whole=True))
    seen: list[str] = []
    has_more = True
    while has_more:
        page = catalogue.search(Wanted("", "", seen[-1] if seen else ""), page_size=size)
        seen += [item.item_id for item in page.items]
        has_more = page.has_more
    assert seen == ["0001", "2", "85123A", "A b", "Z"]


def test_a_change_is_taken_in_by_its_own_size_and_a_request_does_none_of_it(
    catalogue: LiveCatalogue, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    live.tell(*(record(f"new-{number}", {"title": "Mug"}, whole=True) for number in range(1_000)))
    mask = masked(catalogue, categories=["Mugs"], max_price=5.0)
    made: list[str] = []

    def counted(record: ItemRecord, trained: Item | None) -> Item:
        made.append(record.item_id)
        return over(record, trained)

    over = ItemRecord.over
    monkeypatch.setattr(ItemRecord, "over", counted)
    live.tell(record("new-7", {"title": "Cup"}, whole=True))
    assert made == ["new-7"]
    monkeypatch.setattr(overlay.Overlay, "next", None)  # a request that made an overlay would fail
    assert len(catalogue.new_items()) == 1_000
    assert np.array_equal(masked(catalogue, categories=["Mugs"], max_price=5.0), mask)
    assert rows(catalogue.available_mask()) == [LANTERN, UNTITLED, MUG]
    assert made == ["new-7"]
    assert catalogue.has("new-7")
    assert found(catalogue, query="cup") == ["new-7"]


def test_a_change_while_the_catalogue_is_made_is_not_overwritten_by_the_state_before_it(artifact: Artifact) -> None:
    class Changing(Live):
        """Changes in the follower's thread just after its items were read."""

        follower: Thread | None = None

        @property
        def items(self) -> Mapping[str, ItemRecord]:
            before = self._items
            if self._listeners and self.follower is None:
                self.follower = Thread(target=self.tell, args=[record("A b", {"price": 2.0})])
                self.follower.start()
                self.follower.join(0.2)  # it ends at once where nothing holds it up
            return before

        @items.setter
        def items(self, items: Mapping[str, ItemRecord]) -> None:
            self._items = items

    live = Changing()
    live.tell(record("A b", {"price": 1.0}))
    catalogue = LiveCatalogue(artifact, live)
    assert live.follower is not None
    live.follower.join()
    assert catalogue.item(MUG).price == 2.0


def test_a_mask_that_was_handed_out_never_changes(catalogue: LiveCatalogue, live: Live) -> None:
    before = catalogue.available_mask()
    live.tell(record("A b", {"available": False}))
    assert rows(catalogue.available_mask()) == [LANTERN, UNTITLED]
    assert rows(before) == [LANTERN, UNTITLED, MUG]
    with pytest.raises(ValueError, match="read-only"):
        before[0] = False


def test_a_column_is_kept_until_what_it_holds_changes(catalogue: LiveCatalogue, live: Live) -> None:
    def asked() -> list[NDArray[Any]]:
        return [catalogue.available_mask(), catalogue.prices(), catalogue.texts("attributes.brand").codes]

    before = asked()
    live.tell(record("A b", {"title": "Cup", "price": 8.0}))
    assert all(now is then for now, then in zip(asked(), before, strict=True))
    live.tell(record("A b", {"price": 1}))
    assert [now is then for now, then in zip(asked(), before, strict=True)] == [True, False, True]
    assert rows(masked(catalogue, max_price=3)) == [RED, MUG]


def test_items_off_sale_are_read_once_whatever_is_asked_after(
    catalogue: LiveCatalogue, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    live.tell(record("A b", {"available": False}))
    catalogue.available_mask()
    masked(catalogue, max_price=1, categories=["kitchen"])
    monkeypatch.setattr(LiveCatalogue, "_corrected", None)  # one more reading of the records would fail
    for price in range(100):
        masked(catalogue, max_price=price, categories=["kitchen"])
    assert rows(catalogue.available_mask()) == [LANTERN, UNTITLED]


def test_more_conditions_than_are_kept_are_all_answered_right(catalogue: LiveCatalogue) -> None:
    for _ in range(2):
        for price in range(100):
            assert rows(masked(catalogue, max_price=price, attributes={})) == [
                row for row, known in ((LANTERN, 3.5), (RED, 2.0), (MUG, 8.0)) if known <= price
            ]
            assert rows(masked(catalogue, min_price=price, categories=["kitchen"])) == ([MUG] if price <= 8 else [])


def test_threads_that_ask_while_items_change_see_one_state_or_the_next(artifact: Artifact, live: Live) -> None:
    catalogue = LiveCatalogue(artifact, live)
    wrong: list[list[int]] = []

    def ask() -> None:
        for _ in range(300):
            seen = rows(masked(catalogue, categories=["kitchen"], max_price=10))
            if seen not in ([MUG], []):
                wrong.append(seen)

    threads = [Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(300):
        live.tell(record("A b", {"price": 8 + 4 * (turn % 2)}))
    for thread in threads:
        thread.join()
    assert wrong == []


IDS: Final = ["0001", "1", "2", "85123A", "A b", "Z"]
TEXTS = st.sampled_from([None, "light", "kitchen", "Lumo"])
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "title": st.sampled_from([None, "Mug", "red lantern", "Lantern"]),
        "category": TEXTS,
        "price": st.sampled_from([None, 1, 3.5, 8.0]),
        "available": st.booleans(),
        "attributes.brand": TEXTS,
    },
)
CHANGES = st.lists(
    st.builds(record, st.sampled_from(IDS), FIELDS, whole=st.booleans(), deleted=st.sampled_from([False, False, True])),
    max_size=5,
)


def now(artifact: Artifact, records: Mapping[str, ItemRecord]) -> dict[str, Item]:
    """Every item that there is, worked out plainly."""
    items = {artifact.items.id_of(row): artifact.catalogue.item(row) for row in range(len(artifact.items))}
    for item_id, told in records.items():
        base = items.pop(item_id, None)
        if told.is_deleted or (base is None and not told.is_whole):
            continue
        if base is None or told.is_whole:
            base = Item(item_id, None, None, None, None, available=True)
        attributes = dict(base.attributes)
        plain = {name: value for name, value in told.fields.items() if name != "attributes.brand"}
        if "attributes.brand" in told.fields:
            attributes.pop("brand", None)
            brand = told.fields["attributes.brand"]
            attributes |= {} if brand is None else {"brand": str(brand)}
        items[item_id] = replace(base, attributes=attributes, **plain)  # type: ignore[arg-type]
    return items


def told(description: bytes) -> Item:
    """What a description says."""
    return item_from_wire(item_pb2.RankedItem.FromString(description).item)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # the artifact is only read
)
@given(steps=st.lists(CHANGES, max_size=4))
def test_after_any_changes_everything_agrees_with_a_plain_dictionary(
    artifact: Artifact, steps: list[list[ItemRecord]]
) -> None:
    live = Live()
    catalogue = LiveCatalogue(artifact, live)
    for changes in [[], *steps]:
        live.tell(*changes)
        items = now(artifact, live.items)
        assert {item_id: catalogue.find(item_id) for item_id in IDS} == {item_id: items.get(item_id) for item_id in IDS}
        assert {item_id for item_id in IDS if catalogue.has(item_id)} == set(items)
        of_row = {row: items[item_id] for row in range(4) if (item_id := artifact.items.id_of(row)) in items}
        assert (
            dict(zip(of_row, map(told, catalogue.descriptions(np.array(list(of_row), np.int64))), strict=True))
            == of_row
        )
        assert found(catalogue) == sorted(items)
        assert found(catalogue, query="lantern") == sorted(
            item_id for item_id, item in items.items() if "lantern" in (item.title or "").lower()
        )

        def holds(predicate: Callable[[Item], bool], items: dict[str, Item] = items) -> set[int]:
            of_row = {row: items.get(artifact.items.id_of(row)) for row in range(4)}
            return {row for row, item in of_row.items() if item is not None and predicate(item)}

        available = set(rows(catalogue.available_mask()))
        assert available == holds(lambda item: item.available)
        light = available & set(rows(masked(catalogue, categories=["light"])))
        assert light == holds(lambda item: item.available and item.category == "light")
        cheap = available & set(rows(masked(catalogue, max_price=4, attributes={"brand": "Lumo"})))
        assert cheap == holds(
            lambda item: (
                item.available and item.price is not None and item.price <= 4 and item.attributes.get("brand") == "Lumo"
            )
        )
        assert {new.item.item_id for new in catalogue.new_items()} == {
            item_id for item_id, item in items.items() if item.available and artifact.items.row_of(item_id) is None
        }
