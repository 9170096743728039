# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair as cards: within the budget, where the strands are, with their colours."""

from dataclasses import replace

import numpy as np
import pytest

from facegen_addon.heads.appearance import strand_colours
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.hair_cards import card_texture, groups, hair_cards
from facegen_addon.heads.strands import Strands, grow

MODEL = load_head_model("anny")


def _grown(**values: float) -> Strands:
    parameters = MODEL.table.default().copy()
    for name, value in values.items():
        parameters[MODEL.table.index(name)] = value
    vertices = MODEL.forward(parameters)[0]
    return grow(MODEL.strands, MODEL.hair_style(parameters), vertices, MODEL.surface.faces)


@pytest.mark.parametrize("budget", [500, 4000, 20_000])
@pytest.mark.parametrize("length", [0.0, 0.5, 1.0])
def test_the_budget_is_kept_and_used(budget: int, length: float) -> None:
    grown = _grown(hair_length=length, hair_density=0.9)
    cards = hair_cards(MODEL.strands, grown, budget)
    assert 0.6 * budget <= len(cards.faces) <= budget
    assert cards.faces.max() < len(cards.vertices) == len(cards.strand)
    assert cards.uv.min() >= 0.0 and cards.uv.max() <= 1.0


def test_cards_lie_on_their_strands() -> None:
    grown = _grown(hair_length=0.8, hair_density=0.9)
    cards = hair_cards(MODEL.strands, grown, 8000)
    for vertex in range(0, len(cards.vertices), 501):
        number = cards.strand[vertex]
        strand = grown.points[grown.first[number] :][: grown.sizes[number]]
        away = np.linalg.norm(strand - cards.vertices[vertex], axis=1).min()
        assert away < 0.02
    assert np.isfinite(cards.vertices).all()


def test_fewer_cards_are_some_of_the_same() -> None:
    grown = _grown(hair_length=0.8, hair_density=0.9)
    few, many = (set(hair_cards(MODEL.strands, grown, n).strand.tolist()) for n in (3000, 12_000))
    assert few < many
    brows = set(groups(MODEL.strands)["brow"].tolist())
    assert few & brows


def test_a_bald_head_without_brows_has_none() -> None:
    grown = _grown()
    bald = replace(grown, radius=np.zeros_like(grown.radius))
    cards = hair_cards(MODEL.strands, bald, 4000)
    assert len(cards.faces) == len(cards.vertices) == 0


def test_the_texture_has_the_strands_colours() -> None:
    colours = strand_colours(MODEL.strands, MODEL.appearance(MODEL.table.default()))
    light, alpha = card_texture(MODEL.strands, colours)
    assert light.shape == (*alpha.shape, 3) and light.min() >= 0.0
    assert alpha[:64].mean() > 0.8 and alpha[-8:].mean() < 0.3
    scalp = colours[groups(MODEL.strands)["scalp"], :3].mean(0)
    drawn = light[:, : alpha.shape[1] // 2][alpha[:, : alpha.shape[1] // 2] > 0.5].mean(0)
    np.testing.assert_allclose(drawn, scalp, rtol=0.25)
