"""The catalogue: search by words of the title and by category, page by page."""

import streamlit as st

from ui import cards
from ui.gateway_client import gateway
from ui.models import ItemPage
from ui.visitor import current

PAGE_SIZE = 24


def search_fields() -> tuple[str, str]:
    """What is asked for: words and category, both kept in the address. A category is picked or typed."""
    words, kind = st.columns([3, 2])
    query = words.text_input(
        "Search titles",
        key="query",
        bind="query-params",
        type="search",
        max_chars=200,
        live=True,
        placeholder="Words of the title",
        icon=":material/search:",
    )
    category = kind.selectbox(
        "Category",
        st.session_state.setdefault("categories_seen", []),
        index=None,
        key="category",
        bind="query-params",
        accept_new_options=True,
        placeholder="Any category",
    )
    return query or "", category or ""


def turn_back(cursors: list[str]) -> None:
    """The page before this one is next."""
    cursors.pop()


def show_page(page: ItemPage, *, cursors: list[str]) -> None:
    """One page of the answer, and the way to the next and the previous one."""
    if not page.items:
        cards.notice("No item matches. Try fewer words, or another category.")
    cards.grid(page.items, name="catalogue", visitor=current())
    with st.container(key="paging", horizontal=True, horizontal_alignment="center", vertical_alignment="center"):
        if cursors:
            st.button("Previous", icon=":material/chevron_left:", on_click=turn_back, args=[cursors])
        if page.items:
            st.html(f'<p class="facts">Page {len(cursors) + 1}</p>', width="content")
        if page.next_cursor:
            st.button("Next", icon=":material/chevron_right:", on_click=cursors.append, args=[page.next_cursor])


st.html('<p class="kicker">Catalogue</p><h1 class="page-title">What the shop has</h1>')
query, category = search_fields()
if st.session_state.get("searched") != (query, category):
    st.session_state.searched = (query, category)
    st.session_state.cursors = []
cursors: list[str] = st.session_state.cursors
answer = gateway().search(query=query, category=category, page_size=PAGE_SIZE, cursor=cursors[-1] if cursors else "")
st.session_state.categories_seen = sorted(
    {item.category for item in answer.items if item.category} | set(st.session_state.categories_seen)
)
show_page(answer, cursors=cursors)
