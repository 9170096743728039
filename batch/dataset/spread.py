# SPDX-License-Identifier: GPL-3.0-or-later
"""Which samples of a run are looked at, where not all are."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from batch.dataset.sidecar import ShardSummary, Sidecar
from facegen_addon.arrays import IntArray


def evenly(total: int, most: int) -> Annotated[IntArray, "M"]:
    """At most so many of `total` places, evenly spread, the first and the last among them."""
    return np.unique(np.linspace(0, total - 1, min(most, total)).round().astype(np.intp))


class Spread:
    """At most so many samples of a run, evenly spread over all that are in its shards."""

    def __init__(self, shards: Sequence[ShardSummary], most: int) -> None:
        self.total = sum(shard.samples for shard in shards)
        places, start = evenly(self.total, most), 0
        self._places: dict[int, IntArray] = {}  # in each shard
        for shard in shards:
            first, last = np.searchsorted(places, [start, start + shard.samples])
            self._places[shard.shard] = places[first:last] - start
            start += shard.samples

    def __contains__(self, shard: int) -> bool:
        """Whether any sample of a shard is among them."""
        return len(self._places[shard]) > 0

    def of(self, sidecar: Sidecar) -> set[int]:
        """Numbers of those of one shard."""
        indices = list(sidecar.attempts)
        return {indices[place] for place in self._places[sidecar.shard]}
