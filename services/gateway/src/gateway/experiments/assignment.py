"""Which arm somebody is first shown: a pure function of salt, subject and shares, the same in every gateway.

Each experiment hashes with a salt of its own, so that its arms are independent of those of every other one. Later the
arm is kept with the profile; so shares may change as they like.
"""

import hashlib
from collections.abc import Mapping

from recsys.feature_store.interface import Subject


def arm_for(subject: Subject, *, salt: str, shares: Mapping[str, float]) -> str | None:
    """The arm whose part of [0, 1) has the subject's position. Parts follow each other; what is left is nobody's."""
    at, end = position(subject, salt=salt), 0.0
    for arm, share in shares.items():
        end += share
        if at < end:
            return arm
    return None


def position(subject: Subject, *, salt: str) -> float:
    """Where a subject stands in [0, 1), uniformly over subjects: the first 53 bits of SHA-256."""
    # Neither a salt nor a kind holds a NUL, so no two triples give the same text.
    digest = hashlib.sha256(f"{salt}\0{subject.kind}\0{subject.id}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53
