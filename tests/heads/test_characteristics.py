# SPDX-License-Identifier: GPL-3.0-or-later
"""Age, sex, nose and so on as directions of components: what they change and what they leave."""

from dataclasses import replace

import numpy as np
import pytest

from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.characteristics import PEOPLE, WHOLE, Characteristics
from facegen_addon.heads.flame.open_head import OpenHead, UserHead, open_flame
from models.training import learn_characteristics as learn

HEAD = load_head_model("open_flame")
assert HEAD.characteristics is not None
KNOWN: Characteristics = HEAD.characteristics
MEAN = HEAD.table.default()
NAMES = KNOWN.names


def landmarks(parameters: np.ndarray) -> np.ndarray:
    return HEAD.landmarks(HEAD.forward(parameters))[0].astype(np.float64)


@pytest.fixture(scope="module")
def somebody() -> np.ndarray:
    """Of whom no component is near the ends of its range."""
    return (MEAN + HEAD.sample_prior(np.random.default_rng(3), 1)[0]) / 2


@pytest.mark.parametrize("name", NAMES)
def test_a_value_that_is_set_is_read_again(name: str, somebody: np.ndarray) -> None:
    row = KNOWN.rows[KNOWN.index(name)]
    for share in (0.2, 0.8):
        wanted = row.low + share * (row.high - row.low)
        changed = KNOWN.changed(somebody, {name: wanted})
        assert KNOWN.value(changed, name) == pytest.approx(wanted, abs=2e-6 * (row.high - row.low))


@pytest.mark.parametrize("name", [name for name in NAMES if KNOWN.others({name})])
def test_what_stays_by_default_stays(name: str, somebody: np.ndarray) -> None:
    row = KNOWN.rows[KNOWN.index(name)]
    middle = (row.low + row.high) / 2
    changed = KNOWN.changed(somebody, {name: middle})
    held = [KNOWN.index(other) for other in KNOWN.others({name})]
    before, after = KNOWN.read(somebody)[held], KNOWN.read(changed)[held]
    spans = np.array([KNOWN.rows[k].high - KNOWN.rows[k].low for k in held])
    assert (np.abs(after - before) < 1e-5 * spans).all()


def test_what_goes_with_age_goes_with_it_where_nothing_is_held() -> None:
    """Old people have longer ears; sex, which is held by default, stays only then."""
    older = KNOWN.changed(MEAN, {"age": 75.0}, held=())
    assert KNOWN.value(older, "ear_size") > KNOWN.value(MEAN, "ear_size") + 0.3
    held = KNOWN.changed(MEAN, {"age": 75.0}, held=("ear_size",))
    assert KNOWN.value(held, "ear_size") == pytest.approx(KNOWN.value(MEAN, "ear_size"), abs=1e-4)


def test_there_and_back_is_the_same_head(somebody: np.ndarray) -> None:
    before = KNOWN.value(somebody, "age")
    back = KNOWN.changed(KNOWN.changed(somebody, {"age": before + 15}), {"age": before})
    np.testing.assert_allclose(back, somebody, atol=1e-9)


def test_several_are_set_at_once() -> None:
    wanted = {"sex": 0.9, "age": 60.0, "nose_width": 28.0}
    changed = KNOWN.changed(MEAN, wanted)
    for name, value in wanted.items():
        assert KNOWN.value(changed, name) == pytest.approx(value, abs=1e-3)


def test_nothing_but_components_moves(somebody: np.ndarray) -> None:
    changed = KNOWN.changed(somebody, {"weight": 0.8, "lips": 14.0})
    others = np.setdiff1d(np.arange(len(HEAD.table)), HEAD.table.columns("shape"))
    np.testing.assert_array_equal(changed[others], somebody[others])
    HEAD.table.validate(changed)


@pytest.mark.parametrize(
    ("name", "pair"),
    [("nose_width", (31, 35)), ("mouth_width", (48, 54)), ("eye_distance", (39, 42))],
)
def test_a_measure_is_that_of_the_mesh_in_millimetres(name: str, pair: tuple[int, int]) -> None:
    row = KNOWN.rows[KNOWN.index(name)]
    for wanted in np.linspace(row.low, row.high, 5):
        points = landmarks(KNOWN.changed(MEAN, {name: wanted}))
        length = 1000 * np.linalg.norm(points[pair[0]] - points[pair[1]])
        assert length == pytest.approx(wanted, abs=1.0)


