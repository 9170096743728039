# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes fitted to photos, and the table that compares photos with the heads of their latents."""

import numpy as np
import pytest

from facegen_addon.encoders import second_opinion
from facegen_addon.errors import UserError
from facegen_addon.latent.attributes import AttributeProbes
from facegen_addon.latent.real_faces import Photos
from models.training import fit_attributes, report_attributes


def people(n: int = 3000) -> fit_attributes.Read:
    """Photos whose first latent numbers say sex, age and lightness, the latter with much noise."""
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(n, 20)) * [3, 3, 3, *[1] * 17]
    latents /= np.linalg.norm(latents, axis=1, keepdims=True)
    female = (latents[:, 0] > 0.3).astype(float)
    age = 45 + 20 * latents[:, 1] + 5 * rng.normal(size=n)
    tone = 50 + 10 * latents[:, 2] + 8 * rng.normal(size=n)
    identity = rng.integers(n // 2, size=n)
    return fit_attributes.Read(
        Photos(latents.astype(np.float32), identity), np.stack([female, age, tone], axis=1)
    )


def test_probes_say_what_was_read_and_spread_as_people_do() -> None:
    read = people()
    fitted, others = np.arange(3000) < 2000, np.arange(3000) >= 2000
    probes = fit_attributes.fit(read, fitted)
    held = fit_attributes.figures(probes, read, others)
    assert held["sex_area_under_curve"] > 0.98
    assert held["age_correlation"] > 0.8
    assert 0.35 < held["lightness_correlation"] < 0.8
    said = probes.read(read.photos.latents[others])
    assert said[:, 0].min() >= 0
    assert said[:, 0].max() <= 1
    assert said[:, 1].std() == pytest.approx(read.attributes[others, 1].std(), rel=0.1)
    assert said[:, 2].mean() == pytest.approx(fit_attributes.LIGHTNESS, abs=1)
    assert said[:, 2].std() == pytest.approx(fit_attributes.LIGHTNESS_SPREAD, rel=0.1)


def test_photos_off_which_nothing_was_read_are_left_out() -> None:
    read = people(10)
    read.attributes[3, 1] = np.nan
    chosen = np.unique(read.photos.identity)
    assert fit_attributes.rows_of(read, chosen).sum() == 9


def test_area_under_curve_counts_ties_half() -> None:
    true = np.array([False, False, True, True])
    assert fit_attributes.area_under_curve(np.array([1.0, 2, 3, 4]), true) == 1
    assert fit_attributes.area_under_curve(np.array([1.0, 1, 1, 1]), true) == 0.5


def test_the_probes_that_are_there_are_of_this_size() -> None:
    assert AttributeProbes.load().read(np.eye(512)[:4]).shape == (4, 3)


def test_spearman_sees_order_alone() -> None:
    x = np.array([1.0, 2, 3, 10])
    assert report_attributes.spearman(x, np.exp(x)) == pytest.approx(1)
    assert report_attributes.spearman(x, -x) == pytest.approx(-1)
    assert np.isnan(report_attributes.spearman(x, np.ones(4)))


def test_the_table_compares_people_of_whom_both_were_read() -> None:
    photos = np.array([[1, 0.95, 30, 60], [1, 0.9, 50, 70], [0, 1.0, 40, 50], [0, 1.0, 60, 40.0]])
    heads = np.array([[1, 0.80, 25, 60], [0, 0.9, 45, 70], [0, 0.7, 35, 50], [np.nan] * 4])
    rows = dict(report_attributes.attribute_rows(photos, heads))
    assert rows["people"] == "3 of 4, 2 women"
    assert rows["read as the same sex, women"].startswith("0.50 (")
    assert rows["read as the same sex, men"].startswith("1.00 (")
    assert rows["age, photo to head: Spearman"].startswith("1.00 (")
    assert rows["age: median of heads - median of photos"].startswith("-5.00 (")
    assert rows["sex read with 90 % or more, heads"].startswith("0.33 (")
    assert rows["ages read, 5 to 95 %, photos"] == "31 to 49"
    with pytest.raises(UserError, match="found in 1 photos and heads"):
        report_attributes.attribute_rows(photos[2:], heads[2:])


def test_lightness_is_that_of_cie() -> None:
    assert second_opinion._lightness(np.ones(3)) == pytest.approx(100)
    assert second_opinion._lightness(np.zeros(3)) == 0
    assert second_opinion._lightness(np.full(3, 0.5)) == pytest.approx(53.39, abs=0.05)


def test_what_is_missing_is_said_in_a_line(tmp_path, capsys) -> None:
    assert report_attributes.main(["--reader-python", str(tmp_path / "python")]) == 2
    assert "run `make attributes`" in capsys.readouterr().err
