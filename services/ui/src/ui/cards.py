"""How an item looks: items in, cards on the page out.

All text of the shop goes through `shop_text`, so none of it reaches the page as markup.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from zlib import crc32

import streamlit as st

from ui import shop_text, shopping
from ui.gateway_client import gateway
from ui.models import Contribution, Explanation, HistoryItem, Item, RankedItem
from ui.shop_text import html_text, label
from ui.visitor import Visitor

HOME_PAGE = "views/recommendations.py"
ITEM_PAGE = "views/item.py"
CATALOGUE_PAGE = "views/catalogue.py"
# characters from which a title may not fit, see style.css
CLIPPED_FROM = 40  # in two rows of the history
CLIPPED_IN_CARD_FROM = 60  # in four rows of a card
MOST_NAMES = 100  # asked for at once
_LEARNED = "ranker:"  # terms of a learned ranker begin so
_MOST_LEARNED = 5  # of them, the largest
LONGEST_NOTICE = 2_000  # characters; the reasons of a refusal are some

SOURCE_LABELS = {
    "ann": ("for you", "near the visitor's taste in the model"),
    "session": ("goes with", "near the items looked at last"),
    "transitions": ("others also took", "what others took up after, or along with, the same items"),
    "popular": ("popular", "bought or viewed by many users lately"),
    "trending": ("trending", "rising over the last day"),
    "new": ("new", "nobody knows it yet"),
    "content": ("new for you", "nobody took it up yet; its title, category or price is to the visitor's taste"),
    "similar": ("similar", "near this item in the model"),
    "bought_together": ("bought together", "shares baskets with this item"),
    "rule": ("picked", "put here by a rule of the shop"),
}
ORIGINS = {"trained": "from the history", "folded_in": "from what was done just now"}
LEVELS = {
    "without_live_state": "without what happened just now: the feature store is unavailable",
    "without_rerank": "in rough order: the reranker is unavailable",
    "popular_in_category": "what is popular: the recommendation services are unavailable",
    "static": "a fixed list: the recommendation services are unavailable",
}


def grid(items: Sequence[Item], *, name: str, visitor: Visitor, list_id: str | None = None) -> None:
    """Cards side by side, as many as the screen is wide. `name` tells the grids of one page apart.

    `list_id` is of the recommendation that the items are from, if it counts: what is done with them answers it.
    """
    names = names_of([id for item in items if isinstance(item, RankedItem) for id in _explained_by(item)])
    best = max((item.score for item in items if isinstance(item, RankedItem)), default=0.0)
    with st.container(key=f"grid-{name}"):
        for position, item in enumerate(items):
            with st.container(key=f"card-{name}-{position}", gap=None):
                st.html(tile_html(item))
                origin = {"list": list_id, "position": str(position + 1)} if list_id else {}
                is_clipped = len(name_of(item)) >= CLIPPED_IN_CARD_FROM
                item_link(item, visitor=visitor, is_clipped=is_clipped, origin=origin)
                st.html(facts_html(item) + (score_html(item, best=best) if isinstance(item, RankedItem) else ""))
                _actions(item, visitor, name=f"{name}-{position}", list_id=list_id, position=position + 1, names=names)


def names_of(item_ids: Iterable[str]) -> dict[str, str]:
    """Item id → what people call it, of those that the catalogue has."""
    wanted = list(dict.fromkeys(item_ids))[:MOST_NAMES]
    return {item.item_id: name_of(item) for item in gateway().items(wanted).items} if wanted else {}


def _explained_by(item: RankedItem) -> Iterator[str]:
    """Items of the history that the explanation names."""
    if item.explanation is not None:
        yield from (one.item_id for one in (*item.explanation.contributions, *item.explanation.comes_after))


def _actions(
    item: Item, visitor: Visitor, *, name: str, list_id: str | None, position: int, names: Mapping[str, str]
) -> None:
    """What can be done with a recommended item where that counts, and why it is here where that is known."""
    with st.container(key=f"actions-{name}", horizontal=True, gap="xsmall"):
        if list_id:
            shopping.buttons(item, visitor, name=name, list_id=list_id, position=position)
        if isinstance(item, RankedItem) and item.explanation is not None:
            with st.popover("Why", icon=":material/help:", key=f"why-{name}"):
                st.html(why_html(item, item.explanation, names=names))


def why_html(item: RankedItem, why: Explanation, *, names: Mapping[str, str]) -> str:
    """The explanation of an item as a list of sentences; `names` are those of the history's items, by id."""
    lines = []
    if why.contributions:
        lines.append(f"<dt>Because of</dt><dd>{_shares(why.contributions, names)}</dd>")
    if why.comes_after:
        lines.append(f"<dt>Taken up after or with</dt><dd>{_shares(why.comes_after, names)}</dd>")
    places = [f"{html_text(SOURCE_LABELS.get(one.source, (one.source,))[0])} #{one.rank}" for one in why.sources]
    lines.append(f"<dt>Proposed by</dt><dd>{', '.join(places) or 'a rule of the shop'}</dd>")
    learned = [one for one in why.terms if one.name.startswith(_LEARNED)]
    others = [one for one in why.terms if one not in learned]
    terms = [f"{html_text(one.name)} {one.weight:g} × {one.value:.3f}" for one in others]
    if learned:
        terms.append(f"what the learned ranker says of it {sum(one.weight * one.value for one in learned):.3f}")
        most = sorted(learned, key=lambda one: -abs(one.weight * one.value))[:_MOST_LEARNED]
        parts = [f"{html_text(_learned_name(one.name))} {one.weight * one.value:+.3f}" for one in most]
        lines.append(f"<dt>Learned ranker</dt><dd>{', '.join(parts)}</dd>")
    lines.append(f"<dt>Score</dt><dd>{item.score:.4f} = {' + '.join(terms)}</dd>")
    lines.append(f"<dt>Personal score</dt><dd>{why.personal_score:.4f}, rank {why.rank_by_score} by score</dd>")
    if why.rules:
        lines.append(f"<dt>Rules</dt><dd>{html_text(', '.join(why.rules))}</dd>")
    if item.propensity < 1:
        lines.append(f"<dt>Exploration</dt><dd>stands here in {item.propensity:.2%} of draws</dd>")
    return f'<dl class="why">{"".join(lines)}</dl>'


