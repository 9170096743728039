# SPDX-License-Identifier: GPL-3.0-or-later
"""Which heads are surely apart, and which have to be looked at again."""

import numpy as np
import pytest

from facegen_addon.latent.selection import greedy_selection, largest_selection
from facegen_addon.latent.sphere import cosine_distance, cosine_distance_matrix, normalise
from facegen_addon.variety.apart import ALLOWANCE, ApartSelector, Demand

FACENET = Demand("facenet", 0.5, 0.51)


def head(angle: float, spread: float = 0.0, views: int = 9) -> np.ndarray:
    """Views (V, 3) at an angle on a circle, alternately to both sides of it by `spread`."""
    angles = angle + spread * (-1.0) ** np.arange(views)
    return np.stack([np.cos(angles), np.sin(angles), np.zeros(views)], axis=1)


def selector(*heads: np.ndarray, hands: int = 0, demand: Demand = FACENET) -> ApartSelector:
    chosen = ApartSelector([demand], hands)
    for views in heads:
        chosen.offer((views,))
    return chosen


def test_one_view_a_head_is_chosen_as_ever(rng: np.random.Generator) -> None:
    latents = normalise(rng.standard_normal((150, 4)))
    chosen, distances = ApartSelector([FACENET], 0), cosine_distance_matrix(latents)
    for number, latent in enumerate(latents, start=1):
        chosen.offer((latent[None],))
        greedy = greedy_selection(distances[:number, :number], 0.5)
        np.testing.assert_array_equal(chosen.best(1000), greedy)
    largest = largest_selection(distances, 0.5, start=greedy, target=1000, effort=300)
    np.testing.assert_array_equal(chosen.best(1000, 300), largest)
    np.testing.assert_array_equal(chosen.surely_apart(1000, 300), chosen.best(1000, 300))
    assert chosen.open_head(chosen.best(1000)) is None


def test_views_that_come_near_keep_a_pair_from_being_chosen() -> None:
    steady, shaky = selector(head(0), head(1.16)), selector(head(0, 0.12), head(1.2, 0.12))
    assert len(steady.best(2)) == 2 and len(shaky.best(2)) == 1


def test_far_pairs_are_sure_and_close_ones_open() -> None:
    far = selector(head(0), head(3), hands=2)
    assert far.open_head(far.best(2)) is None
    close = selector(head(0), head(1.16), hands=2)
    assert len(close.best(2)) == 2 and close.open_head(close.best(2)) == 0
    assert len(close.surely_apart(2, 10)) == 1
    assert 1 - np.cos(1.16) - ALLOWANCE * 0.51 < 0.5 < 1 - np.cos(3) - ALLOWANCE * 0.51


def test_pairs_that_other_hands_are_expected_to_bring_together_are_not_looked_at() -> None:
    angle = np.arccos(1 - 0.5 - 0.08)  # by less than what is expected beyond the demand
    assert len(selector(head(0), head(angle)).best(2)) == 2
    assert len(selector(head(0), head(angle), hands=2).best(2)) == 1


def test_looks_go_to_the_less_known_of_the_nearest_pair_until_it_is_sure() -> None:
    chosen = selector(head(0), head(1.16), head(3.0), hands=2)
    looked = []
    while (index := chosen.open_head(np.arange(3))) is not None:
        looked.append(index)
        chosen.look(index, (head((0, 1.16, 3.0)[index]),))
    assert looked == [0, 1, 0, 1] and chosen.level(2) == 0
    assert chosen.are_apart(np.arange(3)) and len(chosen.surely_apart(3, 10)) == 3


def test_a_pair_that_other_hands_bring_together_falls_apart() -> None:
    chosen = selector(head(0), head(1.16), head(4.0), hands=1)
    for index, angle in ((0, 0.0), (1, 0.6)):
        assert chosen.are_apart(np.arange(3))
        chosen.look(index, (head(angle),))
    assert not chosen.are_apart(np.arange(3))
    assert chosen.best(3).tolist() == [0, 2] == chosen.surely_apart(3, 10).tolist()


def test_a_head_whose_face_is_lost_in_other_hands_is_left_out() -> None:
    chosen = selector(head(0), head(1.16), head(4.0), hands=1)
    chosen.look(1, None)
    chosen.look(0, (head(0),))
    assert chosen.best(3).tolist() == [0, 2] and chosen.level(1) == 1


@pytest.mark.parametrize("second", [0.3, 0.6])
def test_two_encoders_each_have_their_demand(second: float) -> None:
    chosen = ApartSelector([FACENET, Demand("sface", second, 0.637)], 0)
    for first, other in ((0.0, 0.0), (2.0, 0.9), (4.0, 4.0)):
        chosen.offer((head(first), head(other)))
    by_second = float(cosine_distance(head(0.0)[0], head(0.9)[0]))
    apart = by_second >= second
    assert chosen.best(3).tolist() == ([0, 1, 2] if apart else [0, 2])
    if apart:
        assert chosen.reached(3) == pytest.approx(0.5 * by_second / second, abs=1e-6)


def test_more_heads_than_there_was_room_for(rng: np.random.Generator) -> None:
    latents = normalise(rng.standard_normal((140, 64)))
    chosen = selector(*(latent[None] for latent in latents))
    assert len(chosen) == 140 and chosen.reached(2) > 1.0
    assert chosen.reached(140) == pytest.approx(
        min(float(cosine_distance(latents[i], latents[j])) for i in range(140) for j in range(i))
    )
