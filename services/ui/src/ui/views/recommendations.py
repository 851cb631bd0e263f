"""Recommendations: shop as an anonymous visitor, or pick or type a user, whose history stands beside (`?user=…`)."""

from collections.abc import Sequence
from http import HTTPStatus

import streamlit as st

from ui import cards, counting
from ui.gateway_client import GatewayError, gateway
from ui.models import History, Recommendations, User
from ui.shop_text import html_text, label
from ui.visitor import Visitor, current

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
        users = _found(typed)
        with st.container(key="users", horizontal=True, gap="xsmall"):
            for user in _with_typed(users, typed):
                st.page_link(cards.HOME_PAGE, label=label(user), icon="", query_params={"user": user})


def _found(prefix: str) -> Sequence[User]:
    """Users that the model knows; none where it leaves them to the feature store, which lists nobody."""
    try:
        return gateway().users(prefix=prefix, page_size=USERS_SHOWN).users
    except GatewayError as error:
        if error.status == HTTPStatus.BAD_REQUEST:
            return []
        raise


def _with_typed(users: Sequence[User], typed: str) -> list[str]:
    found = [user.user_id for user in users]
    return found if not typed or typed in found else [typed, *found]


def show_anonymous(visitor: Visitor) -> None:
    """What somebody sees who did not sign in: popular items at first, personal ones after the first click."""
    answer = gateway().recommendations(visitor, count=ITEMS_SHOWN, include_seen=False, preview=not counting.is_on())
    st.header("For you" if answer.user_known else "Popular now", anchor=False)
    say_how(answer)
    cards.grid(answer.items, name="recommended", visitor=visitor, list_id=answer.list_id if counting.is_on() else None)


def show_user(user_id: str, visitor: Visitor) -> None:
    """Recommendations, with the history beside them (below them on a phone)."""
    wide, narrow = st.columns([7, 3], gap="large")
    with wide:
        st.header("Recommended", anchor=False)
        include_seen = st.toggle("Include what they have seen", key="include_seen")
        answer = gateway().recommendations(
            visitor, count=ITEMS_SHOWN, include_seen=include_seen, preview=not counting.is_on()
        )
        show_recommendations(answer, visitor, user_id=user_id)
    with narrow:
        st.header("History", anchor=False)
        show_history(gateway().history(user_id, count=ITEMS_SHOWN), visitor)


def say_how(answer: Recommendations) -> None:
    """What the list was made from, and what is being tried on this visitor."""
    said = [cards.ORIGINS[answer.vector]] if answer.vector in cards.ORIGINS else []
    said += [f"experiment {answer.experiment.name}: {answer.experiment.arm}"] if answer.experiment else []
    said += [cards.LEVELS.get(answer.level, answer.level)] if answer.degraded else []
    if said:
        st.html(f'<p class="facts">{html_text(" · ".join(said))}</p>')


def show_recommendations(answer: Recommendations, visitor: Visitor, *, user_id: str) -> None:
    """The ranking; for an unknown user with the reason why it is not personal."""
    say_how(answer)
    if not answer.user_known:
        cards.notice(f"The model does not know user “{user_id}” yet, so here is what is popular with everyone.")
    if not answer.items:
        cards.notice("There is nothing left to recommend: this user has seen every item on sale.")
    cards.grid(answer.items, name="recommended", visitor=visitor, list_id=answer.list_id if counting.is_on() else None)


def show_history(history: History, visitor: Visitor) -> None:
    """The user's last items."""
    if not history.items:
        cards.notice("No history yet.")
        return
    cards.history_rows(history.items, visitor=visitor)
    if history.total > len(history.items):
        st.html(f'<p class="facts">the last {len(history.items)} of {history.total:,} items</p>')


visitor = current()
user_id = visitor.user_id
if user_id:
    st.html(f'<p class="kicker">For user</p><h1 class="page-title">{html_text(user_id)}</h1>')
else:
    st.html('<p class="kicker">Anonymous visitor</p><h1 class="page-title">Who is it for?</h1>')
pick_user()
if user_id:
    show_user(user_id, visitor)
else:
    show_anonymous(visitor)
