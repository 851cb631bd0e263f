"""A version with a ranker is read as it was written, and refused where its trees cannot be walked."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_artifact import checkerboard, publish, with_ranker

from recsys.artifact import layout
from recsys.artifact.ranker import Ranker
from recsys.artifact.reader import open_artifact
from recsys.errors import ArtifactError
from recsys.trees import Trees


@pytest.fixture
def ranker() -> Ranker:
    found = with_ranker(checkerboard()).ranker
    assert found is not None
    return found


def published(ranker: Ranker, volume: Path) -> Path:
    return publish(replace(checkerboard(), ranker=ranker), volume)


def changed(trees: Trees, **parts: object) -> Trees:
    return replace(trees, **parts)  # type: ignore[arg-type]


def test_a_ranker_is_read_as_it_was_written(ranker: Ranker, tmp_path: Path) -> None:
    found = open_artifact(published(ranker, tmp_path)).ranker
    assert found is not None
    assert found.info == ranker.info
    for name, values in vars(ranker.trees).items():
        np.testing.assert_array_equal(getattr(found.trees, name), values)
    np.testing.assert_array_equal(found.items, ranker.items)


def test_a_version_without_a_ranker_has_no_key_and_no_files_of_one(tmp_path: Path) -> None:
    directory = publish(checkerboard(), tmp_path)
    assert "ranker" not in (directory / layout.MANIFEST).read_text()
    assert not any((directory / name).exists() for name in layout.RANKER)
    assert open_artifact(directory).ranker is None


def test_a_ranker_of_features_that_this_release_does_not_have_is_refused(ranker: Ranker, tmp_path: Path) -> None:
    info = ranker.info.model_copy(update={"features": [*ranker.info.features[:-1], "phase_of_the_moon"]})
    with pytest.raises(ArtifactError, match=r"manifest\.json: ranker\.features: expected .* found .*moon"):
        open_artifact(published(replace(ranker, info=info), tmp_path))


@pytest.mark.parametrize(
    ("part", "at", "value", "message"),
    [
        ("features", (0, 0), 99, r"ranker_splits\.npy: expected features -1 to"),
        ("children", (0, 1, 0), 0, r"ranker_splits\.npy: expected children that are leaves, or splits further on"),
        ("children", (0, 0, 1), 2, r"ranker_splits\.npy: expected children that are leaves"),
        ("children", (1, 0, 1), 1, r"ranker_splits\.npy: expected children that are leaves"),  # where no split is
        ("children", (0, 1, 1), -4, r"ranker_splits\.npy: expected children that are leaves"),
        ("leaves", (0, 0), np.nan, r"ranker_leaves\.npy: expected finite values"),
        ("counts", (0, 0), 0, r"ranker_leaves\.npy: expected finite values and counts above 0"),
        ("thresholds", (0, 0), np.inf, r"ranker_thresholds\.npy: expected finite values"),
    ],
)
def test_trees_that_cannot_be_walked_are_refused(
    ranker: Ranker, tmp_path: Path, part: str, at: tuple[int, ...], value: float, message: str
) -> None:
    values = getattr(ranker.trees, part).copy()
    values[at] = value
    broken = replace(ranker, trees=changed(ranker.trees, **{part: values}))
    with pytest.raises(ArtifactError, match=message):
        open_artifact(published(broken, tmp_path))
