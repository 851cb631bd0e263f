"""How much of what happens the live model knows, as people read it."""

from ui import cards
from ui.models import Drift, KnownEvents
from ui.shop_text import html_text

_LITTLE = 0.8  # with less than that known, a sentence says what helps


def sentence(drift: Drift) -> str:
    """The one thing to know."""
    bought, all_events = drift.purchases.share, drift.items.share
    if bought is None and all_events is None:
        return "Nothing has happened in the last 7 days that the model could know."
    said = (
        f"The model knows {all_events:.0%} of what happened in the last 7 days; nothing was bought."
        if bought is None
        else f"The model knows {bought:.0%} of what was bought in the last 7 days."
    )
    known = all_events if bought is None else bought
    return said if known is None or known >= _LITTLE else f"{said} The rest is new since: a training takes it up."


def drift_html(drift: Drift) -> str:
    """Shares that the model knows, and whether its most popular items still are."""
    figures, below = {}, {}
    told = {
        "Events on items it knows": drift.items,
        "Purchases of items it knows": drift.purchases,
        "Events of customers it knows": drift.users,
    }
    for name, known in told.items():
        figures[name], below[name] = _share(known)
    if drift.trained_head_share is not None and drift.head_items is not None:
        name = f"Its {drift.head_items:,} most popular items" if drift.head_items > 1 else "Its most popular item"
        figures[name] = "–" if drift.head_share is None else f"{drift.head_share:.0%}"
        below[name] = f"of customers' interest; {drift.trained_head_share:.0%} when it was trained"
    return cards.figures_html(figures, below=below)


def types_html(drift: Drift) -> str:
    """Each type's share of the events, beside its share in training; empty where one of both is not known."""
    now, trained = sum(drift.types.values()), sum(drift.trained_types.values())
    if not now or not trained:
        return ""
    rows = ""
    for name in sorted({*drift.types, *drift.trained_types}, key=lambda name: (-drift.types.get(name, 0), name)):
        share, before = drift.types.get(name, 0) / now, drift.trained_types.get(name, 0) / trained
        rows += (
            f"<tr><td>{html_text(name)}</td><td>{share:.1%}</td><td>{before:.1%}</td>"
            f"<td>{_points(share - before)}</td></tr>"
        )
    return (
        '<div class="scrolled"><table class="plain"><thead><tr><th>Share of events</th><th>Last 7 days</th>'
        f"<th>In training</th><th></th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _share(known: KnownEvents | None) -> tuple[str, str]:
    if known is None:
        return "–", "its users are in the feature store"
    if known.share is None:
        return "–", "none in the last 7 days"
    return f"{known.share:.0%}", f"{known.known:,} of {known.events:,}"


def _points(difference: float) -> str:
    points = round(100 * difference, 1)
    return "as in training" if points == 0 else f"{'▲' if points > 0 else '▼'} {abs(points):.1f} points"
