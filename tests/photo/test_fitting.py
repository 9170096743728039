# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos to heads, with a stand-in for Blender: what comes back, and what is kept."""

from collections.abc import Generator

import numpy as np
import pytest

from facegen_addon.latent.sphere import cosine_distance
from facegen_addon.photo.fitting import (
    STEPS,
    FittedHead,
    acceptable,
    fit_person,
    mean_latent,
)
from tests.photo.heads_as_photos import MODEL, Studio, photo_of


def _head(seed: int = 3) -> np.ndarray:
    row: np.ndarray = MODEL.sample_prior(np.random.default_rng(seed), 1)[0]
    row[MODEL.table.moving] = MODEL.table.mean[MODEL.table.moving]
    return row


def run(steps: Generator[str, None, FittedHead]) -> tuple[list[str], FittedHead]:
    """All steps and the head."""
    names = []
    while True:
        try:
            names.append(next(steps))
        except StopIteration as end:
            return names, end.value


def test_a_head_comes_back_from_its_own_picture() -> None:
    asked = _head()
    names, found = run(fit_person([photo_of(asked)], Studio().tools()))
    assert tuple(names) == STEPS
    table = MODEL.table
    assert np.all((found.parameters >= table.minimum) & (found.parameters <= table.maximum))
    assert found.distance < 0.1 and "same person" in found.words(0.51)
    another = _head(4)
    own, other = (
        np.linalg.norm(table.standardise(found.parameters) - table.standardise(row))
        for row in (asked, another)
    )
    assert own < other


def test_what_renders_far_off_is_not_kept() -> None:
    studio = Studio(spoil=2.0)
    _, found = run(fit_person([photo_of(_head())], studio.tools()))
    assert not found.refined
    np.testing.assert_array_equal(found.parameters, found.alone)
    assert found.distance == found.distance_alone
    assert len(studio.heads) == 4  # B alone, two tries, from the front


def test_the_nearest_is_never_further_than_b_alone() -> None:
    _, usual = run(fit_person([photo_of(_head())], Studio(0.2).tools()))
    assert usual.distance <= acceptable(usual.distance_alone, 0.51)
    _, nearest = run(fit_person([photo_of(_head())], Studio(0.2).tools(), nearest=True))
    assert nearest.distance <= nearest.distance_alone


def test_a_head_at_rest_has_no_expression() -> None:
    _, found = run(fit_person([photo_of(_head())], Studio().tools(), expression=False))
    moving = MODEL.table.moving
    np.testing.assert_array_equal(found.parameters[moving], MODEL.table.mean[moving])


def test_photos_of_one_person_are_weighed_by_quality() -> None:
    good, bad = photo_of(_head(1), size=200.0), photo_of(_head(2), size=45.0)
    mean = mean_latent([good, bad])
    assert np.linalg.norm(mean) == pytest.approx(1.0, abs=1e-6)
    assert cosine_distance(mean, good.latent) < cosine_distance(mean, bad.latent)
    _, found = run(fit_person([bad, good], Studio().tools()))
    assert found.faces[0] is good and len(found.faces) == 2
    np.testing.assert_allclose(found.latent, mean)


def test_what_reads_as_the_person_goes_on_reading_so() -> None:
    for alone in (0.0, 0.2, 0.37, 0.39, 0.5, 0.6):
        most = acceptable(alone, 0.51)
        assert alone <= most <= alone + 0.08 + 1e-9
        assert most <= 0.51 or (alone > 0.51 and most == alone)
