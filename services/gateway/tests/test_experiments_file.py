"""What an experiments file may say, and what is answered when it says something else."""

from pathlib import Path

import pytest

from gateway.experiments import file
from gateway.requests import Blend, Diversity
from recsys.errors import DataError
from recsys.experiments import DEFAULT_METRICS, Metric

EXAMPLE = Path(__file__).parents[3] / "examples" / "experiments.yaml"

TWO_ARMS = """
experiments:
  - name: recency
    arms:
      - {name: control, share: 0.5}
      - {name: fresher, share: 0.5}
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "experiments.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_example_is_read_as_it_is_written() -> None:
    recency, breadth = file.read(EXAMPLE)

    assert recency.shares == {"control": 0.1, "fresher": 0.1}
    assert recency.arms[0] == file.Arm(name="control", share=0.1)
    assert recency.arms[1].blend == Blend(personal=0.8, popularity=0.0, recency=0.2)
    assert recency.guardrails == file.Guardrails(latency_ms=5, empty_share=0.01)
    assert recency.metrics == (
        Metric(name="click_rate", measure="clicked"),
        Metric(name="orders", measure="count", window_days=14),
        Metric(name="net_revenue", measure="money", window_days=14),
    )
    assert breadth.metrics == DEFAULT_METRICS
    assert breadth.arms[1].candidates == 500
    assert breadth.arms[1].diversity == Diversity(mmr_lambda=0.7, max_per_category=3)
    assert breadth.arms[2].exploration == 0.05
    assert breadth.guardrails == file.Guardrails()


def test_an_experiment_hashes_with_its_salt_or_else_its_name() -> None:
    recency, breadth = file.read(EXAMPLE)

    assert recency.hash_salt == "recency"
    assert breadth.hash_salt == "breadth-spring"


def test_an_artifact_version_is_an_arms_own(tmp_path: Path) -> None:
    text = TWO_ARMS.replace("fresher, share: 0.5", "fresher, share: 0.5, artifact_version: 20250101T000000Z-ials")

    assert file.read(written(tmp_path, text))[0].arms[1].artifact_version == "20250101T000000Z-ials"


def test_shares_that_are_1_but_for_rounding_are_1(tmp_path: Path) -> None:
    arms = "\n".join(f"      - {{name: arm-{number}, share: 0.1}}" for number in range(10))

    assert len(file.read(written(tmp_path, f"experiments:\n  - name: ten\n    arms:\n{arms}\n"))[0].arms) == 10


def test_a_limit_may_have_its_sign(tmp_path: Path) -> None:
    read = file.read(written(tmp_path, TWO_ARMS + "    guardrails: {latency_ms: +5, empty_share: +0.01}\n"))

    assert read[0].guardrails == file.Guardrails(latency_ms=5, empty_share=0.01)


def test_no_experiments_are_fine(tmp_path: Path) -> None:
    assert file.read(written(tmp_path, "experiments: []\n")) == ()


@pytest.mark.parametrize(
    ("written_arm", "said"),
    [
        ("{name: a, share: 0.6}", ": shares: expected a sum of 1 at the most, found 1.1"),
        ("{name: a, share: -0.1}", ".arms.1.share: Input should be greater than or equal to 0, found -0.1"),
        ("{name: a, share: .nan}", ".arms.1.share: "),
        ("{name: a, share: yes}", ".arms.1.share: Input should be a valid number, found True"),
        ("{name: a, share: '0.5'}", ".arms.1.share: Input should be a valid number, found '0.5'"),
        ("{name: a}", ".arms.1.share: expected a value, found none"),
        ("{name: a, share: 0.5, blnd: {}}", ".arms.1.blnd: expected one of name, share, artifact_version, "),
        ("{name: control, share: 0.5}", ": arms: expected each once, found several times: control"),
        ("{name: a b, share: 0.5}", ".arms.1.name: String should match pattern"),
        ("{name: a, share: 0.5, blend: {personal: 0}}", ".arms.1.blend: one of personal, popularity"),
        (
            "{name: a, share: 0.5, blend: {newness: 1}}",
            ".arms.1.blend.newness: expected one of personal, popularity, recency, transitions, found 'newness'",
        ),
        ("{name: a, share: 0.5, diversity: {mmr_lambda: 2}}", ".arms.1.diversity.mmr_lambda: "),
        ("{name: a, share: 0.5, candidates: 0}", ".arms.1.candidates: "),
        ("{name: a, share: 0.5, exploration: 2}", ".arms.1.exploration: "),
        ("{name: a, share: 0.5, artifact_version: ''}", ".arms.1.artifact_version: "),
        ("a", ".arms.1: expected keys with values, found 'a'"),
    ],
)
def test_a_slip_in_an_arm_is_answered_with_file_key_and_what_was_found(
    tmp_path: Path, written_arm: str, said: str
) -> None:
    path = written(tmp_path, TWO_ARMS.replace("{name: fresher, share: 0.5}", written_arm))

    with pytest.raises(DataError) as raised:
        file.read(path)

    assert str(raised.value).startswith(f"{path}: experiments.0{said}")


SECOND = TWO_ARMS.replace("\nexperiments:", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the whole file: expected keys with values, found None"),
        ("experiments: {", "line 1: expected YAML"),
        ("experiment: []", "experiments: expected a value, found none"),
        (TWO_ARMS.replace("name: recency", "name: a/b"), "experiments.0.name: String should match pattern"),
        (TWO_ARMS + "    salt: ''", "experiments.0.salt: "),
        (
            TWO_ARMS.replace("      - {name: fresher, share: 0.5}\n", ""),
            "experiments.0: arms: expected 2 to 20, found 1",
        ),
        (TWO_ARMS + "    guardrails: {latency_ms: -5}", "experiments.0.guardrails.latency_ms: Input should be greater"),
        (
            TWO_ARMS + "    guardrails: {latency: 5}",
            "experiments.0.guardrails.latency: expected one of latency_ms, empty_share",
        ),
        (TWO_ARMS + SECOND, "names: expected each once, found several times: recency"),
        (
            TWO_ARMS + SECOND.replace("recency", "other") + "    salt: recency",
            "salts: expected each once, found several times: recency",
        ),
    ],
)
def test_a_slip_elsewhere_is_answered_with_file_key_and_what_was_found(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text)

    with pytest.raises(DataError) as raised:
        file.read(path)

    assert str(raised.value).startswith(f"{path}: {said}")


def test_every_slip_of_a_file_is_named_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, TWO_ARMS.replace("0.5", "2"))

    with pytest.raises(DataError) as raised:
        file.read(path)

    assert [line.split(": ")[1] for line in str(raised.value).splitlines()] == [
        "experiments.0.arms.0.share",
        "experiments.0.arms.1.share",
    ]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing\.yaml: cannot be read: No such file"):
        file.read(tmp_path / "missing.yaml")


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "experiments.yaml"
    path.write_bytes(b"experiments: \xff\xfe")

    with pytest.raises(DataError, match=r"experiments\.yaml: expected UTF-8, found other bytes from byte 13 on"):
        file.read(path)


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ("[{name: a, measure: clicked}, {name: a, measure: count}]", r"metrics: expected each once.*: a"),
        ("[{name: a, measure: median}]", r"experiments\.0\.metrics\.0\.measure: .*'median'"),
        ("[{name: a, measure: count, types: []}]", r"experiments\.0\.metrics\.0\.types: .*at least 1"),
        ("[{name: a, measure: count, window_days: 0}]", r"experiments\.0\.metrics\.0\.window_days: .*greater than 0"),
        ("[]", r"experiments\.0\.metrics: .*at least 1"),
    ],
)
def test_metrics_that_cannot_be_are_named(tmp_path: Path, metrics: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        file.read(written(tmp_path, f"{TWO_ARMS}    metrics: {metrics}\n"))
