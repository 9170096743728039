"""The rows of skin in a head model's table, and how people have them."""

import numpy as np

from facegen_addon.heads.parameters import ParameterTable
from facegen_addon.heads.skin.parameters import SKIN_HELP, draw_skin, skin_parameters

TABLE = ParameterTable(skin_parameters())
COUNT = 4000


def _drawn(rng: np.random.Generator) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    shares = rng.dirichlet((0.3, 0.3, 0.3), COUNT)
    people = dict(zip(("african", "asian", "caucasian"), shares.T, strict=True))
    people |= {"age": rng.uniform(0.6, 1.0, COUNT), "male": (rng.random(COUNT) < 0.5) * 1.0}
    values = TABLE.mean + TABLE.std * rng.standard_normal((COUNT, len(TABLE)))
    draw_skin(rng, {name: values[:, k] for k, name in enumerate(TABLE.names)}, people)
    values = np.clip(values, TABLE.minimum, TABLE.maximum)
    return dict(zip(TABLE.names, values.T, strict=True)), people


def test_every_parameter_says_what_it_does() -> None:
    assert set(SKIN_HELP) == set(TABLE.names)
    assert all(SKIN_HELP.values())
    assert (TABLE.minimum < TABLE.mean).all()
    assert (TABLE.mean < TABLE.maximum).all()
    assert (TABLE.std > 0.0).all()


def test_skins_are_drawn_as_people_have_them(rng: np.random.Generator) -> None:
    skin, people = _drawn(rng)
    african, fair = people["african"] > 0.8, people["caucasian"] > 0.8
    assert np.median(skin["skin_melanin"][african]) > np.median(skin["skin_melanin"][fair]) + 0.4
    assert skin["skin_melanin"].min() < 0.1
    assert skin["skin_melanin"].max() == 1.0
    for name in ("skin_age", "skin_lines", "skin_spots"):
        assert np.corrcoef(people["age"], skin[name])[0, 1] > 0.4
    women, men = people["male"] == 0.0, people["male"] == 1.0
    assert skin["beard_shadow"][women].max() == 0.0
    assert np.median(skin["beard_shadow"][men]) > 0.2
    assert skin["skin_freckles"][african].mean() < 0.1 * skin["skin_freckles"][fair].mean()
    assert skin["skin_femininity"][women].min() > skin["skin_femininity"][men].mean()


def test_skin_is_smooth_up_to_forty_and_lined_at_seventy(rng: np.random.Generator) -> None:
    skin, people = _drawn(rng)
    years = 18.0 + 155.0 * (people["age"] - 0.6)
    lines, old = skin["skin_lines"], skin["skin_age"]
    assert lines[years < 40].max() < 0.35
    assert np.median(lines[years < 40]) < 0.06
    assert np.median(old[years < 40]) < 0.1
    fifty, seventy = np.abs(years - 50.0) < 3.0, np.abs(years - 70.0) < 3.0
    assert 0.1 < np.median(lines[fifty]) < 0.35
    assert np.median(lines[seventy]) > 0.5


def test_the_table_has_the_mean_and_spread_that_are_drawn(rng: np.random.Generator) -> None:
    skin, _ = _drawn(rng)
    for parameter in TABLE.parameters:
        drawn = skin[parameter.name]
        assert abs(drawn.mean() - parameter.mean) < 0.6 * parameter.std, parameter.name
        assert 0.5 < drawn.std() / parameter.std < 1.6, parameter.name


def test_the_same_stream_draws_the_same_skins() -> None:
    first, second = (_drawn(np.random.default_rng(3))[0] for _ in range(2))
    for name in TABLE.names:
        np.testing.assert_array_equal(first[name], second[name])
