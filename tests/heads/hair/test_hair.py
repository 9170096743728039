# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair of any style, on any head."""

import numpy as np
import pytest

from facegen_addon.errors import UserError
from facegen_addon.heads.anny.head import anny_head
from facegen_addon.heads.appearance import held
from facegen_addon.heads.hair.colour import (
    colours_of_strands,
    mixed_colour,
    pigmented_colour,
    scalp_shade,
)
from facegen_addon.heads.hair.cut import POINTS, lengths, metres
from facegen_addon.heads.hair.groom import heights_behind_the_edge, shares_shown
from facegen_addon.heads.hair.hairline import hairline_field, recession_edge
from facegen_addon.heads.hair.parameters import HAIR_HELP, HAIR_NAMES, hair_values
from facegen_addon.heads.hair.roots import skull_centre, zone_fields
from facegen_addon.heads.hair.styles import STYLES
from facegen_addon.heads.named_styles import styled
from facegen_addon.heads.person.head import PersonHead, person_head


@pytest.fixture(scope="module")
def person() -> PersonHead:
    return person_head()


@pytest.fixture(scope="module")
def vertices(person: PersonHead) -> np.ndarray:
    return person.forward(person.table.default())[0]


def grown(person: PersonHead, parameters: np.ndarray) -> np.ndarray:
    """Points (S, K, 3) of the hair of one head."""
    style = person.hair_style(parameters)
    points, _ = person.groom.grow(style.groom, person.forward(parameters)[0])
    return points


def worn(person: PersonHead, name: str, **changes: float) -> np.ndarray:
    parameters = styled(person, person.table.default(), "hair", name)
    for row, value in changes.items():
        parameters[person.table.index(row)] = value
    return parameters


@pytest.mark.parametrize("name", STYLES)
def test_a_style_grows_outside_the_head_wherever_it_turns(person: PersonHead, name: str) -> None:
    parameters = worn(person, name, head_x=0.2, head_z=-0.3)
    points = grown(person, parameters)
    assert np.isfinite(points).all()
    assert np.array_equal(points, grown(person, parameters))
    surface = person.surface
    skin = person.forward(parameters)[0][
        surface.vertices_of("skin") & (surface.masks["ears"] < 0.1)
    ]
    middle = person.joints(parameters)[0][2]
    middle = 0.5 * (middle + skin[skin[:, 2].argmax()])  # inside the skull
    along = (skin - middle) / np.linalg.norm(skin - middle, axis=1, keepdims=True)
    tips = points[::37].reshape(-1, 3)
    direction = tips - middle
    distance = np.linalg.norm(direction, axis=1)
    nearest = (direction @ along.T).argmax(1)
    depth = np.linalg.norm(skin[nearest] - middle, axis=1) - distance
    above = direction[:, 2] > 0  # below, the neck is no longer what lies nearest
    assert np.percentile(depth[above], 99.5) < 0.006
    face = person.five_points(person.forward(worn(person, name))[0])
    straight = grown(person, worn(person, name))
    for pupil in face[:2]:
        beside = np.linalg.norm((straight - pupil)[..., [0, 2]], axis=2) < 0.008
        assert (beside & (straight[..., 1] < pupil[1])).mean() < 2e-4


@pytest.mark.parametrize("row", ["hair_top_length", "hair_side_length", "hair_back_length"])
def test_hair_is_as_long_as_its_sliders_say(person: PersonHead, row: str) -> None:
    grows = [grown(person, worn(person, "Buzz Cut", **{row: v})) for v in (0.1, 0.4, 0.9)]
    means = [np.linalg.norm(np.diff(points, axis=1), axis=2).sum(1).mean() for points in grows]
    assert means[0] < means[1] < means[2]
    assert metres(0.0) == pytest.approx(0.003) and metres(1.0) == pytest.approx(0.45)


@pytest.mark.parametrize("name", ["Side Parting", "Long Wavy", "Ponytail", "Receding"])
def test_a_small_step_of_a_slider_moves_hair_a_little(person: PersonHead, name: str) -> None:
    before = worn(person, name)
    points = grown(person, before)
    for row in HAIR_NAMES:
        column = person.table.index(row)
        step = -1e-3 if before[column] > 0.5 else 1e-3
        after = before.copy()
        after[column] += step
        moved = np.linalg.norm(grown(person, after) - points, axis=2)
        assert np.percentile(moved, 95) < 0.01, row


