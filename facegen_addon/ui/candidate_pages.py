# SPDX-License-Identifier: GPL-3.0-or-later
"""All candidates that were made for one head: pages of nine, stars, padlocks, and filters.

Knows nothing of windows. A head is known by its parameters, so that one that stays from page to
page keeps its marks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from ..arrays import ByteArray, FloatArray
from ..errors import UserError
from ..scene.workflows.candidates import COUNT, Candidates, Kept

FILTERS = ("all", "starred", "women", "men")
"""Which heads are shown: those of one page as they were made, or these of all pages."""
_WOMAN = 0.5  # of an attribute that is 0 for men and 1 for women


@dataclass(frozen=True)
class Tile:
    """A candidate's place: the page that it was made for, and its index there."""

    made: Candidates
    index: int

    @property
    def key(self) -> bytes:
        """What the head is known by."""
        return self.made.drawn[self.index].parameters.tobytes()

    @property
    def picture(self) -> Annotated[ByteArray, "S S 3"]:
        """Its portrait, (S, S, 3) uint8."""
        portrait: ByteArray = self.made.pictures[self.index]
        return portrait


class Pages:
    """Pages of candidates for one head; `number` counts those of the filter that is chosen."""

    def __init__(self) -> None:
        self.made: list[Candidates] = []
        self.number = 0
        self.filter = FILTERS[0]
        self._female: list[FloatArray | None] = []
        self._starred: set[bytes] = set()
        self._locked: set[bytes] = set()

    def add(self, made: Candidates, female: Annotated[FloatArray, "N"] | None = None) -> None:
        """Show a new page; those of another head are forgotten.

        female (9,): 0 for men to 1 for women, None where the model does not say.
        """
        if self.made and (made.head_id, made.model) != (self.made[0].head_id, self.made[0].model):
            self.__init__()  # type: ignore[misc]
        self.made.append(made)
        self._female.append(female)
        self.filter, self.number = FILTERS[0], len(self.made) - 1

    @property
    def latest(self) -> Candidates:
        """The page that was made last; UserError if there is none."""
        if not self.made:
            raise UserError("there are no candidates: make some first")
        return self.made[-1]

    @property
    def shown(self) -> list[Tile]:
        """Up to nine candidates, those of the page."""
        if self.filter == FILTERS[0]:
            return _tiles(self.made[self.number]) if self.made else []
        return self._found()[COUNT * self.number : COUNT * (self.number + 1)]

    @property
    def count(self) -> int:
        """How many pages there are to turn, at least one."""
        if self.filter == FILTERS[0]:
            return max(len(self.made), 1)
        return max(-(-len(self._found()) // COUNT), 1)

    def turn(self, by: int) -> None:
        """Go pages forward, or back where negative, as far as there are any."""
        self.number = min(max(self.number + by, 0), self.count - 1)

    def next_filter(self) -> None:
        """Choose the filter after this one, and its first page; of all, the last."""
        choices = FILTERS if any(f is not None for f in self._female) else FILTERS[:2]
        self.filter = choices[(choices.index(self.filter) + 1) % len(choices)]
        self.number = self.count - 1 if self.filter == FILTERS[0] else 0

    def is_starred(self, tile: Tile) -> bool:
        """Whether it has a star."""
        return tile.key in self._starred

    def is_locked(self, tile: Tile) -> bool:
        """Whether it stays when others are drawn."""
        return tile.key in self._locked

    def toggle(self, tile: Tile, mark: str) -> None:
        """Give it this mark, "star" or "lock", or take it away."""
        {"star": self._starred, "lock": self._locked}[mark].symmetric_difference_update({tile.key})

    @property
    def starred_count(self) -> int:
        """How many heads have a star."""
        return len(self._starred)

    def kept(self) -> dict[int, Kept]:
        """The locked candidates of the page by their index there, for the next one."""
        page = self.made[self.number if self.filter == FILTERS[0] else -1]
        return {t.index: page.kept(t.index) for t in _tiles(page) if self.is_locked(t)}

    def _found(self) -> list[Tile]:
        """The heads that the filter lets through, each once."""
        found: dict[bytes, Tile] = {}
        for made, female in zip(self.made, self._female, strict=True):
            for tile in _tiles(made):
                if self._passes(tile, female):
                    found.setdefault(tile.key, tile)
        return list(found.values())

    def _passes(self, tile: Tile, female: Sequence[float] | FloatArray | None) -> bool:
        if self.filter == "starred":
            return self.is_starred(tile)
        if female is None:
            return False
        return bool(female[tile.index] >= _WOMAN) == (self.filter == "women")


def _tiles(made: Candidates) -> list[Tile]:
    return [Tile(made, index) for index in range(COUNT)]
