# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair lies as people's does: along the cheeks, close to the skull, sparse where it begins."""

from functools import cache

import numpy as np
import pytest

from facegen_addon.heads.hair.colour import colours_of_strands, pigmented_colour
from facegen_addon.heads.hair.groom import Groom
from facegen_addon.heads.hair.hairline import scalp_strands
from facegen_addon.heads.hair.parameters import hair_values
from facegen_addon.heads.named_styles import styled
from facegen_addon.heads.person.head import person_head

PERSON = person_head()
SKIN = PERSON.surface.vertices_of("skin")
EARS = PERSON.surface.masks["ears"] > 0.5
_CELL = 0.004
"""Metres of a side of the cells that a front view is looked at in."""


SEEDS = (0, 1, 2, 3)
"""Of roots: what single strands decide is measured over several heads of hair."""


@cache
def groom(seed: int) -> Groom:
    """Hair with other roots than a head's own."""
    return Groom.on(PERSON.surface, scalp_strands(PERSON.surface, seed))


class Worn:
    """A style on the mean head, with its own roots or those of a seed."""

    def __init__(self, name: str, seed: int | None = None, **changes: float) -> None:
        self.groom = PERSON.groom if seed is None else groom(seed)
        parameters = styled(PERSON, PERSON.table.default(), "hair", name)
        for row, value in changes.items():
            parameters[PERSON.table.index(row)] = value
        self.values = hair_values(PERSON.table, parameters)
        self.vertices = PERSON.forward(parameters)[0]
        points, radius = self.groom.grow(self.values, self.vertices)
        self.shown = radius[:, 0] > 0
        self.points = points[self.shown]
        self.eyes = float(PERSON.five_points(self.vertices)[:2, 2].mean())

    @property
    def dense(self) -> np.ndarray:
        """Points (N, 3) along the strands, some millimetres apart."""
        steps = np.linspace(0.0, 1.0, 5, endpoint=False)[:, None]
        low, high = self.points[:, :-1, None], self.points[:, 1:, None]
        return (low + steps * (high - low)).reshape(-1, 3)


def covered(worn: Worn, seen: np.ndarray) -> float:
    """The share of places (M, 3), seen from the front, that hair hides."""
    nearest = np.full((200, 200), np.inf)  # the head's middle in that of 80 cm each way
    hair, at = worn.dense, cells(seen)
    np.minimum.at(nearest, tuple(cells(hair).T), hair[:, 1])
    return float((nearest[tuple(at.T)] < seen[:, 1]).mean())


def cells(points: np.ndarray) -> np.ndarray:
    """Which cells (N, 2) points (N, 3) lie in, seen from the front."""
    return np.floor(points[:, [0, 2]] / _CELL).astype(int) + 100


@pytest.mark.parametrize("name", ["Long Straight", "Bob"])
def test_long_hair_falls_before_the_ears_unless_it_is_tucked(name: str) -> None:
    hidden = []
    for seed in SEEDS:
        worn = [Worn(name, seed, hair_tuck=much) for much in (0.0, 1.0)]
        hidden.append([covered(one, one.vertices[EARS]) for one in worn])
    loose, tucked = np.mean(hidden, axis=0)
    assert loose > 0.5
    assert tucked < loose - 0.1


@pytest.mark.parametrize("name", ["Long Straight", "Bob"])
def test_long_hair_is_hardly_wider_than_the_head(name: str) -> None:
    worn = Worn(name)
    near = np.abs(worn.vertices[:, 2] - worn.eyes) < 0.02
    head = np.ptp(worn.vertices[near & SKIN & ~EARS, 0])
    beside = worn.dense
    beside = beside[np.abs(beside[:, 2] - worn.eyes) < 0.05, 0]
    low, high = np.quantile(beside, [0.01, 0.99])
    assert 1.0 < (high - low) / head < 1.25


