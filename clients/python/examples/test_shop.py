"""How a shop tests its own code: against the API in memory. Run: pytest test_shop.py"""

from recsys_client import Client, Event, RecsysError
from recsys_client.testing import FakeGateway


def titles_for(recsys: Client, session_id: str) -> list[str]:
    """The shop's own code: what its page shows, nothing where there is no answer."""
    try:
        return [item.title or item.item_id for item in recsys.recommend(session_id=session_id, count=2).items]
    except RecsysError:
        return []


def test_a_visitor_is_shown_what_they_have_not_seen() -> None:
    gateway = FakeGateway()
    with gateway.client() as recsys:
        recsys.put_item("1", title="Mug")
        recsys.put_item("2", title="Teapot")
        recsys.post_events([Event(session_id="s", item_id="1", type="view")])
        assert titles_for(recsys, "s") == ["Teapot"]
    assert [(shown.session_id, shown.item_ids) for shown in gateway.exposures] == [("s", ("2",))]


def test_the_page_stands_while_recommendations_are_unavailable() -> None:
    gateway = FakeGateway()
    gateway.fail(503, times=3)  # as often as the client asks
    with gateway.client() as recsys:
        assert titles_for(recsys, "s") == []
