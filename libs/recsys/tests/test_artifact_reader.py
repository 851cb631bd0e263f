"""What was written is what is read; whatever is wrong with a version is named."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from recsys.artifact import layout, sequence_encoder, writer
from recsys.artifact.fold_in import FoldIn
from recsys.artifact.history import History, HistoryEntry
from recsys.artifact.manifest import Manifest, SequenceFoldIn
from recsys.artifact.reader import open_artifact
from recsys.errors import ArtifactError


def test_a_version_reads_back_as_it_was_written(volume, contents_with) -> None:
    artifact = open_artifact(volume.publish())
    expected = contents_with()
    np.testing.assert_array_equal(artifact.user_embeddings, expected.user_embeddings)
    np.testing.assert_array_equal(artifact.item_embeddings, expected.item_embeddings)
    np.testing.assert_array_equal(artifact.popularity, expected.popularity)
    assert [artifact.users.id_of(row) for row in range(len(artifact.users))] == expected.user_ids
    assert artifact.catalogue.item(0).title == "White Lantern"
    assert artifact.catalogue.item(2).price is None
    assert artifact.catalogue.available.tolist() == [True, False, True, True]


def test_what_folds_a_history_in_reads_back_as_it_was_written(volume, contents_with) -> None:
    artifact = open_artifact(volume.publish())
    expected = contents_with()
    assert artifact.fold_in is not None
    assert artifact.fold_in.info == expected.fold_in.info == artifact.manifest.fold_in
    np.testing.assert_array_equal(artifact.fold_in.item_weights, expected.fold_in.item_weights)
    np.testing.assert_array_equal(artifact.fold_in.item_scale, expected.fold_in.item_scale)
    np.testing.assert_array_equal(artifact.fold_in.spectrum, expected.fold_in.spectrum)
    np.testing.assert_array_equal(artifact.history.weights, expected.history.weights)
    np.testing.assert_array_equal(artifact.history.type_sets, expected.history.type_sets)
    np.testing.assert_array_equal(artifact.first_seen, expected.first_seen)


def sequence_fold_in(contents_with, **changes) -> FoldIn:
    """Of the small contents, with an encoder of one block."""
    info = SequenceFoldIn(blocks=1, heads=1, hidden=2, most_items=4)
    encoder = np.arange(sequence_encoder.size(info, 3), dtype=np.float32)
    return replace(contents_with().fold_in, **{"info": info, "encoder": encoder, **changes})


def test_an_encoder_reads_back_as_it_was_written_and_stands_in_the_manifest(volume, contents_with) -> None:
    fold_in = sequence_fold_in(contents_with)
    directory = volume.publish(contents=contents_with(fold_in=fold_in))
    artifact = open_artifact(directory)
    assert artifact.fold_in is not None
    assert artifact.fold_in.info == fold_in.info
    np.testing.assert_array_equal(artifact.fold_in.encoder, fold_in.encoder)
    assert artifact.manifest.files[layout.FOLD_IN_ENCODER].bytes == (directory / layout.FOLD_IN_ENCODER).stat().st_size
    weights = sequence_encoder.split(artifact.fold_in.encoder, fold_in.info, 3)
    np.testing.assert_array_equal(sequence_encoder.joined(weights), fold_in.encoder)
    assert weights.positions.tolist()[1] == [3, 4, 5]
    assert weights.norm_bias.tolist() == fold_in.encoder[-3:].tolist()


def test_a_version_of_another_fold_in_has_no_encoder(volume) -> None:
    directory = volume.publish()
    assert not (directory / layout.FOLD_IN_ENCODER).exists()
    artifact = open_artifact(directory)
    assert artifact.fold_in is not None
    assert artifact.fold_in.encoder.size == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder": np.zeros(7, np.float32)}, r"fold_in_encoder\.npy: expected float32 \[\d+\] in C order, found"),
        ({"encoder": np.full(83, np.nan, np.float32)}, r"fold_in_encoder\.npy: expected finite values, found NaN"),
        (
            {"info": SequenceFoldIn(blocks=1, heads=2, hidden=2, most_items=4)},
            "fold_in.heads: expected a divisor of the dimension 3, found 2",
        ),
    ],
)
def test_an_encoder_that_cannot_be_computed_is_refused(volume, contents_with, changes, message) -> None:
    directory = volume.publish(contents=contents_with(fold_in=sequence_fold_in(contents_with, **changes)))
    with pytest.raises(ArtifactError, match=message):
        open_artifact(directory)


def test_a_version_that_lacks_its_encoder_is_refused(volume, contents_with) -> None:
    directory = volume.publish(contents=contents_with(fold_in=sequence_fold_in(contents_with)))
    (directory / layout.FOLD_IN_ENCODER).unlink()
    with pytest.raises(ArtifactError, match=r"fold_in_encoder\.npy: expected \d+ bytes, found"):
        open_artifact(directory)


def test_attributes_are_read_by_name_and_belong_to_their_item(volume) -> None:
    catalogue = open_artifact(volume.publish()).catalogue
    brands = catalogue.texts("attributes.brand")
    lumo, oak = brands.code_of["Lumo"], brands.code_of["Oak & Co"]
    assert brands.codes.tolist() == [lumo, -1, lumo, oak]
    assert not catalogue.texts("attributes.colour").equal_any(["red"]).any()
    assert catalogue.item(0).attributes == {"brand": "Lumo"}
    assert catalogue.item(1).attributes == {}


def test_history_is_most_recent_first_with_its_event_types(volume) -> None:
    history = open_artifact(volume.publish()).history
    assert history.size(0) == 2
    assert history.rows(0).tolist() == [3, 0]
    assert history.entries(0, 5) == [HistoryEntry(3, 200, "purchase"), HistoryEntry(0, 100, "view")]
    assert history.entries(0, 1) == [HistoryEntry(3, 200, "purchase")]
    assert history.entries(1, 5) == []


def test_search_wants_every_word_in_any_case_and_the_exact_category(volume) -> None:
    catalogue = open_artifact(volume.publish()).catalogue
    assert list(catalogue.search(query="LANTERN", category="", start_row=0)) == [0, 1]
    assert list(catalogue.search(query="red lantern", category="", start_row=0)) == [1]
    assert list(catalogue.search(query="", category="light", start_row=1)) == [1, 2]
    assert list(islice(catalogue.search(query="", category="", start_row=0), 3)) == [0, 1, 2]
    assert list(catalogue.search(query="", category="Light", start_row=0)) == []


def test_a_word_of_a_search_looks_only_at_the_titles_that_hold_the_words_before_it(volume, monkeypatch) -> None:
    catalogue = open_artifact(volume.publish()).catalogue
    looked_at = []
    match = pc.match_substring

    def counted(titles: pa.Array, word: str, *, ignore_case: bool) -> pa.Array:
        looked_at.append((word, len(titles)))
        return match(titles, word, ignore_case=ignore_case)

    monkeypatch.setattr(pc, "match_substring", counted)
    assert list(catalogue.search(query="red lantern red", category="", start_row=0)) == [1]
    assert looked_at == [("lantern", len(catalogue.available)), ("red", 2)]
    looked_at.clear()
    of_category = list(catalogue.search(query="", category="light", start_row=0))
    assert list(catalogue.search(query="such-a-title lantern red", category="light", start_row=0)) == []
    assert looked_at == [("such-a-title", len(of_category))]  # none is left for the others


def test_what_is_asked_of_a_catalogue_imports_no_pandas(volume) -> None:
    """A second in the middle of the first request, where it is installed; titles, categories and prices have nulls."""
    script = """