@pytest.mark.parametrize("name", ["Long Straight", "Long Wavy", "Bob", "Side Parting"])
def test_no_single_lock_hangs_on_the_forehead(name: str) -> None:
    worn = Worn(name)
    hair = worn.dense
    before = (hair[:, 1] < worn.vertices[SKIN, 1].min() + 0.06) & (np.abs(hair[:, 0]) < 0.035)
    forehead = before & (np.abs(hair[:, 2] - worn.eyes - 0.035) < 0.02)
    found = np.unique(cells(hair[forehead]), axis=0)
    assert len(found) < 0.04 * 0.07 * 0.04 / _CELL**2


@pytest.mark.parametrize("name", ["Short Sides", "Buzz Cut", "Slick Back", "Side Parting"])
def test_sideburns_lie_on_the_cheek(name: str) -> None:
    """They go no farther out than the skin does, and not up: what is nearest to the ears stands
    off a little, so that it is not the last strand that counts."""
    ways = []
    for seed in SEEDS:
        worn = Worn(name, seed)
        burns = worn.points[worn.groom.roots.all_zones.burns[worn.shown] > 0.8]
        assert len(burns) > 40
        ways.append((np.abs(burns[:, -1]) - np.abs(burns[:, 0]))[:, [0, 2]])
    outwards, up = np.concatenate(ways).T
    assert outwards.mean() < 0.0025 and np.quantile(outwards, 0.9) < 0.004
    assert np.mean(up < 0.0) > 0.9


def test_hair_begins_sparse_and_grows_dense_over_a_centimetre() -> None:
    found = []
    for seed in SEEDS:
        worn = Worn("Short Sides", seed, hair_recession=0.0)
        zones, field = worn.groom.roots.all_zones, worn.groom.roots.strands.field
        line = zones.above_nape > 0.99
        found.append(
            [
                worn.shown[line & (field > low) & (field < low + 0.002)].mean()
                for low in (0, 0.003, 0.01)
            ]
        )
    first, then, dense = np.mean(found, axis=0)
    assert first < 0.5 * dense and first < then < 0.8 * dense


@pytest.mark.parametrize("name", ["Long Straight", "Bob", "Short Sides", "Side Parting"])
def test_no_tuft_stands_at_the_crown(name: str) -> None:
    """Where the parting meets the whorl, no lock rises above those around it."""
    worn = Worn(name)
    crown = PERSON.groom.roots.all_zones.crown[worn.shown] > 0.3
    highest = worn.points[crown, :, 2].max(1)
    assert highest.max() - np.quantile(highest, 0.9) < 0.012


def test_a_fringe_hangs_as_one() -> None:
    """Whoever wears half a fringe has as much hair on the forehead as with a whole one, or none."""
    half, whole = (Worn("Fringe", hair_fringe=much) for much in (0.6, 1.0))
    forehead = half.vertices[SKIN]
    high = np.abs(forehead[:, 2] - half.eyes - 0.04) < 0.008
    forehead = forehead[high & (forehead[:, 1] < forehead[:, 1].min() + 0.05)]
    assert covered(half, forehead) > 0.85 * covered(whole, forehead) > 0.4


@pytest.mark.parametrize(
    ("name", "changes"),
    [("Long Straight", {}), ("Long Wavy", {}), ("Bob", {"hair_volume": 0.55, "hair_parting": 0.1})],
)
def test_no_two_humps_stand_beside_a_parting(name: str, changes: dict[str, float]) -> None:
    """From the front the crown is round: no valley in the line over it, single hairs left out."""
    hair = Worn(name, **changes).dense
    column = np.floor(hair[:, 0] / _CELL).astype(int)
    line = np.array([np.sort(hair[column == k, 2])[-25] for k in range(-18, 18)])
    rising, falling = np.maximum.accumulate(line), np.maximum.accumulate(line[::-1])[::-1]
    assert (np.minimum(rising, falling) - line).max() < 0.0015


