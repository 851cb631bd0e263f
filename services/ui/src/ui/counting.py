"""Whether the visitor plays a shopper, whose lists and clicks count, or only looks at what the shop's customers get.

Looking is the default: opening a customer's page must neither be an exposure nor a view of that customer's.
"""

import streamlit as st

from ui.settings import Settings

_KEY = "count_clicks"


def start() -> None:
    """`UI_COUNT_CLICKS` says how the switch stands at first."""
    st.session_state.setdefault(_KEY, Settings().count_clicks)


def switch() -> None:
    """The switch in the sidebar."""
    st.sidebar.toggle("Demo shop: count what I click", key=_KEY)
    st.sidebar.caption("On: lists are logged as exposures, opened items as views. Off: nothing is stored.")
    if not is_on():
        st.html('<p class="facts">Preview: nothing that you do here is counted. The switch is in the sidebar.</p>')


def is_on() -> bool:
    """Whether this visitor's lists and clicks count."""
    return bool(st.session_state.get(_KEY, False))
