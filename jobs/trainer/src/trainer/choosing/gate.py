"""Decides whether a new version may go live: figures in, a verdict with its reasons out.

All comparisons are paired, user by user, on the newest held-out window. The live version is judged by its recipe
fitted again on what was known before the window: its published vectors may have seen the window's purchases.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from trainer.evaluation.bootstrap import PairedDifference, paired

# not recall: where the catalogue is hardly longer than a list, every model reaches a recall of 1
METRIC: Final = "ndcg@20"


class Judged(Protocol):
    """How a model did on users who judged it."""

    @property
    def per_user(self) -> Mapping[str, NDArray[np.float64]]:
        """Metric → [users], the same users for every model."""
        ...

    def mean(self, metric: str) -> float:
        """The mean over the users."""
        ...


@dataclass(frozen=True)
class Verdict:
    """Whether a version may go live, and every reason for and against."""

    passed: bool
    reasons: tuple[str, ...]  # one sentence a check
    users: int = 0  # so many judged; 0: nobody could


def decide(
    new: Judged,
    *,
    live: Judged | None,
    baseline: Judged | None,
    ann_recall: float,
    ann_recall_floor: float,
    seed: int,
) -> Verdict:
    """Check a new model against the live one, the baseline and the floor of its index.

    Args:
        new, live, baseline: evaluated on the same users; `live` is none for a first version, `baseline` where the new
            model is the baseline itself.
        ann_recall: share of the exact first items that the index finds.
        ann_recall_floor: the least that is acceptable.
        seed: of the bootstrap.
    """
    needed = f"at least {ann_recall_floor:.3f} is needed"
    checks = [(ann_recall >= ann_recall_floor, f"index recall {ann_recall:.3f}, {needed}")]
    if live is not None:
        gain = paired(new.per_user[METRIC], live.per_user[METRIC], seed=seed)
        found = f"{METRIC} minus the live version's {with_interval(gain)}"
        # worse means proved to be worse; a tie within the noise may replace an older model
        checks.insert(0, (gain.high >= 0, f"{found}, an interval below 0 is worse"))
    if baseline is not None:
        gain = paired(new.per_user[METRIC], baseline.per_user[METRIC], seed=seed)
        checks.insert(0, (gain.value > 0, f"{METRIC} minus popularity's {with_interval(gain)}, more than 0 is needed"))
    reasons = tuple(f"{'passed' if ok else 'failed'}: {text}" for ok, text in checks)
    return Verdict(passed=all(ok for ok, _ in checks), reasons=reasons, users=len(new.per_user[METRIC]))


def with_interval(difference: PairedDifference) -> str:
    """A difference with its 95 % interval."""
    return f"{difference.value:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]"