def test_the_bald_have_none_on_top_and_others_do(person: PersonHead) -> None:
    def shown(name: str) -> np.ndarray:
        style = person.hair_style(worn(person, name))
        vertices = person.forward(worn(person, name))[0]
        return person.groom.grow(style.groom, vertices)[1][:, 0] > 0

    top = person.groom.roots.all_zones.top > 0.9
    assert shown("Bald")[top].mean() < 0.02 < 0.9 < shown("Bob")[top].mean()
    assert shown("Receding").sum() < shown("Short Sides").sum()


def test_long_hair_covers_the_nape(person: PersonHead) -> None:
    """What falls behind the neck lies beside its neighbours and does not part over the nape."""
    parameters = worn(person, "Long Straight")
    points, neck = grown(person, parameters), person.joints(parameters)[0][1]
    behind = points[(points[..., 1] > neck[1]) & (np.abs(points[..., 2] - neck[2]) < 0.02)]
    across = np.histogram(behind[:, 0] - neck[0], bins=11, range=(-0.055, 0.055))[0]
    assert across.min() > 0.5 * np.median(across)


@pytest.mark.parametrize("name", ["Bob", "Curly", "Fringe", "Long Straight", "Long Wavy"])
def test_no_lock_crosses_the_face(person: PersonHead, name: str) -> None:
    """However untidy, what grows on one side hangs on that side, below the brows."""
    parameters = worn(person, name, hair_untidiness=0.5)
    points = grown(person, parameters)
    pupils = person.five_points(person.forward(parameters)[0])[:2]
    before = (points[..., 1] < pupils[:, 1].max()) & (points[..., 2] < pupils[:, 2].mean() + 0.02)
    beyond = np.sign(points[..., 0]) != np.sign(points[:, :1, 0])
    crossing = before & beyond & (np.abs(points[..., 0]) > 0.01)
    assert crossing.any(1).mean() < 1e-3