def test_a_wider_nose_moves_the_nose() -> None:
    wide = KNOWN.rows[KNOWN.index("nose_width")].high
    moved = landmarks(KNOWN.changed(MEAN, {"nose_width": wide})) - landmarks(MEAN)
    lengths = 1000 * np.linalg.norm(moved, axis=1)
    elsewhere = [*range(17), *range(36, 48), 57, 58, 56]
    assert lengths[[31, 35]].min() > 3.0
    assert lengths[elsewhere].max() < 1.0


def test_the_effect_of_age_grows_all_the_way() -> None:
    """Lips get thinner with every decade, on the mesh."""
    thickness = []
    for age in range(20, 81, 10):
        points = landmarks(KNOWN.changed(MEAN, {"age": float(age)}))
        thickness.append(np.linalg.norm(points[51] - points[62]))
    assert (np.diff(thickness) < 0).all()


def test_a_share_that_grows_takes_from_the_others() -> None:
    african = KNOWN.changed(MEAN, {"african": 1.0})
    others = [KNOWN.value(african, name) for name in ("asian", "caucasian")]
    assert sum(others) == pytest.approx(0.0, abs=1e-3)
    assert max(others) < 0.2


def test_locked_components_stay(somebody: np.ndarray) -> None:
    locked = np.zeros(len(HEAD.table), np.bool_)
    locked[HEAD.table.columns("shape")[:10]] = True
    changed = KNOWN.changed(somebody, {"age": 60.0}, locked=locked)
    np.testing.assert_array_equal(changed[locked], somebody[locked])
    assert KNOWN.value(changed, "age") == pytest.approx(60.0, abs=1e-3)
    locked[:] = True
    np.testing.assert_array_equal(KNOWN.changed(somebody, {"age": 60.0}, locked=locked), somebody)


def test_what_cannot_be_had_is_approached_within_the_ranges() -> None:
    changed = KNOWN.changed(MEAN, {"nose_length": 500.0})
    HEAD.table.validate(changed)
    assert KNOWN.value(changed, "nose_length") > KNOWN.rows[KNOWN.index("nose_length")].high


def test_who_somebody_is_stays_where_a_whole_head_changes() -> None:
    assert KNOWN.others({"face_width"}) == {r.name for r in KNOWN.rows if r.group == PEOPLE}
    assert {row.group for row in KNOWN.rows} >= {PEOPLE, WHOLE, "nose", "eyes", "mouth", "jaw"}


@pytest.mark.parametrize(
    ("values", "message"),
    [({"charm": 1.0}, "unknown characteristic 'charm'"), ({"age": np.nan}, "age is nan")],
)
def test_what_means_nothing_is_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        KNOWN.changed(MEAN, values)


def test_people_read_as_they_were_drawn() -> None:
    """The shipped readings, on fresh people that they were not fitted to."""
    anny = load_head_model("anny")
    drawn = learn.drawn_people(anny, load_head_model("person"), 150, np.random.default_rng(5))
    wanted = learn.quantities(anny, drawn)
    heads = np.tile(MEAN, (len(drawn), 1))
    heads[:, KNOWN.columns] = learn.components(anny, HEAD.flame.arrays, drawn)
    read = KNOWN.read(heads)
    for column, name in enumerate(("sex", "age", "african", "asian", "caucasian")):
        assert np.corrcoef(wanted[:, column], read[:, KNOWN.index(name)])[0, 1] > 0.97, name
    assert np.abs(wanted[:, 1] - read[:, KNOWN.index("age")]).mean() < 4.0


def test_other_components_of_the_same_heads_mean_the_same() -> None:
    """The open head's components turned among themselves, as of a file that somebody brings."""
    arrays, dressing = open_flame()
    count = arrays.shape_basis.shape[2]
    turn = np.linalg.qr(np.random.default_rng(2).standard_normal((count, count)))[0]
    turned = replace(arrays, shape_basis=(arrays.shape_basis @ turn).astype(np.float32))
    found = UserHead("turned", turned, dressing).characteristics
    people = HEAD.sample_prior(np.random.default_rng(3), 100)
    same = people.copy()
    same[:, KNOWN.columns] = people[:, KNOWN.columns] @ turn
    assert found.names == KNOWN.names
    read, true = found.read(same), KNOWN.read(people)
    for row, name in enumerate(KNOWN.names):
        assert np.corrcoef(read[:, row], true[:, row])[0, 1] > 0.97, name


def test_those_of_another_open_head_are_refused() -> None:
    arrays, dressing = open_flame()
    fewer = OpenHead(
        "open_flame", replace(arrays, shape_basis=arrays.shape_basis[..., :9]), dressing
    )
    with pytest.raises(UserError, match="of 66 components, the open head has 9"):
        _ = fewer.characteristics


def test_models_with_parameters_of_that_kind_have_none() -> None:
    assert load_head_model("anny").characteristics is None
