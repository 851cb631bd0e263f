"""Page cursors. A cursor is the last id of a page, opaque to the caller: ids mark the place, not positions,
so pages neither repeat nor skip when the model changes in between."""

import base64
import binascii


class BadCursorError(ValueError):
    """The cursor did not come from a `next_cursor` of this API."""


def encode(last_id: str) -> str:
    """The cursor of the page that follows `last_id`."""
    return base64.urlsafe_b64encode(last_id.encode()).rstrip(b"=").decode()


def decode(cursor: str) -> str:
    """The id that the page starts after; empty for an empty cursor.

    Raises: BadCursorError.
    """
    padding = "=" * (-len(cursor) % 4)
    try:
        return base64.b64decode(cursor + padding, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise BadCursorError("the cursor is not one that this API gave out") from error
