"""A new version while the services run: taken by both, pinned by requests, refused when it is bad."""

from dataclasses import replace

import grpc
from in_process import failure_of
from tiny_artifact import Shop, checkerboard, publish
from two_services import System

from recsys.artifact import writer


def turned() -> Shop:
    """The checkerboard with the colours swapped: even users like odd items."""
    board = checkerboard()
    return replace(board, user_embeddings=board.user_embeddings[:, ::-1].copy(), histories=[[] for _ in board.user_ids])


def first_item(system: System, *, version: str = "") -> tuple[str, str]:
    """Version and first item of user-00's answer from both stages."""
    ranked = system.rerank(system.candidates("user-00", version=version))
    return ranked.artifact_version, ranked.items[0].item.item_id


def test_nothing_is_answered_before_the_first_version_and_everything_after(system: System) -> None:
    assert failure_of(system.model_infos)[0] is grpc.StatusCode.UNAVAILABLE
    publish(checkerboard(), system.volume)
    system.poll()
    assert first_item(system) == ("v1", "item-00")


def test_a_new_version_answers_and_the_one_before_still_does_when_asked(system: System) -> None:
    publish(checkerboard(), system.volume, version="v1")
    system.poll()
    publish(turned(), system.volume, version="v2")
    system.poll()
    assert first_item(system) == ("v2", "item-01")
    assert first_item(system, version="v1") == ("v1", "item-00")
    for info in system.model_infos():
        assert (info.artifact_version, list(info.held_versions), info.refused) == ("v2", ["v2", "v1"], "")


def test_candidates_of_a_version_that_is_gone_are_refused(system: System) -> None:
    publish(checkerboard(), system.volume, version="v1")
    system.poll()
    old = system.candidates("user-00")
    for version in ("v2", "v3"):
        publish(turned(), system.volume, version=version)
        system.poll()
    code, _ = failure_of(lambda: system.rerank(old))
    assert code is grpc.StatusCode.FAILED_PRECONDITION


def test_going_back_to_the_version_before_takes_one_look(system: System) -> None:
    for version, shop in (("v1", checkerboard()), ("v2", turned())):
        publish(shop, system.volume, version=version)
        system.poll()
    writer.activate(system.volume, "v1")
    system.poll()
    assert first_item(system) == ("v1", "item-00")


def test_a_service_describes_its_model(system: System) -> None:
    publish(checkerboard(), system.volume)
    system.poll()
    for info in system.model_infos():
        assert (info.model, info.dim, info.user_count, info.item_count) == ("als", 2, 6, 12)
        assert info.trained_at == "2026-01-02T03:04:05Z"
        recall, coverage = info.metrics
        assert (recall.name, recall.value, recall.low, recall.high) == ("recall@20", 0.25, 0.2, 0.3)
        assert (coverage.name, coverage.value) == ("coverage", 0.5)
        assert not coverage.HasField("low")
