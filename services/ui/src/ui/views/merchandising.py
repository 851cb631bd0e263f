"""Merchandising: take items off sale and put them back, and try a rule on a customer's list before it is saved."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from ui import back_office, cards
from ui.gateway_client import gateway
from ui.models import Item, RankedItem, Rule
from ui.shop_text import html_text
from ui.visitor import Visitor

ITEMS_SHOWN = 12
LIST_LENGTH = 10
PIN, BOOST = "Pin to a place", "Boost"
CATEGORY, ITEM = "A category", "One item"


def show_sale() -> None:
    """Items found by words of the title, each with its switch."""
    st.header("On sale", anchor=False)
    words = st.text_input(
        "Search titles", key="sale_query", type="search", max_chars=200, placeholder="Words of the title"
    )
    page = gateway().search(query=words or "", category="", page_size=ITEMS_SHOWN, cursor="")
    if not page.items:
        cards.notice("No item matches. Try fewer words.")
    with st.container(key="grid-sale"):
        for position, item in enumerate(page.items):
            with st.container(key=f"card-sale-{position}", gap=None):
                st.html(cards.tile_html(item))
                cards.item_link(item, visitor=Visitor(None, None), is_clipped=True)
                st.html(cards.facts_html(item))
                with st.container(key=f"actions-sale-{position}"):
                    sale_button(item, position=position)


def sale_button(item: Item, *, position: int) -> None:
    """Off sale, or back."""
    label, said = ("Take off sale", "is off sale") if item.available else ("Put back", "is on sale")
    st.button(
        label,
        key=f"sale-{position}",
        on_click=back_office.change,
        args=[
            f"{cards.name_of(item)} {said}",
            partial(gateway().put_on_sale, item.item_id, available=not item.available, key=back_office.key()),
        ],
    )


def rule_of_form() -> Rule | None:
    """The rule as the fields have it; none while something is missing."""
    what, value, how, amount = st.columns([2, 4, 2, 2], vertical_alignment="bottom")
    of = what.selectbox("For", [CATEGORY, ITEM], key="rule_of")
    named = value.text_input("Category, exactly" if of == CATEGORY else "Item id", key="rule_value", max_chars=500)
    does = how.selectbox("Do", [PIN, BOOST], key="rule_does")
    place, factor = None, None
    if does == PIN:
        place = int(amount.number_input("Place", 1, 100, 1, key="rule_place"))
    else:
        factor = float(amount.number_input("Score times", 0.1, 1000.0, 2.0, key="rule_factor"))
    named = (named or "").strip()
    if not named:
        return None
    return Rule(
        name=f"{does.split()[0].lower()} {named}"[:64],
        category=named if of == CATEGORY else None,
        item_id=named if of == ITEM else None,
        boost=factor,
        pin_position=place,
    )


def show_rules(rules: Sequence[Rule]) -> None:
    """The rules that hold, each with a way to end it."""
    st.header("Rules of every list", anchor=False)
    if not rules:
        cards.notice("No rule holds.")
    names = cards.names_of([rule.item_id for rule in rules if rule.item_id is not None])
    for position, rule in enumerate(rules):
        with st.container(key=f"rule-{position}", horizontal=True, vertical_alignment="center"):
            st.html(f'<b>{html_text(rule.name)}</b> <span class="facts">{html_text(rule.sentence(names))}</span>')
            others = [*rules[:position], *rules[position + 1 :]]
            save_button("Remove", others, said=f"{rule.name} is removed", name=f"remove-{position}")


def save_button(text: str, rules: Sequence[Rule], *, said: str, name: str) -> None:
    """These become the rules of every list."""
    ask = partial(gateway().put_rules, rules, key=back_office.key())
    st.button(text, key=name, on_click=back_office.change, args=[said, ask])


def show_rule(saved: Sequence[Rule]) -> None:
    """A rule, and what it changes for one customer."""
    st.header("Try a rule", anchor=False)
    rule = rule_of_form()
    user_id = st.text_input("For the customer", key="rule_user", placeholder="A user id; empty: a new visitor")
    if rule is None:
        cards.notice("Name a category or an item to see what the rule changes.")
        return
    visitor = Visitor(user_id.strip(), None) if user_id and user_id.strip() else Visitor(None, "rule-preview")
    ask = partial(gateway().recommendations, visitor, count=LIST_LENGTH, include_seen=False, preview=True)
    without = ask()
    before, after = without.items, ask(rules=[rule], request_id=without.request_id).items  # chance draws the same
    say_difference(before, after)
    left, right = st.columns(2, gap="large")
    with left:
        st.html(list_html("As it is", before, other=after))
    with right:
        st.html(list_html("With the rule", after, other=before))
    save_button("Save the rule for every list", [*saved, rule], said=f"{rule.name} holds", name="save-rule")


def say_difference(before: Sequence[RankedItem], after: Sequence[RankedItem]) -> None:
    """How many places the rule changes."""
    changed = sum(
        old != new
        for old, new in zip([item.item_id for item in before], [item.item_id for item in after], strict=False)
    ) + abs(len(before) - len(after))
    if changed:
        st.html(f'<p class="facts">The rule changes {changed} of {max(len(before), len(after))} places.</p>')
    else:
        cards.notice("The rule changes nothing here: no candidate of this customer matches, or it stood there anyway.")


def list_html(title: str, items: Sequence[RankedItem], *, other: Sequence[RankedItem]) -> str:
    """A list by titles; what stands elsewhere in the other one is marked."""
    elsewhere = [item.item_id for item in other]
    rows = "".join(
        f'<li class="{"" if elsewhere[position : position + 1] == [item.item_id] else "moved"}">'
        f"{html_text(cards.name_of(item), longest=90)} <small>{html_text(item.category or '')}</small></li>"
        for position, item in enumerate(items)
    )
    return f'<p class="kicker">{html_text(title)}</p><ol class="compared">{rows}</ol>'


st.html('<p class="kicker">Merchandising</p><h1 class="page-title">What the shop wants seen</h1>')
rules = gateway().rules().rules
show_rule(rules)
show_rules(rules)
show_sale()
