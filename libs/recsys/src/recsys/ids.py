"""What an id of a shop may be, for whoever takes one in (the API, the reader of a shop's files), and how an erased one
is named."""

from hashlib import sha256
from typing import Final

MAX_ID_LENGTH: Final = 512
"""Characters of a user's, session's, item's or event's id, at the most. What is longer could be named by no request."""


def user_hash(user_id: str) -> str:
    """How an erasure names a user: SHA-256, hex, of the id's UTF-8 bytes."""
    return sha256(user_id.encode()).hexdigest()
