"""A history as text comes back in the rows and event types of whatever version reads it."""

import json

import numpy as np
import pytest

from recsys.artifact.history import History
from recsys.artifact.packed_history import packed_histories, unpacked
from recsys.errors import OtherReleaseError

IDS = ["a", "b", 'say "ä"']
TYPES = ["view", "purchase"]
TWO_USERS = History(
    indptr=np.array([0, 3, 3], np.int64),
    items=np.array([2, 0, 1], np.int32),
    times=np.array([30, 20, 10], np.int64),
    types=np.array([0, 1, 1], np.uint8),
    weights=np.array([1.5, 0.1, 7], np.float32),
    type_sets=np.array([1, 3, 2], np.uint32),
    event_types=TYPES,
)


def texts() -> list[str]:
    return list(packed_histories(TWO_USERS, IDS, stream_sequence=9))


def test_every_column_of_the_same_items_and_types_comes_back_exactly() -> None:
    found = unpacked(texts()[0], row_of=IDS.index, event_types=TYPES)
    assert found.stream_sequence == 9
    for name in ("items", "times", "types", "weights", "type_sets"):
        expected, column = getattr(TWO_USERS, name), getattr(found.history, name)
        np.testing.assert_array_equal(column, expected)
        assert column.dtype == expected.dtype
    assert found.history.indptr.tolist() == [0, 3]


def test_who_did_nothing_has_an_empty_history() -> None:
    found = unpacked(texts()[1], row_of=IDS.index, event_types=TYPES).history
    assert (found.indptr.tolist(), found.rows(0).tolist()) == ([0, 0], [])


def test_items_that_a_version_lacks_drop_out_and_others_have_its_rows() -> None:
    found = unpacked(texts()[0], row_of={'say "ä"': 7, "b": 0}.get, event_types=TYPES).history
    assert [(entry.item_row, entry.unix_s) for entry in found.entries(0, 9)] == [(7, 30), (0, 10)]
    assert found.weights.tolist() == [1.5, 7]


def test_event_types_are_told_by_name() -> None:
    found = unpacked(texts()[0], row_of=IDS.index, event_types=["cart", "purchase"]).history
    assert [entry.event_type for entry in found.entries(0, 9)] == ["view", "purchase", "purchase"]
    assert found.event_types == ["cart", "purchase", "view"]
    assert found.type_sets.tolist() == [0b100, 0b110, 0b010]


def test_a_history_of_a_later_release_is_refused_with_what_to_do() -> None:
    later = json.dumps([2, *json.loads(texts()[0])[1:]])
    with pytest.raises(OtherReleaseError, match="found format 2: update the services before the trainer"):
        unpacked(later, row_of=IDS.index, event_types=TYPES)
