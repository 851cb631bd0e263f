"""Assignment is a known function, uniform, and independent between experiments."""

from collections import Counter
from itertools import product

import pytest

from gateway.experiments.live import arm_for, position
from recsys.feature_store.interface import Subject

USERS = [Subject("user", str(number)) for number in range(100_000)]


def chi_square(counts: list[int]) -> float:
    expected = sum(counts) / len(counts)
    return sum((count - expected) ** 2 / expected for count in counts)


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
    shares = {"a": 0.2, "b": 0.3, "c": 0.0, "d": 0.1}
    counts = Counter(arm_for(user, salt="recency", shares=shares) for user in USERS)

    assert counts.keys() == {"a", "b", "d", None}
    for arm, share in (("a", 0.2), ("b", 0.3), ("d", 0.1), (None, 0.4)):
        assert counts[arm] / len(USERS) == pytest.approx(share, abs=0.006)


@pytest.mark.parametrize("shares", [{"a": 1.0, "b": 0.0}, {"a": 0.0, "b": 1.0}, {"a": 0.1, "b": 0.9}])
def test_where_all_is_shared_out_everybody_has_an_arm(shares: dict[str, float]) -> None:
    arms = {arm_for(user, salt="recency", shares=shares) for user in USERS}

    assert arms == {arm for arm, share in shares.items() if share}
