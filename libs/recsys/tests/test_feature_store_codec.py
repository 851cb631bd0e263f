"""Entries as text: what an older version wrote is read by this one."""

from recsys.feature_store import codec
from recsys.feature_store.interface import Event, Exposure, Subject

ANNA = Subject("user", "anna")


def test_an_event_of_before_there_were_list_ids_is_read() -> None:
    text = '["e","i","view",1,1.0,null,"r",3]'
    assert codec.event_from_text(text, ANNA) == Event("e", ANNA, "i", "view", 1, 1.0, None, "r", 3)


def test_an_event_of_before_there_were_quantities_is_of_one_piece() -> None:
    text = '["e","i","purchase",1,5.0,2.5,null,3,"l"]'
    assert codec.event_from_text(text, ANNA) == Event("e", ANNA, "i", "purchase", 1, 5.0, 2.5, None, 3, "l", quantity=1)
    assert [each.quantity for each in codec.recent_from_text(f"[[1,{text}]]")] == [1]


def test_an_exposure_of_before_there_were_list_ids_has_its_requests() -> None:
    text = '["r",1,["i"],[1.0],"v","exp","a",2.5]'
    shown = Exposure("r", ANNA, 1, ("i",), (1.0,), "v", "exp", "a", 2.5, request_id="r")
    assert codec.exposure_from_text(text, ANNA) == shown


def test_an_exposure_of_before_sources_were_logged_has_none() -> None:
    text = '["l",1,["i"],[1.0],"v","exp","a",2.5,"r"]'
    shown = Exposure("l", ANNA, 1, ("i",), (1.0,), "v", "exp", "a", 2.5, request_id="r")
    assert codec.exposure_from_text(text, ANNA) == shown


def test_an_exposure_is_read_as_it_was_written() -> None:
    shown = Exposure("l", ANNA, 1, ("i", "j"), (1.0, 0.5), "v", request_id="r", sources=("ann,new", ""), level="full")
    assert codec.exposure_from_text(codec.to_text(shown), ANNA) == shown