def test_no_string_hangs_before_the_rest_of_long_hair() -> None:
    """Seen from the side, what is foremost, but for a strand or two, has other hair right behind
    it, and as much of it as hangs elsewhere."""
    strings, veil = [], []
    for seed in SEEDS:
        worn = Worn("Long Straight", seed)
        hair = worn.dense
        for below, side in ((0.0, 1), (0.0, -1), (0.03, 1), (0.03, -1)):
            level = np.abs(hair[:, 2] - worn.eyes + below) < 0.006
            ahead = np.sort(hair[level & (side * hair[:, 0] > 0.03), 1])
            strings.append(np.quantile(ahead, 0.02) - ahead[12])
            veil.append(np.quantile(ahead, 0.10) - np.quantile(ahead, 0.01))
    assert np.mean(strings) < 0.0055 and np.mean(veil) < 0.008


@pytest.mark.parametrize("name", ["Long Straight", "Long Wavy"])
def test_long_hair_is_as_wide_at_the_neck_as_at_the_ears(name: str) -> None:
    worn = Worn(name)
    ears, *lower = (width(worn, worn.eyes - below) for below in (0.0, 0.06, 0.12, 0.15))
    assert min(lower) > 0.95 * ears and max(lower) < 1.2 * ears


def width(worn: Worn, height: float) -> float:
    """Metres that hair is wide at a height, metres."""
    hair = worn.dense
    return float(np.ptp(np.quantile(hair[np.abs(hair[:, 2] - height) < 0.006, 0], [0.02, 0.98])))


def test_a_bob_ends_in_one_line() -> None:
    """No point of hair hangs below the others, in front least of all, and most end on the line."""
    points = Worn("Bob").points
    length = np.linalg.norm(np.diff(points, axis=1), axis=2).sum(1)
    ends = points[length > 0.5 * np.median(length), -1, 2]
    lowest, low, usual = np.quantile(ends, [0.005, 0.05, 0.4])
    assert usual - low < 0.012 and low - lowest < 0.012


def test_curls_stand_round_the_head_and_long_ones_hang() -> None:
    short = Worn("Curly")
    lengths = dict.fromkeys(("hair_top_length", "hair_side_length", "hair_back_length"), 0.75)
    long = Worn("Curly", hair_curl=0.6, **lengths)
    across = [np.ptp(np.quantile(worn.dense[:, 0], [0.01, 0.99])) for worn in (short, long)]
    assert max(across) < 0.22
    forehead = short.points[PERSON.groom.roots.all_zones.front[short.shown] > 0.5]
    assert np.quantile(forehead[:, -1, 2] - forehead[:, 0, 2], 0.3) > -0.03
    assert np.quantile(long.eyes - long.points[:, -1, 2], 0.9) > 0.10


def test_locks_differ_in_tone_and_what_is_hung_over_is_darker() -> None:
    roots = PERSON.groom.roots
    for melanin in (0.2, 1.0):
        colours = colours_of_strands(roots, pigmented_colour(melanin, 0.0), 0.0)
        tone = np.log(colours.mean(1))
        locks = np.bincount(roots.lock, tone) / np.bincount(roots.lock)
        assert 0.15 < locks.std() < 0.45
        below, above = roots.all_zones.path < -0.02, roots.all_zones.path > 0.06
        assert tone[below].mean() < tone[above].mean() - 0.2


def test_black_strands_mirror_some_light() -> None:
    colours = colours_of_strands(PERSON.groom.roots, pigmented_colour(1.0, 0.0), 0.0)
    assert 0.007 < np.median(colours) < 0.02


def test_a_quarter_of_a_fringe_is_none() -> None:
    """Some locks of one would hang on the forehead by themselves."""
    found = [
        len(np.unique(cells(_over_the_brows(Worn("Layered", hair_fringe=f))), axis=0))
        for f in (0.0, 0.25)
    ]
    assert found[1] <= found[0] + 2


def _over_the_brows(worn: Worn) -> np.ndarray:
    """Points (N, 3) of hair in the middle of the forehead."""
    hair = worn.dense
    before = (hair[:, 1] < worn.vertices[SKIN, 1].min() + 0.06) & (np.abs(hair[:, 0]) < 0.035)
    return hair[before & (np.abs(hair[:, 2] - worn.eyes - 0.035) < 0.015)]
