# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors that FaceGen reports to its user, as distinct from defects in it."""

from __future__ import annotations

from collections.abc import Iterable


class UserError(Exception):
    """Something the user can put right: a wrong value, a missing or damaged file.

    The message is one line that names the value and the remedy; the CLI prints it and exits 2.
    """


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
