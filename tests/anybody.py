# SPDX-License-Identifier: GPL-3.0-or-later
"""What stand-ins for natural faces have in common: nobody in particular is asked for."""

import numpy as np


class Anybody:
    """Faces that may be pushed anywhere, all of one group."""

    pushed = True
    kept = np.zeros((512, 0))

    def strata_of(self, latents: np.ndarray) -> np.ndarray:
        """No shares are asked for."""
        return np.zeros((len(latents), 0), int)

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Of those who inherit."""
        raise NotImplementedError

    def people(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Anybody is to be covered."""
        return self.sample(rng, n)

    def groups_of(self, latents: np.ndarray) -> np.ndarray:
        """All of group 0."""
        return np.zeros(len(latents), int)
