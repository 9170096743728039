# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads chosen before anything is rendered, where certain people are asked for."""

import numpy as np

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.latent.attributes import AttributeProbes
from facegen_addon.latent.who import Who
from facegen_addon.mapping import screening
from facegen_addon.mapping.correction import load_sampler
from facegen_addon.mapping.screening import propose_variety


def test_people_who_are_asked_for_stay_who_they_are() -> None:
    """Pushed apart, women of sixty would be anybody."""
    backward, who = (
        load_sampler("anny", load_head_model("anny").table),
        Who("woman", "60:75", population="as-found"),
    )
    proposal = propose_variety(backward, who.faces(), np.random.default_rng(1), 12, 0.9)
    (group,) = who.drawn_from().groups
    assert group.holds(AttributeProbes.load().read(proposal.requested)).all()


def test_whoever_is_pushed_stays_who_it_is() -> None:
    """Latents of a balanced population are pushed apart, and read as before to the last digits."""
    backward, faces = load_sampler("anny", load_head_model("anny").table), Who().faces()
    wanted = faces.sample(np.random.default_rng(1), 12)
    z = backward.standardised(wanted, "direct")
    pushed, _ = screening.spread(backward, wanted.copy(), z, 0.9, faces.kept)
    probes = AttributeProbes.load()
    assert np.allclose(probes.read(pushed), probes.read(wanted), atol=2e-3)
    assert np.allclose(np.linalg.norm(pushed, axis=1), 1.0, atol=1e-5)
    assert np.median(np.sum(pushed * wanted, axis=1)) < 0.98, "they have moved"


def test_a_balanced_population_stays_balanced_among_the_most_different() -> None:
    """Those farthest from one another alone would be young, and the old, who are alike, be few."""
    backward, faces = load_sampler("anny", load_head_model("anny").table), Who().faces()
    proposal = propose_variety(backward, faces, np.random.default_rng(1), 96, 0.51, "direct")
    for number in (24, 96):
        strata = faces.strata_of(proposal.requested[:number])
        assert strata.shape == (number, 5)
        for column, most in zip(strata.T, (24, 2, 4, 3, 1), strict=True):
            counts = np.bincount(column, minlength=most)
            assert np.abs(counts - number / most).max() <= max(2, 0.1 * number / most + 1)
