# SPDX-License-Identifier: GPL-3.0-or-later
"""Phrases as Blender's labels and tooltips begin."""

from __future__ import annotations


def capital(phrase: str) -> str:
    """The phrase with a capital first, and all else as it is."""
    return f"{phrase[:1].upper()}{phrase[1:]}"
