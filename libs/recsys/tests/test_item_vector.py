"""The text of a vector that a shop brings."""

import math

import numpy as np
import pytest

from recsys import item_vector


@pytest.mark.parametrize("numbers", [1, 2, 3, 4, 5, 384, 768, 4096])
def test_a_vector_keeps_its_direction_and_has_length_1(numbers: int) -> None:
    values = np.random.default_rng(numbers).standard_normal(numbers) * 1e6
    text = item_vector.packed(values.tolist())
    assert text is not None
    assert item_vector.length(text) == numbers
    np.testing.assert_allclose(item_vector.unpacked(text), values / np.linalg.norm(values), atol=5e-4)


def test_it_takes_two_kilobytes_for_768_numbers() -> None:
    assert len(item_vector.packed([1.0] * 768) or "") == 2048


def test_very_large_numbers_are_fine_and_zeros_say_nothing() -> None:
    assert item_vector.packed([1e308, -1e308]) == item_vector.packed([1, -1])
    assert item_vector.packed([0.0, -0.0]) is None


@pytest.mark.parametrize(
    ("values", "told"),
    [
        pytest.param([], "expected 1 to 4096 numbers, found 0", id="none"),
        pytest.param([0.1] * 4097, "expected 1 to 4096 numbers, found 4097", id="too-many"),
        pytest.param([1.0, math.nan], "expected finite numbers, found NaN or infinity", id="nan"),
        pytest.param([1.0, -math.inf], "expected finite numbers, found NaN or infinity", id="infinity"),
    ],
)
def test_what_is_no_vector_is_refused(values: list[float], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        item_vector.packed(values)
