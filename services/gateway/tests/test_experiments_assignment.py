"""Assignment is sticky, uniform, independent between experiments, and moves few subjects when shares change."""

from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.experiments.assignment import Layout, lay_out, position
from recsys.feature_store.interface import Subject

USERS = [Subject("user", str(number)) for number in range(100_000)]
HALVES = st.floats(0, 1).map(lambda share: round(share, 6))


def chi_square(counts: list[int]) -> float:
    expected = sum(counts) / len(counts)
    return sum((count - expected) ** 2 / expected for count in counts)


def members(layout: Layout, *, arm: int | None, steps: int = 6000) -> set[int]:
    """Of equally spaced positions, those that an arm has."""
    return {step for step in range(steps) if layout.arm_at((step + 0.5) / steps) == arm}


def length(layout: Layout, *, arm: int) -> float:
    return sum(segment.end - segment.start for segment in layout.segments if segment.arm == arm)


@pytest.mark.parametrize(
    ("subject", "salt", "first_8_bytes"),
    [
        (Subject("user", "13047"), "recency", 0xD6128C53415BBF17),
        (Subject("session", "13047"), "recency", 0x3BF4977B23A09BD8),
        (Subject("user", "13047"), "breadth", 0xFB01F62770C3016D),
        (Subject("user", "Zoë/ß 😀"), "recency", 0x7370B0940A61DC03),
    ],
)
def test_a_subject_stands_where_it_always_stood(subject: Subject, salt: str, first_8_bytes: int) -> None:
    """Known answers of sha256sum: another hash would move everybody of every running experiment."""
    assert position(subject, salt=salt) == pytest.approx(first_8_bytes / 2**64, abs=1e-15)


def test_positions_are_uniform() -> None:
    counts = [0] * 50
    for user in USERS:
        counts[int(position(user, salt="recency") * 50)] += 1

    assert chi_square(counts) < 85.4  # 49 degrees of freedom, 0.1 %


def test_positions_with_two_salts_are_independent() -> None:
    counts = dict.fromkeys(product(range(5), range(5)), 0)
    for user in USERS:
        counts[int(position(user, salt="one") * 5), int(position(user, salt="two") * 5)] += 1

    assert chi_square(list(counts.values())) < 51.2  # 24 degrees of freedom, 0.1 %


def test_arms_get_their_shares_of_users() -> None:
    layout = lay_out([0.2, 0.3, 0.1])
    counts = dict.fromkeys((0, 1, 2, None), 0)
    for user in USERS:
        counts[layout.arm_at(position(user, salt="recency"))] += 1

    assert [count / len(USERS) for count in counts.values()] == pytest.approx([0.2, 0.3, 0.1, 0.4], abs=0.005)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20), st.floats(0, 1))
def test_any_shares_become_segments_of_that_length_that_do_not_overlap(parts: list[float], whole: float) -> None:
    total = sum(parts)
    shares = [part / total * whole if total else 0.0 for part in parts]

    layout = lay_out(shares)

    assert [length(layout, arm=arm) for arm in range(len(shares))] == pytest.approx(shares, abs=1e-9)
    for left, right in pairwise(layout.segments):
        assert left.end <= right.start + 1e-12
    assert all(0 <= segment.start < segment.end <= 1 + 1e-12 for segment in layout.segments)


@given(HALVES, HALVES, HALVES, HALVES)
def test_of_two_arms_each_keeps_its_members_however_both_grow(
    first: float, second: float, more: float, still_more: float
) -> None:
    scale = max(1.0, first + second)
    before = [first / scale, second / scale]
    rest = 1 - sum(before)
    after = [before[0] + rest * more, before[1] + rest * (1 - more) * still_more]

    small, large = lay_out(before), lay_out(after)

    for arm in (0, 1):
        assert members(small, arm=arm, steps=500) <= members(large, arm=arm, steps=500)


@pytest.mark.parametrize(
    "steps",
    [
        [[0.01, 0.01, 0.01], [0.1, 0.1, 0.1], [0.1, 0.3, 0.2], [1 / 3, 1 / 3, 1 / 3]],
        [[0.05, 0.025, 0.025], [0.2, 0.1, 0.1], [0.4, 0.2, 0.2], [0.5, 0.25, 0.25]],
    ],
    ids=["no arm beyond its home", "all arms ramped up alike"],
)
def test_of_three_arms_each_keeps_its_members_while_it_grows(steps: list[list[float]]) -> None:
    layouts = [lay_out(shares) for shares in steps]
    for small, large in pairwise(layouts):
        for arm in range(3):
            assert members(small, arm=arm) <= members(large, arm=arm)


def test_an_arm_that_grows_into_what_another_borrowed_moves_no_more_than_that() -> None:
    before, after = lay_out([0.6, 0.1, 0.1]), lay_out([0.6, 0.2, 0.1])

    moved = members(before, arm=0) & members(after, arm=1)

    assert len(moved) == pytest.approx(0.1 * 6000, abs=2)
    assert members(before, arm=1) <= members(after, arm=1)
    assert members(before, arm=2) == members(after, arm=2)


def test_an_arm_that_shrinks_gives_its_members_to_nobody() -> None:
    before, after = lay_out([0.5, 0.5]), lay_out([0.5, 0.1])

    assert members(after, arm=0) == members(before, arm=0)
    assert members(after, arm=1) < members(before, arm=1)
    assert members(after, arm=None) == members(before, arm=1) - members(after, arm=1)


def test_an_arm_may_have_everybody_or_nobody() -> None:
    assert lay_out([0.0, 1.0]).arm_at(0.0) == 1
    assert lay_out([0.0, 1.0]).arm_at(1 - 2**-53) == 1
    assert lay_out([0.0, 0.0]).arm_at(0.3) is None
