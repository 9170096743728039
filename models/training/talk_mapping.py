# SPDX-License-Identifier: GPL-3.0-or-later
"""All that turns latents into heads in the study of corrections: the talk's B and the project's.

The talk's B is a regressor on random pairs alone: those of the initial batch, before any round of
heads that were proposed for real faces. Here it is a kernel ridge, and a small network.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from facegen_addon.arrays import RealArray
from facegen_addon.mapping.backward import BackwardMapping
from facegen_addon.mapping.perceptron import Perceptron
from models.training.baselines import KernelRidge
from models.training.pairs import Pairs

TalkMapping = Callable[[RealArray], RealArray]
"""B: latents (N, 512) of unit norm -> z (N, G) within the table's ranges."""

BASES = ("talk_kernel_ridge", "talk_network", "direct", "refined")
"""The talk's B twice, and the two grades of the project's."""

TALK_NETWORK = "talk_network/network/"
"""Prefix of the network's layers in the table of corrections."""


def load_bases(
    backward: BackwardMapping, random_pairs: Pairs, network: Perceptron
) -> dict[str, TalkMapping]:
    """Every B under study, by its name in BASES."""
    low, high = backward.table.guided_bounds()
    ridge = KernelRidge.fit(random_pairs)
    return {
        "talk_kernel_ridge": lambda latents: np.clip(ridge.predict(latents), low, high),
        "talk_network": lambda latents: np.clip(network.predict(latents), low, high),
        "direct": lambda latents: backward.standardised(latents, "direct"),
        "refined": lambda latents: backward.standardised(latents, "refined"),
    }
