"""Data: events a day by type, weeks beside each other, what the model knows of it, coverage, and rejected rows."""

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from ui import activity, cards, coverage, drift
from ui.activity import Week
from ui.gateway_client import gateway
from ui.models import DayOfActivity, FileRows, Reading
from ui.shop_text import html_text

DAYS_SHOWN = 30
KINDS = 5  # colours; further types share the last one


def days_html(days: Sequence[DayOfActivity]) -> str:
    """A column a day, of a part a type; the most frequent type lies at the bottom."""
    most = max(sum(day.events.values()) for day in days) or 1
    types = by_frequency(days)
    columns = "".join(_day(day, types, most=most) for day in days)
    legend = "".join(f'<span data-kind="{_kind(row)}">{html_text(name)}</span>' for row, name in enumerate(types))
    first, last = days[0].date, days[-1].date
    return (
        f'<div class="days" role="img" aria-label="Events a day">{columns}</div>'
        f'<p class="days-ends"><span>{first:%d %b}</span><span>{last:%d %b}</span></p><p class="legend">{legend}</p>'
    )


def by_frequency(days: Sequence[DayOfActivity]) -> list[str]:
    """Event types, the most frequent first."""
    counted = activity.summed(day.events for day in days)
    return sorted(counted, key=lambda name: (-counted[name], name))


def _day(day: DayOfActivity, types: Sequence[str], *, most: int) -> str:
    told = ", ".join(f"{name} {day.events[name]:,}" for name in types if name in day.events) or "nothing"
    parts = "".join(
        f'<i data-kind="{_kind(row)}" style="--share:{day.events[name] / most:.2%}"></i>'
        for row, name in reversed(list(enumerate(types)))
        if day.events.get(name)
    )
    return f'<div title="{html_text(f"{day.date:%d %b %Y}: {told}")}">{parts}</div>'


def _kind(row: int) -> int:
    return min(row, KINDS - 1)


def types_html(now: Week, before: Week) -> str:
    """Events by type in this week and the one before."""
    rows = "".join(
        f"<tr><td>{html_text(name)}</td><td>{now.events[name]:,}</td><td>{before.events[name]:,}</td>"
        f"<td>{html_text(activity.change(now.events[name], before.events[name]))}</td></tr>"
        for name in sorted({*now.events, *before.events}, key=lambda name: (-now.events[name], name))
    )
    return (
        '<div class="scrolled"><table class="plain"><thead><tr><th>Event</th><th>Last 7 days</th>'
        f"<th>7 days before</th><th></th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def show_events() -> None:
    """Events a day, and how the last week differs."""
    found = activity.asked()
    if found is None:
        return
    today = datetime.now(UTC).date()
    st.html(days_html(activity.every_day(found, today=today, count=DAYS_SHOWN)))
    st.header("By type", anchor=False)
    now, before = activity.this_and_last(found, today=today)
    st.html(types_html(now, before))
    st.header("What the model knows of it", anchor=False)
    if found.drift is None:
        cards.notice("Nothing is live yet, or the event sink does not see the models.")
    else:
        cards.notice(drift.sentence(found.drift))
        st.html(drift.drift_html(found.drift))
        if types := drift.types_html(found.drift):
            st.html(types)
        st.html(f'<p class="facts">Beside what version {html_text(found.drift.version)} was trained on.</p>')
    if found.coverage is not None and (shown := coverage.coverage_html(found.coverage)):
        st.header("Catalogue in lists", anchor=False)
        st.html(shown)
    if found.as_of is not None:
        st.html(f'<p class="facts">As of {found.as_of:%d %b %Y, %H:%M} UTC; days are of UTC, weeks with today.</p>')


def show_reading(reading: Reading | None) -> None:
    """What became of the rows of the shop's files."""
    st.header("The shop's files", anchor=False)
    if reading is None:
        cards.notice("No file of events was read: this shop learns from what the API is told.")
        return
    for rows in reading.files:
        st.html(rows_html(rows))
    st.html(f'<p class="facts">Read {reading.read_at:%d %b %Y, %H:%M} UTC.</p>')


def rows_html(rows: FileRows) -> str:
    """How many rows were kept, and the reasons of those that were rejected."""
    rejected = sum(one.rows for one in rows.rejected)
    figures = cards.figures_html(
        {
            f"Rows of {rows.name}": f"{rows.read:,}",
            "Kept": f"{rows.kept:,}",
            "Rejected": f"{rejected:,}",
            "No events to learn from": f"{rows.ignored:,}",
        }
    )
    if not rows.rejected:
        return figures
    lines = "".join(
        f'<tr><td class="words">{html_text(one.reason)}</td><td>{one.rows:,}</td>'
        f'<td class="words">{html_text(one.hint or "")}</td></tr>'
        for one in rows.rejected
    )
    return (
        f'{figures}<div class="scrolled"><table class="plain"><thead><tr><th>Why</th><th>Rows</th>'
        f"<th>What would mend them</th></tr></thead><tbody>{lines}</tbody></table></div>"
    )


st.html('<p class="kicker">Data</p><h1 class="page-title">What the shop tells</h1>')
st.header("Events a day", anchor=False)
show_events()
show_reading(gateway().runs(count=1).last_reading)
