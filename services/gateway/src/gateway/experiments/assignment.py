"""Who is in which arm: a pure function of salt, subject and shares, so that every gateway gives the same answer.

In: an experiment's shares and a subject. Out: an arm, or none.

Each experiment hashes with a salt of its own, so that its arms are independent of those of every other one; the first
experiment of the file that has an arm for a subject gets it, so that there is one at most.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from recsys.feature_store.interface import Subject


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of [0, 1) that belongs to an arm."""

    start: float
    end: float
    arm: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Which parts of [0, 1) the arms have; what is left belongs to none."""

    segments: tuple[Segment, ...]  # by start, without those of no length

    def arm_at(self, position: float) -> int | None:
        """The arm that has this position."""
        index = bisect_right(self.segments, position, key=lambda segment: segment.start) - 1
        if index < 0 or position >= self.segments[index].end:
            return None
        return self.segments[index].arm


def position(subject: Subject, *, salt: str) -> float:
    """Where a subject stands in [0, 1), uniformly over subjects: the first 53 bits of SHA-256."""
    # Neither a salt nor a kind holds a NUL, so no two triples give the same text.
    digest = hashlib.sha256(f"{salt}\0{subject.kind}\0{subject.id}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53


def lay_out(shares: Sequence[float]) -> Layout:
    """Give every arm its share of [0, 1) such that a change of shares moves as few subjects as possible.

    Each of the K arms grows from the start of a home of length 1/K. What goes beyond that is borrowed from the far ends
    of the other homes, next arm first. So an arm that grows keeps all it had and takes from the rest, unless it grows
    into what another one has borrowed: never with two arms, nor while no share exceeds 1/K. More cannot be had: of
    three arms that may each grow to 1, two would have to have the complement of the third.
    """
    home = 1 / len(shares)
    segments = []
    free_ends = []  # of each home
    for arm, share in enumerate(shares):
        end = (arm + 1) * home
        segments.append(Segment(start=arm * home, end=min(arm * home + share, end), arm=arm))
        free_ends.append(end)
    for arm, share in enumerate(shares):
        missing = share - home
        for lender in [*range(arm + 1, len(shares)), *range(arm)]:
            lent = min(missing, free_ends[lender] - segments[lender].end)
            if lent > 0:
                segments.append(Segment(start=free_ends[lender] - lent, end=free_ends[lender], arm=arm))
                free_ends[lender] -= lent
                missing -= lent
    by_start = sorted((segment for segment in segments if segment.end > segment.start), key=lambda each: each.start)
    return Layout(segments=tuple(by_start))
