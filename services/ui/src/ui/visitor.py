"""Who is shopping: the user of the address (`?user=…`), or else this browser's own anonymous session."""

import uuid
from dataclasses import dataclass

import streamlit as st


@dataclass(frozen=True)
class Visitor:
    """A user of the shop, or an anonymous session; exactly one of the two is given."""

    user_id: str | None
    session_id: str | None

    @property
    def fields(self) -> dict[str, str]:
        """As the REST API names the visitor."""
        return {"user_id": self.user_id} if self.user_id else {"session_id": self.session_id or ""}


def current() -> Visitor:
    """The visitor of this page."""
    user_id = st.query_params.get("user")
    if user_id:
        return Visitor(user_id, None)
    return Visitor(None, st.session_state.setdefault("anonymous_session", f"visitor-{uuid.uuid4().hex}"))