def _learned_name(term: str) -> str:
    """`ranker:user_price_ratio` as words."""
    return term.removeprefix(_LEARNED).replace("_", " ")


def _shares(of: Sequence[Contribution], names: Mapping[str, str]) -> str:
    """Items of the history, and what each is of all of these."""
    whole = sum(abs(one.value) for one in of)
    return ", ".join(
        f"{html_text(names.get(one.item_id, one.item_id))} ({abs(one.value) / whole:.0%})" for one in of if whole > 0
    )


def history_rows(items: Sequence[HistoryItem], *, visitor: Visitor) -> None:
    """One line an item: what it was, what the user did, and when."""
    with st.container(key="history", gap=None):
        for position, item in enumerate(items):
            with st.container(key=f"event-{position}", gap=None):
                st.html(tile_html(item))
                item_link(item, visitor=visitor, is_clipped=len(name_of(item)) >= CLIPPED_FROM)
                when = f"{item.last_event_at.day} {item.last_event_at:%b %Y}"
                st.html(f'<p class="facts">{html_text(item.event_type)} · {when}</p>')


def item_link(
    item: Item, *, visitor: Visitor, is_clipped: bool = False, origin: Mapping[str, str] | None = None
) -> None:
    """A link to the item's page; its address keeps the user, for the way back, and its `origin`, a place in a list.

    Where the name may be clipped, it is the tooltip too.
    """
    params = {"item": item.item_id} | ({"user": visitor.user_id} if visitor.user_id else {}) | dict(origin or {})
    name = label(name_of(item))
    tooltip = name if is_clipped else None
    st.page_link(ITEM_PAGE, label=name, icon="", width="stretch", query_params=params, help=tooltip)


def notice(text: str, *, kind: str = "info") -> None:
    """A sentence that the visitor should read; `kind` is info or error."""
    role = "alert" if kind == "error" else "status"
    st.html(f'<div class="notice {kind}" role="{role}">{html_text(text, longest=LONGEST_NOTICE)}</div>')


def figures_html(figures: Mapping[str, str], *, below: Mapping[str, str] | None = None) -> str:
    """Figures by their names, as boxes; `below` says more of some, by the same names."""
    small = {name: f"<small>{html_text(text)}</small>" for name, text in (below or {}).items()}
    boxes = "".join(
        f"<div><dt>{html_text(name)}</dt><dd>{html_text(value)}{small.get(name, '')}</dd></div>"
        for name, value in figures.items()
    )
    return f'<dl class="figures">{boxes}</dl>'


def name_of(item: Item) -> str:
    """What people call the item: its title, or its id where the shop gave no title."""
    return shop_text.plain(item.title or "") or shop_text.plain(item.item_id) or "no name"


def tile_html(item: Item) -> str:
    """The item's picture, over a tile in the colour of its category that stays where there is no picture."""
    hue = crc32((item.category or item.item_id).encode(errors="replace")) % 360
    address = shop_text.picture_address(item.image_url)
    picture = f'<img src="{escape(address)}" alt="" loading="lazy" referrerpolicy="no-referrer">' if address else ""
    initials = f"<span>{html_text(_initials(item))}</span>"
    return f'<div class="tile" style="--hue:{hue}" aria-hidden="true">{initials}{picture}</div>'


def facts_html(item: Item) -> str:
    """Category, price and whether it is on sale, as far as the shop said."""
    facts = [html_text(item.category)] if item.category else []
    if item.price is not None:
        facts.append(f'<span class="price">{shop_text.money(item.price)}</span>')
    if not item.available:
        facts.append('<span class="off">not on sale</span>')
    return f'<p class="facts">{" · ".join(facts)}</p>'


def score_html(item: RankedItem, *, best: float) -> str:
    """The score as a figure and as a bar against the list's best one, and a badge for every source."""
    share = max(0.0, min(1.0, item.score / best)) if best > 0 else 0.0
    badges = "".join(_badge(source) for source in item.sources)
    return (
        f'<div class="score" title="score {item.score:.6g}"><span>{item.score:.3f}</span>'
        f'<i style="--share:{share:.0%}"></i></div><div class="badges">{badges}</div>'
    )


def _badge(source: str) -> str:
    name, meaning = SOURCE_LABELS.get(source, (source, "source of this candidate"))
    return (
        f'<span class="badge" data-source="{html_text(source)}" title="{html_text(meaning)}">{html_text(name)}</span>'
    )


def _initials(item: Item) -> str:
    words = re.findall(r"\w+", name_of(item))
    return "".join(word[0] for word in words[:2]).upper()
