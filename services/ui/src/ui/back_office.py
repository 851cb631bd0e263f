"""What changes the shop: the key that may, and a change that is done or refused in a sentence.

The page's own key (`UI_API_KEY`) reads, so whoever sees the page can look. What changes something is asked for with the
key that a person types into the sidebar; it stays in that browser's session. An open gateway needs none.
"""

from collections.abc import Callable

import streamlit as st

from ui import shop_text
from ui.gateway_client import GatewayError

_KEY = "back_office_key"


def key_field() -> None:
    """The field in the sidebar."""
    st.sidebar.text_input(
        "Back-office key",
        key=_KEY,
        type="password",
        help="An API key with the scope admin, for what changes something. Not needed where the gateway is open.",
    )


def key() -> str:
    """The key, or an empty string."""
    return str(st.session_state.get(_KEY) or "").strip()


def change(said: str, ask: Callable[[], object]) -> None:
    """Ask for a change; say that it is done, or why it is not."""
    try:
        ask()
    except GatewayError as error:
        st.toast(f"Not done: {shop_text.label(error.sentence)}", icon=":material/error:")
    else:
        st.toast(shop_text.label(said), icon=":material/check:")
