# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos that a command had to leave out: said at once, counted at the end."""

import sys

from facegen_addon.errors import NotReached, UserError


class LeftOut:
    """Of so many photos. faults: why each was left out, a line each."""

    def __init__(self, photos: int) -> None:
        self.photos = photos
        self.faults: list[str] = []

    def add(self, error: UserError) -> None:
        """Note a photo; of a single one the command's end says why."""
        self.faults.append(str(error))
        if self.photos > 1:
            print(f"facegen: left out: {error}", file=sys.stderr)

    def check(self) -> None:
        """NotReached if any was left out: to be called once the rest is written."""
        if self.faults:
            raise NotReached(f"{len(self.faults)} of {self.photos} photos were left out")
