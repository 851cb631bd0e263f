"""Every metric by hand, and against ranx (an implementation that is not ours)."""

import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest

from trainer.evaluation import metrics

# Two users, three ranks: the first hits at ranks 1 and 3 and has 4 test items, the second hits nothing of 1.
HITS = np.array([[True, False, True], [False, False, False]])
RELEVANT = np.array([4, 1])


def test_recall_divides_by_all_test_items_even_when_they_outnumber_k() -> None:
    assert metrics.recall(HITS, RELEVANT, 1).tolist() == [1 / 4, 0]
    assert metrics.recall(HITS, RELEVANT, 3).tolist() == [2 / 4, 0]


def test_ndcg_is_the_discounted_gain_over_the_ideal_cut_at_k() -> None:
    gain = 1 + 1 / math.log2(4)
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)  # 4 test items, 3 ranks
    assert metrics.ndcg(HITS, RELEVANT, 3) == pytest.approx([gain / ideal, 0])
    assert metrics.ndcg(HITS, np.array([2, 1]), 3) == pytest.approx([gain / (1 + 1 / math.log2(3)), 0])


def test_hit_rate_and_reciprocal_rank_look_at_the_first_hit_within_k() -> None:
    hits = np.array([[False, True, True], [False, False, False]])
    assert metrics.hit_rate(hits, 1).tolist() == [0, 0]
    assert metrics.hit_rate(hits, 2).tolist() == [1, 0]
    assert metrics.mrr(hits, 1).tolist() == [0, 0]
    assert metrics.mrr(hits, 3).tolist() == [1 / 2, 0]


def test_novelty_is_the_mean_surprise_in_bits_and_ignores_padding() -> None:
    information = metrics.self_information(np.array([8, 2, 0]), 8)
    assert information.tolist() == [0, 2, 3]  # everybody, a quarter, nobody (counts as one of 8)
    assert metrics.novelty(np.array([[1, 2], [0, -1], [-1, -1]], dtype=np.int32), information, 2).tolist() == [
        2.5,
        0,
        0,
    ]


def test_coverage_counts_items_shown_at_least_once() -> None:
    exposure = metrics.exposures(np.array([[0, 1], [0, -1]], dtype=np.int32), 2, n_items=4)
    assert exposure.tolist() == [2, 1, 0, 0]
    assert metrics.coverage(exposure) == 0.5


def test_gini_is_zero_for_equal_exposure_and_near_one_for_a_monopoly() -> None:
    assert metrics.gini(np.array([3, 3, 3])) == 0
    assert metrics.gini(np.array([0, 0, 0, 8])) == pytest.approx(3 / 4)  # (n - 1) / n
    assert metrics.gini(np.array([1, 3])) == pytest.approx(1 / 4)  # half the mean absolute difference over the mean
    assert metrics.gini(np.array([0, 0])) == 0


# Interpreted in a process of its own: compiling ranx takes minutes, and its imports warn.
RANX = """
import json, sys
from ranx import Qrels, Run, evaluate
given = json.load(sys.stdin)
figures = evaluate(Qrels(given["qrels"]), Run(given["run"]), given["metrics"], return_mean=False, threads=1)
json.dump({name: values.tolist() for name, values in figures.items()}, sys.stdout)
"""


def test_accuracy_metrics_agree_with_ranx() -> None:
    rng = np.random.default_rng(7)
    n_users, n_items, ks = 40, 60, (1, 5, 20)
    ranked = [rng.permutation(n_items)[:20].tolist() for _ in range(n_users)]
    wanted = [set(rng.permutation(n_items)[: rng.integers(1, 30)].tolist()) for _ in range(n_users)]
    hits = np.array([[item in items for item in row] for row, items in zip(ranked, wanted, strict=True)])
    relevant = np.array([len(items) for items in wanted])
    ours = {}
    for k in ks:
        ours[f"recall@{k}"] = metrics.recall(hits, relevant, k)
        ours[f"ndcg@{k}"] = metrics.ndcg(hits, relevant, k)
        ours[f"hit_rate@{k}"] = metrics.hit_rate(hits, k)
        ours[f"mrr@{k}"] = metrics.mrr(hits, k)

    names = [f"{user:02}" for user in range(n_users)]  # ranx sorts by id
    question = {
        "qrels": {name: dict.fromkeys(map(str, items), 1) for name, items in zip(names, wanted, strict=True)},
        "run": {
            name: {str(item): 20.0 - rank for rank, item in enumerate(row)}
            for name, row in zip(names, ranked, strict=True)
        },
        "metrics": list(ours),
    }
    answer = subprocess.run(
        [sys.executable, "-c", RANX],
        input=json.dumps(question),
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    theirs = json.loads(answer.stdout)
    for name, figures in ours.items():
        assert theirs[name] == pytest.approx(figures), name