import sys
from pathlib import Path
from recsys.artifact.reader import open_artifact
catalogue = open_artifact(Path(sys.argv[1])).catalogue
print(list(catalogue.search(query="lantern red", category="light", start_row=0)))
catalogue.texts("category").equal_any(["light", "kitchen"]), catalogue.prices, catalogue.item(0)
catalogue.texts("attributes.brand").equal_any(["Lumo"])
print("pandas" in sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", script, volume.publish()], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[1] == "False"


def test_a_search_ends_between_blocks_when_its_time_is_over(volume, monkeypatch) -> None:
    catalogue = open_artifact(volume.publish()).catalogue
    monkeypatch.setattr("recsys.artifact.catalogue._SEARCH_BLOCK", 1)
    checked = []

    class OverError(Exception):
        pass

    def check_time() -> None:
        checked.append(1)
        if len(checked) == 2:
            raise OverError

    with pytest.raises(OverError):
        list(catalogue.search(query="no such title", category="", start_row=0, check_time=check_time))
    assert len(checked) == 2


def test_embeddings_are_mapped_not_copied(volume) -> None:
    assert isinstance(open_artifact(volume.publish()).user_embeddings.base, np.memmap)


def test_no_users_and_no_interactions_is_a_valid_version(volume, contents_with) -> None:
    none = np.array([], np.int64)
    contents = contents_with(
        user_ids=[],
        user_embeddings=np.zeros((0, 3), np.float32),
        history=History(
            indptr=np.array([0], np.int64),
            items=none.astype(np.int32),
            times=none,
            types=none.astype(np.uint8),
            weights=none.astype(np.float32),
            type_sets=none.astype(np.uint32),
            event_types=[],
        ),
    )
    version = volume.publish().name + "b"
    manifest = json.loads((volume.path / "versions" / version[:-1] / "manifest.json").read_text())
    manifest |= {"version": version, "user_count": 0, "interaction_count": 0, "files": {}}
    writer.write_version(volume.path, manifest=Manifest.model_validate(manifest), contents=contents)
    assert len(open_artifact(volume.path / "versions" / version).users) == 0


def flip_last_byte(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("name", layout.DATA_FILES)
@pytest.mark.parametrize(
    ("damage", "found"), [(flip_last_byte, "SHA-256"), (cut_short, "bytes, found"), (remove, "No such file")]
)
def test_a_damaged_file_is_refused_by_name(volume, name: str, damage: Callable[[Path], None], found: str) -> None:
    version_dir = volume.publish()
    damage(version_dir / name)
    with pytest.raises(ArtifactError, match=found) as refused:
        open_artifact(version_dir)
    assert name in str(refused.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 3}, r"format_version: expected: format version 1 to 2; found: '3'"),
        ({"fold_in": None}, r"manifest.json: fold_in: expected one in format 2, found none"),
        ({"fold_in": {"kind": "magic"}}, r"fold_in: expected: .*'magic'"),
        ({"fold_in": {"kind": "als"}}, r"fold_in.als.weight_scale: expected: Field required"),
        ({"dim": 4}, r"user_embeddings.npy: expected float32 \[6, 4\] in C order, found float32 \[6, 3\]"),
        ({"user_count": 7}, r"users.arrow: expected one batch of 7 rows"),
        ({"interaction_count": 4}, r"history_types.npy: expected uint8 \[4\]"),
        ({"event_types": ["view"]}, r"history_types.npy: expected codes below 1, found 1"),
        ({"version": "another"}, r"manifest.json: version: expected '20260101.*', found 'another'"),
        ({"surprise": 1}, r"surprise: expected: Extra inputs are not permitted"),
        ({"files": {}}, r"files: expected .*user_embeddings.npy.*, found no entry"),
    ],
)
def test_a_manifest_that_tells_another_story_is_refused(volume, change: dict[str, object], message: str) -> None:
    version_dir = volume.publish()
    path = version_dir / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ArtifactError, match=message):
        open_artifact(version_dir)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"format_version": 1}'])
