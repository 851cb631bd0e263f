"""One item and what goes with it or is like it (`?item=…`, and `&user=…` when a user's list led here)."""

from collections.abc import Sequence
from http import HTTPStatus

import streamlit as st

from ui import cards, counting, shop_text, shopping
from ui.gateway_client import GatewayError, gateway
from ui.models import Item
from ui.shop_text import html_text
from ui.visitor import Visitor, current

SIMILAR_SHOWN = 12
TOGETHER_SHOWN = 6


def show_details(item: Item) -> None:
    """Picture and facts, side by side."""
    picture, text = st.columns([2, 5], gap="medium", vertical_alignment="center")
    with picture, st.container(key="hero"):
        st.html(cards.tile_html(item))
    with text:
        price = shop_text.money(item.price) if item.price is not None else "not given"
        more = "".join(
            f"<dt>{html_text(name)}</dt><dd>{html_text(value)}</dd>" for name, value in sorted(item.attributes.items())
        )
        st.html(
            f'<p class="kicker">{html_text(item.category or "Item")}</p>'
            f'<h1 class="page-title">{html_text(cards.name_of(item))}</h1>'
            f'<dl class="details"><dt>Price</dt><dd>{price}</dd>'
            f"<dt>On sale</dt><dd>{'yes' if item.available else 'no'}</dd>{more}"
            f"<dt>Item id</dt><dd><code>{html_text(item.item_id)}</code></dd></dl>"
        )


def show_item(item_id: str, visitor: Visitor) -> None:
    """The item, which is thereby viewed, then what is bought together with it, if anything is, and what is like it."""
    item = gateway().item(item_id)
    if counting.is_on():
        shopping.viewed(item, visitor)
    show_details(item)
    if counting.is_on():
        with st.container(key="actions-item", horizontal=True, gap="small"):
            shopping.buttons(item, visitor, name="item", list_id=st.query_params.get("list"))
    try:
        together, similar = bought_together(item_id), gateway().similar(item_id, count=SIMILAR_SHOWN).items
    except GatewayError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        cards.notice("The model does not know this item yet; the next training may learn it.")
        return
    if together:
        st.header("Bought together", anchor=False)
        cards.grid(together, name="together", visitor=visitor)
    st.header("Similar items", anchor=False)
    if not similar:
        cards.notice("The model knows nothing like this item.")
    cards.grid(similar, name="similar", visitor=visitor)


def bought_together(item_id: str) -> Sequence[Item]:
    """What shares baskets with the item; none of the items like it, by which the list is filled and which follow."""
    found = gateway().bought_together(item_id, count=TOGETHER_SHOWN).items
    return [item for item in found if "bought_together" in item.sources]


item_id = st.query_params.get("item")
visitor = current()
if visitor.user_id:
    label = f"Back to user {shop_text.label(visitor.user_id)}"
    st.page_link(cards.HOME_PAGE, label=label, icon=":material/arrow_back:", query_params={"user": visitor.user_id})
elif st.query_params.get("list"):
    st.page_link(cards.HOME_PAGE, label="Back to the list", icon=":material/arrow_back:")
else:
    st.page_link(cards.CATALOGUE_PAGE, label="To the catalogue", icon=":material/arrow_back:")
if item_id:
    show_item(item_id, visitor)
else:
    cards.notice("No item is chosen. Open one from the catalogue.")
