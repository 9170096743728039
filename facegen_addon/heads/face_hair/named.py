# SPDX-License-Identifier: GPL-3.0-or-later
"""Brows and beards that have a name: points among the parameters, name -> parameter -> value."""

from __future__ import annotations

from collections.abc import Sequence


def _table(names: Sequence[str], styles: dict[str, Sequence[float]]) -> dict[str, dict[str, float]]:
    return {style: dict(zip(names, row, strict=True)) for style, row in styles.items()}


BROWS = _table(
    (
        *("brow_height", "brow_arch", "brow_peak", "brow_wave", "brow_slant", "brow_length"),
        *("brow_thickness", "brow_taper", "brow_density", "brow_bushiness", "brow_gap"),
    ),
    {
        "straight": (0.0, 0.08, 0.40, 0.0, 0.05, 0.50, 0.40, 0.45, 0.65, 0.25, 0.58),
        "soft arch": (0.1, 0.42, 0.50, 0.0, 0.1, 0.50, 0.46, 0.62, 0.72, 0.20, 0.60),
        "high arch": (0.3, 0.85, 0.70, 0.1, 0.15, 0.55, 0.40, 0.80, 0.72, 0.10, 0.62),
        "rounded": (0.2, 0.65, 0.15, 0.0, -0.10, 0.50, 0.40, 0.65, 0.70, 0.15, 0.60),
        "thick": (0.0, 0.40, 0.50, 0.0, 0.0, 0.55, 0.80, 0.50, 0.90, 0.45, 0.52),
        "thin": (0.2, 0.55, 0.50, 0.0, 0.0, 0.50, 0.12, 0.70, 0.62, 0.00, 0.62),
        "flat and bushy": (-0.3, 0.10, 0.40, 0.0, 0.0, 0.50, 0.65, 0.25, 0.85, 0.95, 0.50),
        "shape of an S": (0.1, 0.60, 0.70, 0.8, 0.10, 0.55, 0.40, 0.70, 0.70, 0.20, 0.58),
        "short": (0.0, 0.30, 0.45, 0.0, 0.0, 0.08, 0.45, 0.35, 0.50, 0.20, 0.60),
        "sparse": (0.0, 0.35, 0.50, 0.0, -0.1, 0.45, 0.40, 0.60, 0.22, 0.25, 0.62),
        "grown together": (-0.1, 0.30, 0.50, 0.0, 0.0, 0.55, 0.62, 0.50, 0.90, 0.55, 0.0),
        "drooping": (0.0, 0.45, 0.25, 0.0, -0.75, 0.55, 0.42, 0.55, 0.60, 0.35, 0.56),
    },
)

BEARDS = _table(
    (
        *("beard_shadow", "beard_density", "beard_length", "beard_cheek", "beard_neck"),
        *("beard_sideburns", "beard_goatee", "moustache_density", "moustache_length", "soul_patch"),
    ),
    {
        "clean": (0.08, 0.0, 0.05, 0.50, 0.40, 0.0, 0.0, 0.0, 0.05, 0.0),
        "shadow": (0.55, 0.0, 0.02, 0.55, 0.45, 0.15, 0.0, 0.0, 0.03, 0.0),
        "stubble": (0.60, 0.75, 0.12, 0.55, 0.45, 0.50, 0.0, 0.75, 0.12, 0.60),
        "moustache": (0.20, 0.0, 0.10, 0.50, 0.40, 0.0, 0.0, 0.95, 0.40, 0.0),
        "goatee": (0.25, 0.95, 0.38, 0.62, 0.10, 0.0, 0.95, 0.85, 0.30, 0.80),
        "short full": (0.55, 0.95, 0.34, 0.50, 0.40, 0.75, 0.0, 0.90, 0.30, 0.90),
        "long full": (0.50, 1.00, 0.75, 0.65, 0.60, 0.90, 0.0, 1.00, 0.50, 1.00),
        "sideburns": (0.30, 0.0, 0.45, 0.50, 0.30, 1.00, 0.0, 0.0, 0.05, 0.0),
    },
)
