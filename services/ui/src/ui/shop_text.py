"""The shop's text and addresses on their way to the screen: any string in, what cannot be markup out.

Titles, categories, ids, addresses and sentences of the gateway are the shop's. Every view shows them through one of
these functions: `html_text` inside HTML, `label` where Streamlit reads Markdown (links, toasts), `picture_address` as
the source of a picture.
"""

import re
import unicodedata
from html import escape
from urllib.parse import urlsplit

from ui.settings import Settings

LONGEST = 300  # characters shown of one text
_PLACES = 6  # digits of the largest position that the gateway takes, 1,000,000, less one
# They reorder the text around them, also that of the page itself.
_BIDI_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_NEVER_IN_AN_ADDRESS = re.compile(r"[\s\x00-\x1f\x7f\\]")


def plain(text: str, *, longest: int = LONGEST) -> str:
    """One line of at most `longest` characters: no control characters, no line breaks."""
    visible = _BIDI_CONTROLS.sub("", text)
    spaced = "".join(" " if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") else char for char in visible)
    line = " ".join(spaced.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def html_text(text: str, *, longest: int = LONGEST) -> str:
    """As text or attribute of HTML."""
    return escape(plain(text, longest=longest))


def label(text: str) -> str:
    """As Markdown: a code span, fenced by more backticks than it holds in a row; `style.css` makes it look plain.

    A code span ends at a blank line, so there is none.
    """
    line = plain(text) or "(blank)"
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    return f"{fence} {line} {fence}"


def picture_address(address: str | None) -> str | None:
    """The address where a browser may fetch a picture from it: http or https with a host. Else null."""
    if not address or _NEVER_IN_AN_ADDRESS.search(address):
        return None
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # no host or port that could be one
        return None
    return address if usable else None


def money(value: float) -> str:
    """An amount in the shop's currency, as `UI_CURRENCY` calls it, as text of HTML."""
    return html_text(f"{Settings().currency} {value:,.2f}")


def position(text: str | None) -> int:
    """A place in a list as the page's address has it, from 1; 0 where it says nothing that could be one."""
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) <= _PLACES else 0
