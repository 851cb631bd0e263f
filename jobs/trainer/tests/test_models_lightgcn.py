"""LightGCN's smoothing and loss by hand. The graph: user 0 has items 0 and 1, user 1 has item 1."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from trainer.models.lightgcn import Graph, LightGCN
from trainer.models.lightgcn_sampler import TrainingBatch
from trainer.models.lightgcn_training import bpr_loss, hardest_triples

DENSE = np.array([[1, 1], [0, 1]], dtype=np.float32)
LAYER0 = torch.tensor([[1.0], [2.0], [3.0], [4.0]])  # user 0, user 1, item 0, item 1
# Degrees 2, 1 and 1, 2: the edges weigh 1/√2 (u0–i0), 1/2 (u0–i1) and 1/√2 (u1–i1).
LAYER1 = [3 / 2**0.5 + 4 / 2, 4 / 2**0.5, 1 / 2**0.5, 1 / 2 + 2 / 2**0.5]


def graph() -> Graph:
    return Graph.of(sp.csr_matrix(DENSE))


def test_one_layer_is_the_mean_of_the_vectors_and_their_weighted_neighbours() -> None:
    expected = [(own + layer) / 2 for own, layer in zip([1, 2, 3, 4], LAYER1, strict=True)]
    np.testing.assert_allclose(LightGCN(graph(), LAYER0, layers=1)().detach()[:, 0], expected, rtol=1e-6)


def test_two_layers_reach_the_neighbours_of_neighbours() -> None:
    u0, u1, i0, i1 = LAYER1
    layer2 = [i0 / 2**0.5 + i1 / 2, i1 / 2**0.5, u0 / 2**0.5, u0 / 2 + u1 / 2**0.5]
    expected = [sum(layers) / 3 for layers in zip([1, 2, 3, 4], LAYER1, layer2, strict=True)]
    np.testing.assert_allclose(LightGCN(graph(), LAYER0, layers=2)().detach()[:, 0], expected, rtol=1e-6)


def test_stored_weights_do_not_change_the_graph() -> None:
    assert torch.equal(Graph.of(sp.csr_matrix(DENSE * 7)).weights, graph().weights)


def test_the_gradient_is_the_one_that_automatic_differentiation_of_the_dense_product_gives() -> None:
    half = torch.tensor([[2**-0.5, 0.5], [0.0, 2**-0.5]])
    adjacency = torch.cat([torch.cat([torch.zeros(2, 2), half], 1), torch.cat([half.T, torch.zeros(2, 2)], 1)])
    triples = torch.tensor([[0, 2, 3], [1, 3, 2]])
    dense = torch.randn((4, 3), generator=torch.Generator().manual_seed(0)).requires_grad_()
    smoothed = (dense + adjacency @ dense + adjacency @ adjacency @ dense) / 3
    bpr_loss(smoothed, dense, triples, l2=0.1).backward()  # type: ignore[no-untyped-call]  # torch's is untyped
    model = LightGCN(graph(), dense.detach(), layers=2)
    bpr_loss(model(), model.layer0, triples, l2=0.1).backward()  # type: ignore[no-untyped-call]  # torch's is untyped
    torch.testing.assert_close(model.layer0.grad, dense.grad)


def test_the_loss_of_two_triples_is_what_paper_and_pencil_give() -> None:
    nodes = torch.tensor([[1.0, 0.0], [2.0, 0.0], [1.0, 5.0]])
    triples = torch.tensor([[0, 1, 2], [0, 2, 2]])
    # Margins 1 and 0: −ln σ(1) = .3132617 and ln 2. Squared lengths: 1 + 4 + 26 and 1 + 26 + 26.
    ranking = (0.3132617 + 0.6931472) / 2
    assert bpr_loss(nodes, nodes, triples, l2=0.0).item() == pytest.approx(ranking)
    assert bpr_loss(nodes, nodes, triples, l2=0.1).item() == pytest.approx(ranking + 0.05 * (31 + 53) / 2)


def test_the_negative_of_a_triple_is_the_highest_scored_one_that_is_not_the_users_own() -> None:
    final = torch.tensor([[1.0], [1.0], [5.0], [7.0], [9.0]])  # two users, three items
    batch = TrainingBatch(
        users=torch.tensor([0, 1]),
        positives=torch.tensor([2, 0]),
        negatives=torch.tensor([[0, 1, 2], [0, 0, 0]]),
        seen=torch.tensor([[False, False, True], [True, True, True]]),
    )
    # User 0 has item 2, so item 1 counts; user 1 was offered nothing but their own item and is skipped.
    assert hardest_triples(final, batch, n_users=2).tolist() == [[0, 4, 3]]
