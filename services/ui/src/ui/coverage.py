"""How much of the catalogue customers were shown, and how evenly, as people read it."""

from ui import cards
from ui.models import Coverage, Shown


def coverage_html(coverage: Coverage) -> str:
    """Of this week and of yesterday."""
    week, yesterday = coverage.week, coverage.yesterday
    if not week.items:
        return ""
    return cards.figures_html(
        {
            "Shown this week": _shown(week, coverage.catalogue),
            "Shown yesterday": _shown(yesterday, coverage.catalogue),
            "The most shown 1 %": f"{week.top_share:.0%}",
            "Gini": f"{week.gini:.2f}",
        },
        below={
            "Shown this week": _of_how_many(week, coverage.catalogue),
            "Shown yesterday": _of_how_many(yesterday, coverage.catalogue),
            "The most shown 1 %": "of all places this week",
            "Gini": "0: each item as often, 1: one has all",
        },
    )


def _shown(shown: Shown, catalogue: int | None) -> str:
    if not catalogue or shown.on_sale is None:
        return f"{shown.items:,} items"
    return f"{shown.on_sale / catalogue:.0%}"


def _of_how_many(shown: Shown, catalogue: int | None) -> str:
    if not catalogue or shown.on_sale is None:
        return "how many are on sale is not known here"
    return f"{shown.on_sale:,} of {catalogue:,} items on sale"
