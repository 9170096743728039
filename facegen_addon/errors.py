# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors that FaceGen reports to its user, as distinct from defects in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum


class Remedy(Enum):
    """The remedy of a fault where command line and panel go about it differently.

    The rooms state the fault; terminal/remedies.py and ui/remedies.py know their users' words.
    """

    BUILD_ENCODER = "build an encoder's file; the subject is its name"
    RESTORE = "restore what comes with FaceGen"
    RETRAIN = "train B and what hangs on it anew; the subject is the head model's name, or empty"
    TRAIN = "train B for a FLAME file of one's own; the subject is the head model's name"
    FIT_CORRECTIONS = "fit corrections to the present B; the subject is the head model's name"
    RANK_SLIDERS = "rank the sliders of a head model anew"
    MEASURE_INFLUENCE = "measure the sliders of a head model anew"
    CHOOSE_FLAME = "choose the FLAME file that codes were made for; the subject is its version"
    AVOID_LATENTS = "do without B: draw heads from the prior"


@dataclass(frozen=True)
class Need:
    """A remedy, and what it is for."""

    remedy: Remedy
    subject: str = ""


class UserError(Exception):
    """Something the user can put right: a wrong value, a missing or damaged file.

    The message is one line that names the value and the remedy; the CLI prints it and exits 2.
    Where the remedy is not everybody's, the message states the fault alone and `need` says what
    is needed.
    """

    def __init__(self, message: str, need: Need | None = None) -> None:
        super().__init__(message)
        self.need = need

    @classmethod
    def with_remedy(cls, fault: str, remedy: str | Need) -> UserError:
        """The error of a fault and its remedy, in words or as a need."""
        return cls(fault, remedy) if isinstance(remedy, Need) else cls(f"{fault}: {remedy}")

    def within(self, where: str) -> UserError:
        """The same error, beginning with where it arose."""
        return UserError(f"{where}: {self}", self.need)


def explained(error: Exception, remedy: Callable[[Need], str]) -> str:
    """An error's line, ending in the remedy that `remedy` knows for its need, if it has one."""
    need = getattr(error, "need", None)
    return f"{error}: {remedy(need)}" if need else str(error)


def check_values(checks: Iterable[tuple[bool, str, object, str]]) -> None:
    """UserError for the first (whether it is fine, name, value, remedy) that is not fine."""
    for fine, name, value, remedy in checks:
        if not fine:
            raise UserError(f"{name} is {value!r}; give {remedy}")


class NotReached(Exception):
    """A demand that was understood but not met, e.g. the variety asked for; the CLI exits 3.

    The message is one line that says what was reached instead.
    """


class RejectedSample(Exception):
    """One sample that cannot be used, e.g. a head without a usable image; a batch goes on."""
