"""What turns a history into a user's vector without training: parameters of one of four formulas, and arrays.

docs/artifact-format.md states the formulas. With y = item embedding × scale, `als` and `ials` solve the small
least-squares problem that the model solved for its own users, `sum` adds up vectors, and `sequence` encodes them in
their order.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recsys.artifact import sequence_encoder
from recsys.artifact.manifest import FoldInInfo, SequenceFoldIn
from recsys.artifact.sequence_encoder import EncoderWeights


@dataclass(frozen=True)
class FoldIn:
    """The fold-in of one version."""

    info: FoldInInfo
    item_weights: NDArray[np.float32]  # [n_items] als: inverse document frequency; sum: of the weight; others: ones
    item_scale: NDArray[np.float32]  # [n_items] what takes an item embedding back to the space the model was fitted in
    spectrum: NDArray[np.float32]  # [dim] als, ials: diagonal of the normal equations' constant part; others: zeros
    encoder: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))  # sequence: its weights, flat

    @cached_property
    def encoder_weights(self) -> EncoderWeights:
        """Views of `encoder`, which only a `sequence` fold-in has."""
        assert isinstance(self.info, SequenceFoldIn)
        return sequence_encoder.split(self.encoder, self.info, len(self.spectrum))