def test_tied_hair_meets_at_a_knot(person: PersonHead) -> None:
    points = grown(person, worn(person, "Ponytail", hair_layers=1.0))
    grown_up = person.groom.roots.all_zones.field > 0.015  # the rest is down of the hairline
    halfway = points[grown_up, POINTS // 2 - 1]
    assert halfway.std(0).max() < 0.02
    high = grown(person, worn(person, "Ponytail", hair_tie_height=0.9))[grown_up, POINTS // 2 - 1]
    assert high[:, 2].mean() > halfway[:, 2].mean() + 0.01


def test_black_is_black_blond_is_blond_and_grey_comes_strand_by_strand(person: PersonHead) -> None:
    black, blond, red = (pigmented_colour(*pair) for pair in ((1, 0), (0.15, 0), (0.45, 1)))
    assert black.max() < 0.008 and blond[0] > 0.35 and blond[0] > 2 * blond[2]
    assert red[0] / red[2] > 2 * blond[0] / blond[2]
    roots = person.groom.roots
    shares = [
        (colours_of_strands(roots, black, grey).mean(1) > 0.2).mean() for grey in (0, 0.3, 0.6, 1)
    ]
    assert shares[0] == 0 and shares[-1] > 0.95 and shares == sorted(shares)
    values = dict.fromkeys(HAIR_NAMES, 0.0) | {"hair_melanin": 1.0, "hair_grey": 1.0}
    assert mixed_colour(values).min() > 0.35


def test_people_wear_what_one_sees_in_the_street(person: PersonHead) -> None:
    drawn = person.sample_prior(np.random.default_rng(2), 400)
    column = {name: drawn[:, person.table.index(name)] for name in person.table.names}
    men = column["gender"] < 0.5
    assert np.median(column["hair_side_length"][men]) < 0.45
    assert np.median(column["hair_side_length"][~men]) > 0.65
    young = column["age"] < 0.62
    assert column["hair_grey"][young].max() == 0.0 < column["hair_grey"][~young].mean()
    assert column["hair_thinning"][~men].max() < 0.5
    over_shoulders = (column["hair_back_length"] > 0.85) & (column["hair_top_length"] > 0.75)
    assert over_shoulders[men].mean() < 0.05 < 0.1 < over_shoulders[~men].mean()
    old = column["age"] > 0.88
    lengths = column["hair_side_length"][~men & old]
    assert np.quantile(lengths, 0.1) > 0.45 and np.quantile(lengths, 0.6) < 0.88
    assert np.mean(column["hair_fringe"][~men & old] > 0.5) > 0.25
    assert column["hair_volume"][~men & old].mean() > 0.45
    coiled = (column["african"] > 0.7) & (men | ~old)  # old women straighten theirs
    assert column["hair_curl"][coiled].mean() > 0.4 > column["hair_curl"][~coiled].mean()
    assert column["hair_curl"][column["asian"] > 0.9].max() < 0.2


def test_grey_belongs_to_age_and_comes_later_with_african_ancestry(person: PersonHead) -> None:
    drawn = person.sample_prior(np.random.default_rng(4), 3000)
    column = {name: drawn[:, person.table.index(name)] for name in person.table.names}
    grey, age, men = column["hair_grey"], column["age"], column["gender"] < 0.5
    assert grey[age < 0.71].max() == 0.0  # 35 years
    middle_aged = (age > 0.76) & (age < 0.86)
    african, caucasian = (column[name] > 0.8 for name in ("african", "caucasian"))
    assert grey[middle_aged & african].mean() < 0.8 * grey[middle_aged & caucasian].mean()
    old = age > 0.9
    dyed = grey[old & ~men] < 0.15
    assert 0.6 < dyed.mean() < 0.8 and (grey[old & men] < 0.15).mean() < 0.05
    melanin = column["hair_melanin"][old & ~men][dyed]
    assert np.quantile(melanin, 0.05) > 0.4


def test_hair_is_rooted_above_the_line_and_closest_along_the_forehead(person: PersonHead) -> None:
    surface, strands = person.surface, person.groom.roots.strands
    corners = surface.faces[strands.triangle]
    roots = (surface.rest_position[corners] * strands.bary[..., None]).sum(1)
    assert np.allclose(hairline_field(roots), strands.field, atol=1e-5) and strands.field.min() > 0
    assert (surface.masks["ears"][corners] * strands.bary).sum(1).max() < 0.4
    assert abs((roots[:, 0] > 0).mean() - 0.5) < 0.02
    ahead = roots[:, 1] < -0.11
    nearest, farther = (
        ((strands.field > low) & (strands.field < low + 0.008))[ahead].sum() for low in (0, 0.03)
    )
    assert nearest > farther
    pupils = person.five_points(surface.rest_position[None])[0][:2]
    middle = ahead & (np.abs(roots[:, 0]) < 0.02)
    assert 0.05 < roots[middle, 2].min() - pupils[0, 2] < 0.065


def test_hair_begins_finer_and_with_down(person: PersonHead) -> None:
    parameters = worn(person, "Long Straight")
    style = person.hair_style(parameters)
    points, radius = person.groom.grow(style.groom, person.forward(parameters)[0])
    edge = heights_behind_the_edge(person.groom.roots, style.groom)
    first, later = (edge > 0.001) & (edge < 0.004), (edge > 0.015) & (edge < 0.03)
    length = np.linalg.norm(np.diff(points, axis=1), axis=2).sum(1)
    assert radius[first, 0].mean() < 0.8 * radius[later, 0].mean()
    assert (length[first] < 0.15).mean() > 0.2 > (length[later] < 0.15).mean()


def test_only_who_wears_short_sides_has_sideburns(person: PersonHead) -> None:
    roots = person.groom.roots
    burns = roots.all_zones.burns > 0.8
    shown = {
        name: (shares_shown(roots, person.hair_style(worn(person, name)).groom)[burns] > 0).mean()
        for name in ("Short Sides", "Long Straight")
    }
    assert burns.sum() > 50 and shown["Short Sides"] > 0.5 > 0.1 > shown["Long Straight"]


def test_scalp_darkens_where_hair_grows(person: PersonHead) -> None:
    hairy, bald = (
        person.appearance(
            worn(person, "Short Sides", hair_melanin=1.0, hair_grey=0.0, hair_density=d)
        ).vertex_colour
        for d in (1.0, 0.0)
    )
    scalp = (person.surface.masks["scalp"] > 0.9) & (person.surface.fields["hairline"] > 0.03)
    cheeks = person.surface.masks["cheeks"] > 0.5
    assert hairy[scalp].mean() < 0.2 * bald[scalp].mean()
    assert np.array_equal(hairy[cheeks], bald[cheeks])


def test_styles_are_of_all_parameters_but_colours_and_of_no_other_model(person: PersonHead) -> None:
    colours = {"hair_melanin", "hair_redness", "hair_grey"}
    assert len(STYLES) >= 14
    for name, values in STYLES.items():
        assert set(values) == HAIR_NAMES - colours, name
        person.table.validate(worn(person, name))
    assert all(HAIR_HELP.values())
    with pytest.raises(UserError, match="unknown style of hair 'Mullet'"):
        styled(person, person.table.default(), "hair", "Mullet")
    anny = anny_head()
    with pytest.raises(UserError, match="no styles"):
        styled(anny, anny.table.default(), "hair", "Bob")


def test_held_is_numpys_clip_to_the_bit() -> None:
    x = np.array([-np.inf, -1.0, -0.0, 0.0, 0.3, 1.0, 7.0, np.inf, np.nan], np.float32)
    found = held(x, 0.0, 1.0)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.clip(x, 0.0, 1.0))
    assert held(x.astype(np.float64), -1, 1).dtype == np.float64


def front_line(person: PersonHead, recession: float) -> np.ndarray:
    """The hairline of a skull's left half in front view, (N, 2) metres, its points 2 mm apart."""
    roots = person.groom.roots.strands
    rest = person.surface.rest_position[person.surface.faces[roots.triangle]]
    centre = skull_centre((rest * roots.bary[..., None]).sum(1))
    x, z = np.meshgrid(np.linspace(0.0, 0.066, 133), np.linspace(0.0, 0.08, 321), indexing="ij")
    unit = 1.0 - (x / 0.078) ** 2 - (z / 0.095) ** 2
    y = -0.096 * np.sqrt(np.maximum(unit, 0.0))
    places = np.stack([x, y + centre[1], z + centre[2]], axis=-1).reshape(-1, 3)
    field = hairline_field(places)
    fields = zone_fields(places, field, centre)
    values = {"hair_recession": recession, "hair_side_length": 0.2}
    behind = (field - recession_edge(values, fields)).reshape(x.shape)
    behind[unit < 0.0] = 1.0
    line = np.stack([x[:, 0], z[0][(behind > 0.0).argmax(1)]], axis=1)
    along = np.append(0.0, np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1)))
    at = np.arange(0.0, along[-1], 0.002)
    return np.stack([np.interp(at, along, line[:, k]) for k in (0, 1)], axis=1)


