"""Users that come in parts are written as if they had come at once, and what does not fit is refused."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from recsys.artifact import user_parts
from recsys.artifact.history import History
from recsys.artifact.user_parts import Sizes, UserPart
from recsys.errors import ArtifactError

USERS = 7
SIZES = Sizes(users=USERS, pairs=12, dim=3)


@pytest.fixture
def whole() -> UserPart:
    rng = np.random.default_rng(0)
    lengths = np.array([2, 0, 3, 1, 0, 4, 2])
    history = History(
        indptr=np.r_[0, np.cumsum(lengths)],
        items=rng.integers(9, size=12).astype(np.int32),
        times=rng.integers(10**9, size=12),
        types=rng.integers(2, size=12).astype(np.uint8),
        weights=rng.random(12, np.float32),
        type_sets=rng.integers(1, 4, size=12).astype(np.uint32),
        event_types=["purchase", "view"],
    )
    return UserPart(["", "a", "aa", "b", "z", "ä", "😀"], rng.random((USERS, 3), np.float32), history)


def part_of(whole: UserPart, first: int, end: int) -> UserPart:
    history = whole.history
    pairs = slice(int(history.indptr[first]), int(history.indptr[end]))
    return UserPart(
        whole.ids[first:end],
        whole.embeddings[first:end],
        History(
            indptr=history.indptr[first : end + 1] - history.indptr[first],
            items=history.items[pairs],
            times=history.times[pairs],
            types=history.types[pairs],
            weights=history.weights[pairs],
            type_sets=history.type_sets[pairs],
            event_types=history.event_types,
        ),
    )


@pytest.mark.parametrize("ends", [(0, 0, 3, 7), (0, 1, 2, 3, 4, 5, 6, 7), (0, 7, 7)])
def test_parts_are_written_as_one(whole: UserPart, tmp_path: Path, ends: tuple[int, ...]) -> None:
    at_once, in_parts = tmp_path / "at_once", tmp_path / "in_parts"
    for folder in (at_once, in_parts):
        folder.mkdir()
    user_parts.write(at_once, [whole], SIZES)
    parts = (part_of(whole, first, end) for first, end in pairwise(ends))
    user_parts.write(in_parts, parts, SIZES)
    names = sorted(path.name for path in at_once.iterdir())
    assert len(names) == 8
    assert names == sorted(path.name for path in in_parts.iterdir())
    for name in names:
        assert (in_parts / name).read_bytes() == (at_once / name).read_bytes(), name


def test_an_array_is_written_as_numpy_writes_it(whole: UserPart, tmp_path: Path) -> None:
    user_parts.write(tmp_path, [whole], SIZES)
    np.save(tmp_path / "numpy.npy", whole.embeddings)
    assert (tmp_path / "user_embeddings.npy").read_bytes() == (tmp_path / "numpy.npy").read_bytes()


def twice(whole: UserPart) -> list[UserPart]:
    return [part_of(whole, 0, 4), part_of(whole, 3, 7)]


def too_few(whole: UserPart) -> list[UserPart]:
    return [part_of(whole, 0, 4)]


def unsorted_within(whole: UserPart) -> list[UserPart]:
    return [replace(whole, ids=["", "a", "b", "aa", "z", "ä", "😀"])]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (twice, "found b'b' after b'b' in row 4"),
        (unsorted_within, "found b'aa' after b'b' in row 3"),
        (too_few, "expected 7 users with 12 items, as the manifest says, found 4 with 6"),
    ],
)
def test_users_that_do_not_fit_are_refused(
    whole: UserPart, tmp_path: Path, parts: Callable[[UserPart], list[UserPart]], message: str
) -> None:
    with pytest.raises(ArtifactError, match=message):
        user_parts.write(tmp_path, parts(whole), SIZES)
