"""The page flow: which pages there are, and what a visitor sees when the gateway gives no answer.

Run by Streamlit (see `__main__`), once a visit and again at every click.
"""

from pathlib import Path

import streamlit as st

from ui import back_office, cards, counting, metrics
from ui.gateway_client import GatewayError
from ui.shop_text import html_text

st.set_page_config(page_title="Recommendations", page_icon="🧭", layout="wide", initial_sidebar_state="collapsed")
st.html(Path(__file__).with_name("style.css"))

counting.start()
home_title = "For you" if counting.is_on() else "Customers"
home = st.Page(cards.HOME_PAGE, title=home_title, icon=":material/auto_awesome:", url_path="for-you", default=True)
catalogue = st.Page(cards.CATALOGUE_PAGE, title="Catalogue", icon=":material/search:", url_path="catalogue")
model = st.Page("views/model.py", title="Model", icon=":material/monitoring:", url_path="model")
console = [
    st.Page("views/overview.py", title="Overview", icon=":material/dashboard:", url_path="overview"),
    st.Page("views/data.py", title="Data", icon=":material/database:", url_path="data"),
    st.Page("views/experiments.py", title="Experiments", icon=":material/science:", url_path="experiments"),
    st.Page("views/merchandising.py", title="Merchandising", icon=":material/sell:", url_path="merchandising"),
]
item_page = st.Page(cards.ITEM_PAGE, title="Item", url_path="item", visibility="hidden")
page = st.navigation([home, catalogue, model, *console, item_page], position="hidden")
# Streamlit's own menu folds away on a phone; links that wrap fit there too. The demo shop shows what a shopper uses.
with st.container(key="menu", horizontal=True, gap="xsmall"):
    for entry in [home, catalogue, model, *([] if counting.is_on() else console)]:
        st.page_link(entry)
counting.switch()
back_office.key_field()
try:
    with metrics.page_run(page.url_path or "for-you"):
        page.run()
except GatewayError as error:
    cards.notice(error.sentence, kind="error")
    if error.request_id:
        st.html(f'<p class="facts">Request {html_text(error.request_id)}</p>')
