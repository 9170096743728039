# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair that has a name, as points in the space of the hair's parameters."""

from __future__ import annotations

from collections.abc import Mapping

_PLAIN = {
    "hair_density": 1.0, "hair_recession": 0.05, "hair_thinning": 0.0, "hair_layers": 0.8,
    "hair_fringe": 0.0, "hair_part": 0.3, "hair_parting": 0.2, "hair_back": 0.0, "hair_tuck": 0.0,
    "hair_volume": 0.3, "hair_wave": 0.1, "hair_curl": 0.0, "hair_clumping": 0.4,
    "hair_untidiness": 0.15, "hair_tied": 0.0, "hair_tie_height": 0.5, "hair_bun": 0.0,
    "hair_braid": 0.0,
}  # fmt: skip


def _style(top: float, side: float, back: float, /, **others: float) -> dict[str, float]:
    lengths = {"hair_top_length": top, "hair_side_length": side, "hair_back_length": back}
    return {**_PLAIN, **lengths, **{f"hair_{name}": value for name, value in others.items()}}


STYLES: Mapping[str, Mapping[str, float]] = {
    "Buzz Cut": _style(0.06, 0.02, 0.02, part=0.0, volume=0.2, clumping=0.1, wave=0.0),
    "Short Sides": _style(
        0.50, 0.16, 0.18, part=0.5, parting=0.6, volume=0.4, clumping=0.4, untidiness=0.15
    ),
    "Side Parting": _style(
        0.60, 0.36, 0.36, part=1.0, parting=0.75, volume=0.35, back=0.25, clumping=0.4
    ),
    "Fringe": _style(
        0.66,
        0.62,
        0.55,
        fringe=1.0,
        part=0.1,
        parting=0.1,
        volume=0.35,
        clumping=0.15,
        untidiness=0.08,
    ),
    "Slick Back": _style(
        0.68, 0.50, 0.52, back=1.0, part=0.0, volume=0.15, untidiness=0.05, clumping=0.5
    ),
    "Curly": _style(
        0.62, 0.58, 0.56, curl=0.55, wave=0.2, volume=0.5, part=0.2, untidiness=0.2, clumping=0.5
    ),
    "Afro": _style(0.51, 0.47, 0.47, curl=1.0, volume=0.8, part=0.0, untidiness=0.15, clumping=0.1),
    "Bob": _style(
        0.75, 0.75, 0.75, layers=0.0, part=0.9, parting=0.45, volume=0.4, untidiness=0.08, wave=0.05
    ),
    "Layered": _style(
        0.70,
        0.64,
        0.60,
        layers=1.0,
        fringe=0.25,
        part=0.7,
        parting=0.45,
        volume=0.52,
        wave=0.4,
        untidiness=0.12,
        clumping=0.45,
    ),
    "Long Straight": _style(
        0.98,
        0.96,
        0.98,
        layers=0.3,
        part=0.95,
        parting=0.15,
        volume=0.2,
        untidiness=0.08,
        wave=0.02,
    ),
    "Long Wavy": _style(
        0.97,
        0.95,
        0.97,
        layers=0.6,
        part=0.8,
        parting=0.55,
        volume=0.5,
        wave=1.0,
        curl=0.1,
        untidiness=0.12,
        clumping=0.5,
    ),
    "Ponytail": _style(0.85, 0.85, 0.92, tied=1.0, tie_height=0.72, volume=0.15, wave=0.15),
    "Braid": _style(0.85, 0.85, 0.96, tied=1.0, tie_height=0.3, braid=1.0, volume=0.15),
    "Bun": _style(0.85, 0.85, 0.85, tied=1.0, tie_height=0.75, bun=1.0, volume=0.15),
    "Receding": _style(
        0.42, 0.30, 0.30, recession=1.0, thinning=0.4, back=0.25, part=0.1, density=0.85
    ),
    "Bald": _style(
        0.02,
        0.06,
        0.06,
        recession=1.0,
        thinning=1.0,
        density=0.7,
        part=0.0,
        volume=0.2,
        clumping=0.1,
    ),
}
"""Name -> values of all parameters that make a style; colours are the head's own."""
