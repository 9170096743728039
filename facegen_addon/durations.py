# SPDX-License-Identifier: GPL-3.0-or-later
"""Spans of time in words."""


def format_seconds(seconds: float) -> str:
    """`12 s`, or `3 min 05 s` from a minute on."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
