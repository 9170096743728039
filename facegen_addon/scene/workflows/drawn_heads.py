# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives a head of the scene the parameters of a drawn head, and its latent and seed."""

from __future__ import annotations

import numpy as np

from ...mapping.sampling import Sampled
from ..head import history
from ..head.head_object import HeadObject
from ..head.latents import Latents, store, store_seed


def apply(head: HeadObject, sampled: Sampled, label: str, seed: int | None) -> bool:
    """Give the head these parameters, its requested latent and seed, and a step of history.

    ``seed`` is None where nothing was drawn.
    False, and nothing is done, where the head has these parameters already.
    """
    if np.array_equal(sampled.parameters, head.parameters):
        return False
    history.before_change(head)
    head.set_parameters(sampled.parameters)
    store_seed(head.mesh_object, seed)
    store(head.mesh_object, Latents(requested=sampled.requested))
    history.record(head, label)
    return True