def test_a_manifest_that_is_no_manifest_is_refused(volume, content: bytes) -> None:
    version_dir = volume.publish()
    (version_dir / "manifest.json").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"manifest\.json"):
        open_artifact(version_dir)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"user_embeddings": np.array([[1, 2, 3]] * 5 + [[1, np.nan, 3]], np.float32)},
            r"user_embeddings.npy: expected finite values, found NaN or infinity in row 5",
        ),
        ({"popularity": np.array([1, 1, np.inf, 1], np.float32)}, r"popularity.npy: expected finite values"),
        ({"item_embeddings": np.zeros((4, 3))}, r"item_embeddings.npy: expected float32 \[4, 3\].*found float64"),
        ({"first_seen": np.array([1, -1, 0, 2])}, r"first_seen.npy: expected Unix seconds of 0 or more, found -1"),
        ({"first_seen": np.zeros(3, np.int64)}, r"first_seen.npy: expected int64 \[4\].*found int64 \[3\]"),
    ],
)
def test_contents_that_cannot_be_served_are_refused(volume, contents_with, changes, message: str) -> None:
    version = volume.publish().name + "b"
    manifest = open_artifact(volume.path / "versions" / version[:-1]).manifest
    writer.write_version(
        volume.path, manifest=manifest.model_copy(update={"version": version}), contents=contents_with(**changes)
    )
    with pytest.raises(ArtifactError, match=message):
        open_artifact(volume.path / "versions" / version)


