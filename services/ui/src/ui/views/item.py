"""One item and what is like it (`?item=…`, and `&user=…` when a user's list led here)."""

from html import escape

import streamlit as st

from ui import cards, shopping
from ui.gateway_client import gateway
from ui.models import Item
from ui.visitor import Visitor, current

SIMILAR_SHOWN = 12


def show_details(item: Item) -> None:
    """Picture and facts, side by side."""
    picture, text = st.columns([2, 5], gap="medium", vertical_alignment="center")
    with picture, st.container(key="hero"):
        st.html(cards.tile_html(item))
    with text:
        price = f"{item.price:,.2f}" if item.price is not None else "not given"
        st.html(
            f'<p class="kicker">{escape(item.category or "Item")}</p>'
            f'<h1 class="page-title">{escape(cards.name_of(item))}</h1>'
            f'<dl class="details"><dt>Price</dt><dd>{price}</dd>'
            f"<dt>On sale</dt><dd>{'yes' if item.available else 'no'}</dd>"
            f"<dt>Item id</dt><dd><code>{escape(item.item_id)}</code></dd></dl>"
        )


def show_item(item_id: str, visitor: Visitor) -> None:
    """The item, which is thereby viewed, then the items like it."""
    item = gateway().item(item_id)
    shopping.viewed(item, visitor)
    show_details(item)
    with st.container(key="actions-item", horizontal=True, gap="small"):
        shopping.buttons(item, visitor, name="item", list_id=st.query_params.get("list"))
    st.header("Similar items", anchor=False)
    similar = gateway().similar(item_id, count=SIMILAR_SHOWN).items
    if not similar:
        cards.notice("The model knows nothing like this item.")
    cards.grid(similar, name="similar", visitor=visitor)


item_id = st.query_params.get("item")
visitor = current()
if visitor.user_id:
    label = f"Back to user {cards.literal(visitor.user_id)}"
    st.page_link(cards.HOME_PAGE, label=label, icon=":material/arrow_back:", query_params={"user": visitor.user_id})
elif st.query_params.get("list"):
    st.page_link(cards.HOME_PAGE, label="Back to the list", icon=":material/arrow_back:")
else:
    st.page_link(cards.CATALOGUE_PAGE, label="To the catalogue", icon=":material/arrow_back:")
if item_id:
    show_item(item_id, visitor)
else:
    cards.notice("No item is chosen. Open one from the catalogue.")
