# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams of random numbers that do not depend on one another, all derived in one way."""

import numpy as np


def random_stream(*parts: int | str) -> np.random.Generator:
    """The stream that belongs to seeds, numbers and names, in this order: (seed, "shot", 7).

    Who draws from a stream of its own shifts nobody else's draws. Names count by their UTF-8 bytes.
    """
    numbers: list[int] = []
    for part in parts:
        numbers += part.encode() if isinstance(part, str) else [part]
    return np.random.default_rng(numbers)
