"""What the test double shows a test. That it answers as the API does, tests/clients/test_fake_like_real.py holds."""

import pytest

from recsys_client import AccessError, Event, TooManyRequestsError, UnavailableError
from recsys_client.testing import Exposure, FakeGateway


def test_events_are_shown_once_with_all_their_fields() -> None:
    gateway = FakeGateway()
    event = Event(session_id="s", item_id="a", type="view", list_id="l", position=2, quantity=6, value=1.5)
    with gateway.client() as client:
        client.post_events([event])
        client.post_events([event])
        client.merge_session("u", "s")
    (stored,) = gateway.events
    answer = {"list_id": "l", "position": 2}
    expected = {"item_id": "a", "type": "view", "quantity": 6, "value": 1.5, "user_id": "u"} | answer
    assert stored.items() >= expected.items()
    assert stored["event_id"] == event.event_id


def test_lists_are_shown_to_whom_they_were_given_but_not_previews() -> None:
    gateway = FakeGateway()
    with gateway.client() as client:
        client.put_item("a")
        shown = client.recommend(user_id="u")
        client.recommend(user_id="u", preview=True)
        client.get_popular_items()
    assert gateway.exposures == [Exposure(shown.list_id, "u", None, ("a",))]


def test_a_key_is_expected_where_one_is_set() -> None:
    gateway = FakeGateway(api_key="rk_1")
    assert gateway.client().get_popular_items().items == ()
    with pytest.raises(AccessError):
        gateway.client(api_key="another").get_popular_items()


def test_failures_come_in_turn_and_then_all_is_well() -> None:
    gateway = FakeGateway()
    gateway.fail(429, retry_after_s=60)
    gateway.fail(503, times=3)
    client = gateway.client()
    with pytest.raises(TooManyRequestsError) as raised:
        client.get_popular_items()
    assert raised.value.retry_after_s == 60
    with pytest.raises(UnavailableError):
        client.get_popular_items()
    assert client.get_popular_items().level == "full"
    assert len(gateway.requests) == 5
