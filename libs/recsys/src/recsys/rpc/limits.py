"""What both ends of a connection must agree on."""

from typing import Final

MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024
"""Longest request and longest response; a longer one is RESOURCE_EXHAUSTED, and the connection stays."""
