"""What an id of a shop may be, for whoever takes one in: the API, and the reader of a shop's files."""

from typing import Final

MAX_ID_LENGTH: Final = 512
"""Characters of a user's, session's, item's or event's id, at the most. What is longer could be named by no request."""