@pytest.mark.parametrize(
    ("part", "name", "value", "message"),
    [
        ("history", "items", np.array([3, 4, 1], np.int32), "history_items.npy: expected rows 0 to 3, found 1 to 4"),
        ("history", "weights", np.array([1, 0, 1], np.float32), "history_weights.npy: expected values above 0"),
        ("history", "weights", np.array([1, np.nan, 1], np.float32), "history_weights.npy: expected finite values"),
        ("history", "type_sets", np.array([1, 4, 1], np.uint32), "history_type_sets.npy: expected sets up to 0x3"),
        ("history", "type_sets", np.ones(3, np.uint8), "history_type_sets.npy: expected uint32"),
        ("fold_in", "item_scale", np.array([1, np.inf, 1, 1], np.float32), "fold_in_item_scale.npy: expected finite"),
        ("fold_in", "item_weights", np.ones(5, np.float32), "fold_in_item_weights.npy: expected float32"),
        ("fold_in", "spectrum", np.array([1, 0, 1], np.float32), "fold_in_spectrum.npy: expected values above 0"),
        ("transitions", "indptr", np.array([0, 2, 1, 3, 3]), "transitions_indptr.npy: expected to rise from 0 to 3"),
        ("transitions", "indptr", np.array([0, 2, 2, 2, 2]), "transitions_items.npy: expected int32 .2."),
        ("transitions", "items", np.array([1, 4, 0], np.int32), "transitions_items.npy: expected rows 0 to 3"),
        ("transitions", "scores", np.array([1, 0, 1], np.float32), "transitions_scores.npy: expected values above 0"),
        ("transitions", "scores", np.array([1, np.nan, 1], np.float32), "transitions_scores.npy: expected finite"),
        ("bought_together", "indptr", np.array([0, 2, 1, 2, 2]), "bought_together_indptr.npy: expected to rise from 0"),
        ("bought_together", "indptr", np.array([0, 1, 1, 1, 1]), "bought_together_items.npy: expected int32 .1."),
        ("bought_together", "items", np.array([1, 4], np.int32), "bought_together_items.npy: expected rows 0 to 3"),
        (
            "bought_together",
            "scores",
            np.array([1, 0], np.float32),
            "bought_together_scores.npy: expected values above",
        ),
        ("bought_together", "scores", np.array([1, np.nan], np.float32), "bought_together_scores.npy: expected finite"),
    ],
)
def test_what_is_known_of_histories_that_cannot_be_used_is_refused(
    volume, contents_with, part: str, name: str, value: np.ndarray, message: str
) -> None:
    changed = replace(getattr(contents_with(), part), **{name: value})
    version = volume.publish().name + "b"
    manifest = open_artifact(volume.path / "versions" / version[:-1]).manifest
    writer.write_version(
        volume.path,
        manifest=manifest.model_copy(update={"version": version}),
        contents=contents_with(**{part: changed}),
    )
    with pytest.raises(ArtifactError, match=message):
        open_artifact(volume.path / "versions" / version)


@pytest.mark.parametrize(
    ("part", "names"), [("transitions", layout.TRANSITIONS), ("bought_together", layout.BOUGHT_TOGETHER)]
)
def test_a_version_without_transitions_has_no_files_of_them(
    volume, contents_with, part: str, names: tuple[str, ...]
) -> None:
    version = volume.publish().name + "b"
    manifest = open_artifact(volume.path / "versions" / version[:-1]).manifest
    writer.write_version(
        volume.path, manifest=manifest.model_copy(update={"version": version}), contents=contents_with(**{part: None})
    )
    artifact = open_artifact(volume.path / "versions" / version)
    assert getattr(artifact, part) is None
    assert not set(names) & set(artifact.manifest.files)
    # and its manifest is one that services of before them read: they refuse a key that they do not know
    assert part not in json.loads((volume.path / "versions" / version / layout.MANIFEST).read_text())


def test_unsorted_ids_are_never_written(volume, contents_with) -> None:
    manifest = open_artifact(volume.publish()).manifest.model_copy(update={"version": "unsorted"})
    contents = contents_with(user_ids=["b", "a", "c", "d", "e", "f"])
    with pytest.raises(
        ArtifactError, match=r"user_ids: expected ids in ascending order, found b'a' after b'b' in row 1"
    ):
        writer.write_version(volume.path, manifest=manifest, contents=contents)
    assert layout.list_versions(volume.path) == ["20260101T000000Z-als-00000000"]


def test_a_pickle_is_never_opened(volume, contents_with) -> None:
    version_dir = volume.publish()
    pickled = version_dir / layout.POPULARITY
    np.save(pickled, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    manifest = json.loads((version_dir / "manifest.json").read_text())
    entry = writer._entry(pickled)
    manifest["files"][layout.POPULARITY] = entry.model_dump()
    (version_dir / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match=r"popularity.npy: expected a NumPy array"):
        open_artifact(version_dir)


def test_an_arrow_file_with_other_columns_is_refused(volume, contents_with) -> None:
    version_dir = volume.publish()
    path = version_dir / layout.USERS
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, pa.schema([("name", pa.large_string())])) as out:
        out.write_batch(pa.record_batch({"name": pa.array(["a"] * 6, pa.large_string())}))
    manifest = json.loads((version_dir / "manifest.json").read_text())
    manifest["files"][layout.USERS] = writer._entry(path).model_dump()
    (version_dir / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(
        ArtifactError, match=r"users.arrow: expected one batch of 6 rows with columns {'user_id': 'large_string'}"
    ):
        open_artifact(version_dir)
