"""Whatever is wrong with a new version, it is refused by name, seen from outside, and the old one answers on."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_artifact import Shop, checkerboard, publish, serialized_index
from two_services import System

from recsys.artifact import layout


def turned() -> Shop:
    """The checkerboard with the colours swapped: user-00 likes item-01 most."""
    board = checkerboard()
    return replace(board, user_embeddings=board.user_embeddings[:, ::-1].copy(), histories=[[] for _ in board.user_ids])


def told(version_dir: Path, **changes: object) -> None:
    """Let the manifest say this."""
    path = version_dir / layout.MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def with_right_checksum(path: Path) -> None:
    """Let the manifest list the file as it is now."""
    manifest = json.loads((path.parent / layout.MANIFEST).read_text())
    content = path.read_bytes()
    entry = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    told(path.parent, files=manifest["files"] | {path.name: entry})


def corrupt(version_dir: Path) -> None:
    path = version_dir / layout.HISTORY_INDPTR
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def truncate(version_dir: Path) -> None:
    path = version_dir / layout.ITEMS
    path.write_bytes(path.read_bytes()[:1000])


def copy_half(version_dir: Path) -> None:
    """What a copy leaves that was cut off: some files, the manifest among them."""
    for name in (layout.RETRIEVAL_INDEX, layout.SIMILAR_INDEX):
        (version_dir / name).unlink()


def copy_no_manifest(version_dir: Path) -> None:
    (version_dir / layout.MANIFEST).unlink()


def copy_nothing(version_dir: Path) -> None:
    shutil.rmtree(version_dir)


def of_another_dimension(version_dir: Path) -> None:
    told(version_dir, dim=64)


def full_of_nan(version_dir: Path) -> None:
    path = version_dir / layout.ITEM_EMBEDDINGS
    np.save(path, np.full((12, 2), np.nan, np.float32))
    with_right_checksum(path)


def of_another_format(version_dir: Path) -> None:
    told(version_dir, format_version=99)


def unreadable(version_dir: Path) -> None:
    """Even for root, who may read anything: a link to itself."""
    path = version_dir / layout.POPULARITY
    path.unlink()
    path.symlink_to(path)


def with_an_index_of_another_dimension(version_dir: Path) -> None:
    path = version_dir / layout.SIMILAR_INDEX
    path.write_bytes(serialized_index(np.ones((12, 5), np.float32)).tobytes())
    with_right_checksum(path)


def with_an_index_of_other_items(version_dir: Path) -> None:
    path = version_dir / layout.RETRIEVAL_INDEX
    path.write_bytes(serialized_index(checkerboard().item_embeddings[::-1].copy()).tobytes())
    with_right_checksum(path)


ALL_FILES = [
    (corrupt, r"v2/history_indptr\.npy: expected SHA-256 [0-9a-f]{64}, found [0-9a-f]{64}"),
    (truncate, r"v2/items\.arrow: expected \d{4} bytes, found 1000"),
    (copy_half, r"v2/(retrieval|similar)\.faiss: expected \d+ bytes, found: No such file or directory"),
    (copy_no_manifest, r"v2/manifest\.json: expected a manifest, found: No such file or directory"),
    (copy_nothing, r"v2/manifest\.json: expected a manifest, found: No such file or directory"),
    (of_another_dimension, r"v2/user_embeddings\.npy: expected float32 \[6, 64\] in C order, found float32 \[6, 2\]"),
    (full_of_nan, r"v2/item_embeddings\.npy: expected finite values, found NaN or infinity in row 0"),
    (of_another_format, r"v2/manifest\.json: format_version: expected: format version 1 to \d; found: '99'"),
    (unreadable, r"v2/popularity\.npy: expected \d+ bytes, found: Too many levels of symbolic links"),
]
# what only a service sees that searches in them
INDEXES = [
    (with_an_index_of_another_dimension, r"v2[bc]?/similar\.faiss: dimensions: expected 2, found 5"),
    (
        with_an_index_of_other_items,
        r"v2[bc]?/retrieval\.faiss: expected 0\.50 of the sampled answers to agree .* found 0\.0",
    ),
]


def first_item(system: System) -> tuple[str, str]:
    """Version and first item of user-00's answer from both stages."""
    ranked = system.rerank(system.candidates("user-00"))
    return ranked.artifact_version, ranked.items[0].item.item_id


def refusals(system: System) -> list[tuple[str, float | None, float | None]]:
    """Of each service: what it says it refuses, whether the metrics say the same, and how often it refused."""
    return [
        (
            info.refused,
            metrics.registry.get_sample_value("recsys_artifact_refused", {"reason": info.refused}),
            metrics.registry.get_sample_value("recsys_artifact_refusals_total"),
        )
        for info, metrics in zip(system.model_infos(), system.metrics, strict=True)
    ]


@pytest.mark.parametrize(("damage", "message"), ALL_FILES)
def test_a_version_that_cannot_be_served_is_refused_by_both_and_a_good_one_after_it_is_taken(
    system: System, damage: Callable[[Path], None], message: str
) -> None:
    publish(checkerboard(), system.volume, version="v1")
    system.poll()
    damage(publish(turned(), system.volume, version="v2"))
    for _ in range(3):
        system.poll()
    assert first_item(system) == ("v1", "item-00")
    assert [list(info.held_versions) for info in system.model_infos()] == [["v1"], ["v1"]]
    for refused, in_metrics, count in refusals(system):
        assert re.search(message, refused), refused
        assert (in_metrics, count) == (1, 1)
    publish(turned(), system.volume, version="v3")
    system.poll()
    assert first_item(system) == ("v3", "item-01")
    assert refusals(system) == [("", None, 1), ("", None, 1)]


@pytest.mark.parametrize(("damage", "message"), INDEXES)
def test_what_only_candidate_gen_refuses_leaves_the_old_version_answering_however_many_follow(
    system: System, damage: Callable[[Path], None], message: str
) -> None:
    publish(checkerboard(), system.volume, version="v1")
    system.poll()
    for version in ("v2", "v2b", "v2c"):  # the reranker, which has no index to look at, takes them all
        damage(publish(turned(), system.volume, version=version))
        system.poll()
        assert first_item(system) == ("v1", "item-00")
        (refused, in_metrics, _), _ = refusals(system)
        assert re.search(message, refused), refused
        assert in_metrics == 1
    publish(turned(), system.volume, version="v3")
    system.poll()
    assert first_item(system) == ("v3", "item-01")
    assert [info.refused for info in system.model_infos()] == ["", ""]
