"""What a visitor does with an item: each button posts an event, and the next list knows of it."""

import streamlit as st

from ui.gateway_client import GatewayError, gateway
from ui.models import Item
from ui.visitor import Visitor

_ACTIONS = {"cart": ("Cart", ":material/add_shopping_cart:"), "purchase": ("Buy", ":material/shopping_bag:")}
_SAID = {"cart": "In the cart", "purchase": "Bought"}


def buttons(item: Item, visitor: Visitor, *, name: str, list_id: str | None = None, position: int = 0) -> None:
    """Cart and purchase. `name` tells the buttons of one page apart; the last two say which list showed the item."""
    for event_type, (label, icon) in _ACTIONS.items():
        st.button(
            label,
            key=f"{event_type}-{name}",
            icon=icon,
            disabled=not item.available,
            on_click=_did,
            args=[event_type, item, visitor],
            kwargs={"list_id": list_id, "position": position},
        )


def viewed(item: Item, visitor: Visitor) -> None:
    """A visitor opened the item's page. Streamlit runs a page again at every click: one visit is one view."""
    list_id, position = st.query_params.get("list"), st.query_params.get("position", "")
    visit = (visitor, item.item_id, list_id)
    if st.session_state.get("last_view") == visit:
        return
    st.session_state.last_view = visit
    _post("view", item, visitor, list_id=list_id, position=int(position) if position.isdecimal() else 0)


def _did(event_type: str, item: Item, visitor: Visitor, *, list_id: str | None, position: int) -> None:
    if _post(event_type, item, visitor, list_id=list_id, position=position):
        st.toast(f"{_SAID[event_type]}: {item.title or item.item_id}")


def _post(event_type: str, item: Item, visitor: Visitor, *, list_id: str | None, position: int) -> bool:
    value = item.price if event_type == "purchase" else None
    try:
        gateway().post_event(
            visitor, item.item_id, event_type=event_type, value=value, list_id=list_id, position=position or None
        )
    except GatewayError as error:  # the page goes on: what could not be noted is said, and no more
        st.toast(f"Not noted: {error.sentence}", icon=":material/error:")
        return False
    return True
