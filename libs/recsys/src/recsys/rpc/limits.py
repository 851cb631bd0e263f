"""What both ends of a connection must agree on."""

from typing import Final

MOST_CALLS_A_MESSAGE: Final = 1024
"""Calls that a message of a call stream may carry; one with more ends the stream."""
MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024
"""Longest request and longest response; a longer one is RESOURCE_EXHAUSTED, and the connection stays."""
MOST_WORDS: Final = 16
"""Words of a search; each looks through the titles once more."""
