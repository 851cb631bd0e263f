"""Recommendations: pick or type a user; what they had stands beside what the model proposes (`?user=…`)."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from ui import cards
from ui.gateway_client import gateway
from ui.models import History, Recommendations, User

ITEMS_SHOWN = 12
USERS_SHOWN = 8


def pick_user() -> None:
    """A search field, and one link a user that it finds."""
    with st.container(key="picker"):
        typed = st.text_input(
            "User",
            key="typed_user",
            type="search",
            live=True,
            placeholder="Type a user id, or its first letters",
            icon=":material/person_search:",
            label_visibility="collapsed",
        )
        typed = (typed or "").strip()
        users = gateway().users(prefix=typed, page_size=USERS_SHOWN).users
        with st.container(key="users", horizontal=True, gap="xsmall"):
            for user in _with_typed(users, typed):
                st.page_link(cards.HOME_PAGE, label=cards.literal(user), icon="", query_params={"user": user})


def _with_typed(users: Sequence[User], typed: str) -> list[str]:
    found = [user.user_id for user in users]
    return found if not typed or typed in found else [typed, *found]


def show_popular() -> None:
    """What a visitor sees before a user is chosen."""
    st.header("Popular now", anchor=False)
    cards.grid(gateway().popular(count=ITEMS_SHOWN).items, name="popular", user_id=None)


def show_user(user_id: str) -> None:
    """Recommendations, with the history beside them (below them on a phone)."""
    wide, narrow = st.columns([7, 3], gap="large")
    with wide:
        st.header("Recommended", anchor=False)
        include_seen = st.toggle("Include what they already had", key="include_seen")
        answer = gateway().recommendations(user_id, count=ITEMS_SHOWN, include_seen=include_seen)
        show_recommendations(answer, user_id=user_id)
    with narrow:
        st.header("History", anchor=False)
        show_history(gateway().history(user_id, count=ITEMS_SHOWN), user_id=user_id)


def show_recommendations(answer: Recommendations, *, user_id: str) -> None:
    """The ranking; for an unknown user with the reason why it is not personal."""
    if not answer.user_known:
        cards.notice(f"The model does not know user “{user_id}” yet, so here is what is popular with everyone.")
    if not answer.items:
        cards.notice("There is nothing left to recommend: this user already had every item on sale.")
    cards.grid(answer.items, name="recommended", user_id=user_id)


def show_history(history: History, *, user_id: str) -> None:
    """The user's last items."""
    if not history.items:
        cards.notice("No history yet.")
        return
    cards.history_rows(history.items, user_id=user_id)
    if history.total > len(history.items):
        st.html(f'<p class="facts">the last {len(history.items)} of {history.total:,} items</p>')


user_id = st.query_params.get("user")
if user_id:
    st.html(f'<p class="kicker">For user</p><h1 class="page-title">{escape(user_id)}</h1>')
else:
    st.html('<p class="kicker">Recommendations</p><h1 class="page-title">Who is it for?</h1>')
pick_user()
if user_id:
    show_user(user_id)
else:
    show_popular()
