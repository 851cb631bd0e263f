"""What goes live and what does not."""

from dataclasses import dataclass

import numpy as np
import pytest

from trainer.choosing import gate
from trainer.choosing.gate import Verdict


@dataclass(frozen=True)
class Judged:
    """Stands in for an Evaluation: the gate reads per-user figures only."""

    per_user: dict[str, np.ndarray]


def judged(*figures: float) -> Judged:
    return Judged({"ndcg@20": np.array(figures * 50)})


def decide(new: Judged, *, live: Judged | None = None, popularity: Judged | None = None, ann: float = 1.0) -> Verdict:
    return gate.decide(
        new, live=live, baseline=popularity or judged(0.1, 0.0), ann_recall=ann, ann_recall_floor=0.95, seed=0
    )


def test_better_than_popularity_is_enough_for_a_first_version() -> None:
    assert decide(judged(0.2, 0.1)).passed


def test_not_better_than_popularity_is_refused() -> None:
    verdict = decide(judged(0.1, 0.0))
    assert not verdict.passed
    assert verdict.reasons[0].startswith("failed: ndcg@20 minus popularity's +0.0000")


@pytest.mark.parametrize(("new", "passes"), [((0.5, 0.3), True), ((0.5, 0.29), False), ((0.4, 0.45), True)])
def test_a_version_shown_to_be_worse_than_the_live_one_is_refused(new: tuple[float, float], passes: bool) -> None:
    # the first: equal; the second: 50 users of 100 are worse off and nobody better; the third: better on average
    assert decide(judged(*new), live=judged(0.5, 0.3)).passed is passes


def test_a_difference_within_the_noise_is_not_worse() -> None:
    rng = np.random.default_rng(0)
    live = rng.random(200)
    new = live + rng.normal(-0.001, 0.1, size=200)
    assert decide(
        Judged({"ndcg@20": new}), live=Judged({"ndcg@20": live}), popularity=Judged({"ndcg@20": live * 0})
    ).passed


def test_an_index_below_its_floor_is_refused() -> None:
    verdict = decide(judged(0.5), ann=0.94, popularity=judged(0.1))
    assert not verdict.passed
    assert verdict.reasons[-1] == "failed: index recall 0.940, at least 0.950 is needed"


def test_a_verdict_says_how_many_users_judged() -> None:
    assert decide(judged(0.2, 0.1)).users == 100