@pytest.mark.parametrize("recession", [0.0, 0.2, 0.4, 0.7, 1.0])
def test_no_forehead_has_square_corners(person: PersonHead, recession: float) -> None:
    """Over two centimetres the line turns by less than the right angle of a cap's corner."""
    line = front_line(person, recession)
    chord = line[5:] - line[:-5]
    course = np.unwrap(np.arctan2(chord[:, 1], chord[:, 0]))
    assert np.degrees(np.abs(course[5:] - course[:-5])).max() < 62
    recedes = line[:, 1].max() - line[0, 1]
    assert recedes < 0.004 if recession == 0.0 else recedes < 0.035


@pytest.mark.parametrize("name", ["Buzz Cut", "Short Sides", "Receding"])
def test_short_hair_is_not_drawn_away_from_where_it_is_rooted(
    person: PersonHead, name: str
) -> None:
    """As long hair before a face is: at the temples it would be smeared over the scalp."""
    values = person.hair_style(worn(person, name)).groom
    roots, points = person.groom.roots, grown(person, worn(person, name))
    wanted = lengths(roots, values)[roots.lock] * shares_shown(roots, values)
    zones = roots.all_zones
    temples = (zones.ahead > 0.7) & (zones.field < 0.02) & (zones.path > 0.01) & (wanted > 0.001)
    length = np.linalg.norm(np.diff(points, axis=1), axis=2).sum(1)
    assert (length > 1.6 * wanted)[temples].mean() < 0.05


def test_clipped_sides_fade_out_and_long_ones_do_not(person: PersonHead) -> None:
    roots = person.groom.roots
    zones = roots.all_zones
    sides = (zones.low > 0.8) & (zones.ahead > 0.3)

    def fullness_of(name: str) -> np.ndarray:
        values = person.hair_style(worn(person, name)).groom
        behind = heights_behind_the_edge(roots, values)
        shown = shares_shown(roots, values)
        rows = (sides & (behind > low) & (behind < high) for low, high in bins)
        return np.array([shown[of].mean() for of in rows])

    bins = ((0.004, 0.010), (0.012, 0.018), (0.036, 0.060))
    clipped, long = fullness_of("Short Sides"), fullness_of("Bob")
    assert clipped[0] < 0.4 * clipped[2] and clipped[0] < clipped[1] < 0.8 * clipped[2]
    assert long[1] > 0.9 * long[2]


def test_scalp_fades_where_clipped_hair_does(person: PersonHead) -> None:
    surface = person.surface
    height = hairline_field(surface.rest_position.astype(float))
    fields = person._scalp_fields
    beside = (fields["low"] > 0.8) & (height > 0.006) & (height < 0.014) & (fields["scalp"] > 0.9)

    def shade(name: str) -> float:
        values = hair_values(person.table, worn(person, name, hair_density=1.0))
        return float(scalp_shade(values, fields, np.zeros(3)).amount[beside].mean())

    assert beside.sum() > 10
    assert shade("Short Sides") < 0.6 * shade("Bob")
