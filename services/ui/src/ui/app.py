"""The page flow: which pages there are, and what a visitor sees when the gateway gives no answer.

Run by Streamlit (see `__main__`), once a visit and again at every click.
"""

from pathlib import Path

import streamlit as st

from ui import cards, counting, metrics
from ui.gateway_client import GatewayError
from ui.shop_text import html_text

st.set_page_config(page_title="Recommendations", page_icon="🧭", layout="wide", initial_sidebar_state="collapsed")
st.html(Path(__file__).with_name("style.css"))

in_menu = [
    st.Page(cards.HOME_PAGE, title="For you", icon=":material/auto_awesome:", url_path="for-you", default=True),
    st.Page(cards.CATALOGUE_PAGE, title="Catalogue", icon=":material/search:", url_path="catalogue"),
    st.Page("views/model.py", title="Model", icon=":material/monitoring:", url_path="model"),
]
item_page = st.Page(cards.ITEM_PAGE, title="Item", url_path="item", visibility="hidden")
page = st.navigation([*in_menu, item_page], position="hidden")
# Streamlit's own menu folds away on a phone; three links fit there too.
with st.container(key="menu", horizontal=True, gap="xsmall"):
    for entry in in_menu:
        st.page_link(entry)
counting.switch()
try:
    with metrics.page_run(page.url_path or "for-you"):
        page.run()
except GatewayError as error:
    cards.notice(error.sentence, kind="error")
    if error.request_id:
        st.html(f'<p class="facts">Request {html_text(error.request_id)}</p>')
