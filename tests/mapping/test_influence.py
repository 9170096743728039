# SPDX-License-Identifier: GPL-3.0-or-later
"""What a slider does, measured with a stand-in for renderer and encoder."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facegen_addon.artifacts import read_index
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.parameters import ParameterTable
from facegen_addon.mapping import influence
from facegen_addon.mapping.influence import Influence, InfluenceSettings
from tests.toy_head import MILLIMETRES, NOISE, TABLE, ToyHead, toy_probe

SETTINGS = InfluenceSettings(heads=6, samples=2, seed=3)


def measured(noise: float = 0.0, settings: InfluenceSettings = SETTINGS) -> Influence:
    model, probe = ToyHead(), toy_probe(noise)
    base = influence.base_heads(model, settings, probe)
    sliders = [influence.measure(model, name, base, settings, probe) for name in TABLE.names]
    print_ = influence.fingerprint(model, settings, "encoder")
    digest = influence.table_digest(TABLE)
    return Influence("toy", settings, print_, digest, base.noise, tuple(sliders))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACEGEN_DATA", str(tmp_path))
    return influence.influence_folder()


def test_millimetres_are_those_of_the_skin_for_one_step() -> None:
    """Four skin vertices, one of which moves twice as far; the eye does not count."""
    for slider, millimetres in zip(measured().sliders, MILLIMETRES, strict=True):
        assert slider.mean_mm == pytest.approx(1.25 * millimetres * slider.step, abs=1e-4)
        assert slider.largest_mm == pytest.approx(2.0 * millimetres * slider.step, abs=1e-4)


def test_steps_are_deviations_or_quarters_of_the_range() -> None:
    sliders = measured().sliders
    assert [slider.step for slider in sliders] == pytest.approx([1.0, 0.2, 0.1, 0.4])
    assert [slider.step_is_std for slider in sliders] == [True, True, True, False]
    assert sliders[3].step_words == "quarter of the range"


def test_pictures_are_of_the_ends_that_people_believe() -> None:
    ends = [(s.low, s.high) for s in measured().sliders]
    np.testing.assert_allclose(ends, [(-2.5, 2.5), (-0.5, 0.5), (0.25, 0.75), (-0.8, 0.8)])
    strong = measured().sliders[0]
    parameters = TABLE.default()
    parameters[0] = 2.5
    assert strong.high_picture == toy_probe().portrait(parameters)


def test_a_parameter_at_its_end_is_moved_the_other_way() -> None:
    """Every step is a whole one: nothing is measured over a shortened step."""
    model, probe = ToyHead(), toy_probe()
    base = influence.base_heads(model, SETTINGS, probe)
    base.parameters[:, 1] = 0.9
    at_end = replace(base, vertices=model.forward(base.parameters))
    slider = influence.measure(model, "weak", at_end, SETTINGS, probe)
    assert slider.mean_mm == pytest.approx(1.25 * 0.5 * 0.2, rel=1e-4)


def test_cosine_distance_is_that_of_the_latents() -> None:
    model, probe = ToyHead(), toy_probe()
    base = influence.base_heads(model, SETTINGS, probe)
    moved = base.parameters.copy()
    moved[:, 0] += np.where(moved[:, 0] + 1.0 <= 3.0, 1.0, -1.0)
    a, b = (probe.embed(rows, 0).astype(np.float64) for rows in (base.parameters, moved))
    distances = 1.0 - (a * b).sum(1)
    strong = measured().slider("strong")
    assert strong.cosine == pytest.approx(distances.mean(), rel=1e-3)
    assert strong.standard_error == pytest.approx(distances.std(ddof=1) / math.sqrt(6), rel=1e-3)


def test_what_is_below_the_noise_is_said() -> None:
    figures = measured(noise=NOISE)
    assert figures.noise_floor == pytest.approx(64 * NOISE**2, rel=0.5)
    assert figures.is_noise(figures.slider("idle"))
    assert figures.describe("idle").startswith("Influence: 0.000 (noise: ")
    quiet = measured()
    assert quiet.noise_floor == 0.0
    assert not quiet.is_noise(quiet.slider("weak"))
    assert quiet.is_noise(quiet.slider("idle"))


def test_a_render_without_a_face_is_left_out() -> None:
    turn = measured().slider("turn")
    turned_away = influence.draw_heads(ToyHead(), SETTINGS)[:, 0] > 0.5
    assert turned_away.any()
    np.testing.assert_array_equal(turn.distances == -1, turned_away)
    assert turn.cosine == pytest.approx(turn.distances[turn.distances >= 0].mean())


def test_nothing_measurable_is_said_and_ranks_last() -> None:
    figures = measured()
    blind = replace(figures.sliders[0], distances=np.full(6, -1, np.float32))
    figures = replace(figures, sliders=(blind, *figures.sliders[1:]))
    assert figures.ranked()[-1].name == "strong"
    assert "not measurable" in figures.describe("strong")


def test_one_head_has_no_standard_error() -> None:
    figures = measured(settings=replace(SETTINGS, heads=1))
    assert math.isnan(figures.sliders[0].standard_error)
    assert figures.sliders[0].cosine > 0


def test_ranked_by_influence() -> None:
    names = [slider.name for slider in measured().ranked()]
    assert names[0] == "strong"
    assert names[-1] == "idle"


def test_the_same_heads_for_all_settings_of_the_renderer() -> None:
    model = ToyHead()
    few, many = (influence.draw_heads(model, replace(SETTINGS, heads=n)) for n in (2, 6))
    np.testing.assert_array_equal(few, many[:2])


def test_saved_figures_come_back(folder: Path) -> None:
    figures = measured(noise=NOISE)
    influence.save(figures, folder / "toy.npz")
    again = influence.load("toy", TABLE)
    assert again is not None
    assert again.describe("strong") == figures.describe("strong")
    assert again.settings == SETTINGS
    for mine, theirs in zip(figures.sliders, again.sliders, strict=True):
        np.testing.assert_array_equal(mine.distances, theirs.distances)
        assert replace(mine, distances=None) == replace(theirs, distances=None)


def test_there_may_be_no_figures(folder: Path) -> None:
    assert influence.load("toy") is None


def test_figures_of_another_table_count_as_none(folder: Path) -> None:
    influence.save(measured(), folder / "toy.npz")
    other = ParameterTable([replace(TABLE.parameters[0], maximum=4.0), *TABLE.parameters[1:]])
    assert influence.load("toy", other) is None
    assert influence.load("toy") is not None


@pytest.mark.parametrize("change", [b"no archive", None])
def test_damaged_figures_are_named(folder: Path, change: bytes | None) -> None:
    path = folder / "toy.npz"
    influence.save(measured(), path)
    if change is None:
        np.savez(path, facts=np.array("{}"))
    else:
        path.write_bytes(change)
    with pytest.raises(UserError, match=r"toy\.npz"):
        influence.load("toy")


def test_the_fingerprint_depends_on_all_that_figures_depend_on() -> None:
    model = ToyHead()
    first = influence.fingerprint(model, SETTINGS, "encoder")
    assert influence.fingerprint(ToyHead(), SETTINGS, "encoder") == first
    others = {
        influence.fingerprint(ToyHead(1.5 * MILLIMETRES), SETTINGS, "encoder"),
        influence.fingerprint(model, replace(SETTINGS, samples=3), "encoder"),
        influence.fingerprint(model, replace(SETTINGS, heads=7), "encoder"),
        influence.fingerprint(model, SETTINGS, "other"),
    }
    assert first not in others
    assert len(others) == 4


def test_committed_figures_are_of_todays_tables() -> None:
    for name, entry in read_index().items():
        if name.startswith("influence_"):
            model = load_head_model(name.removeprefix("influence_"))
            assert entry["table"] == influence.table_digest(model.table), name
            assert entry["bytes"] < 2_000_000
            figures = influence.load(model.name, model.table)
            assert [s.name for s in figures.sliders] == list(model.table.names)
