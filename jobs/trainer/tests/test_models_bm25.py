"""BM25 confidence by hand, so that users stay the documents and items the terms."""

import numpy as np
import scipy.sparse as sp

from trainer.models import bm25


def test_confidence_of_three_users_and_three_items_is_what_paper_and_pencil_give() -> None:
    weights = sp.csr_matrix(np.array([[1, 1, 0], [2, 0, 0], [1, 1, 2]], dtype=np.float32))
    # idf: ln(8/7), ln(8/5), ln(8/3). Lengths 2, 2, 4 with mean 8/3: norms .875, .875, 1.25 for k1=1, b=.5.
    expected = [
        [np.log(8 / 7) * 2 / 1.875, np.log(8 / 5) * 2 / 1.875, 0],
        [np.log(8 / 7) * 4 / 2.875, 0, 0],
        [np.log(8 / 7) * 2 / 2.25, np.log(8 / 5) * 2 / 2.25, np.log(8 / 3) * 4 / 3.25],
    ]
    np.testing.assert_allclose(bm25.confidence(weights, k1=1.0, b=0.5).toarray(), expected, rtol=1e-6)


def test_an_item_that_everybody_has_keeps_a_positive_confidence() -> None:
    weights = sp.csr_matrix(np.ones((4, 2), dtype=np.float32))
    assert (bm25.confidence(weights, k1=100.0, b=0.8).data > 0).all()


def test_a_user_without_interactions_stays_without() -> None:
    weights = sp.csr_matrix(np.array([[1, 1], [0, 0]], dtype=np.float32))
    assert bm25.confidence(weights, k1=100.0, b=0.8)[1].nnz == 0


def test_some_users_with_the_statistics_of_all_have_the_confidences_that_they_have_among_all() -> None:
    rng = np.random.default_rng(0)
    weights = sp.csr_matrix(np.where(rng.random((40, 15)) < 0.3, rng.integers(1, 6, (40, 15)), 0).astype(np.float32))
    together = bm25.confidence(weights, k1=100.0, b=0.8)
    idf, mean_length = bm25.inverse_document_frequency(weights), float(weights.sum()) / 40
    alone = bm25.with_statistics(weights[7:19], idf=idf, mean_length=mean_length, k1=100.0, b=0.8)
    np.testing.assert_array_equal(alone.toarray(), together[7:19].toarray())
