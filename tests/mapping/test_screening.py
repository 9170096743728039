# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads chosen before anything is rendered, where certain people are asked for."""

import numpy as np

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.latent.attributes import AttributeProbes
from facegen_addon.latent.who import Who
from facegen_addon.mapping.correction import load_sampler
from facegen_addon.mapping.screening import propose_variety


def test_people_who_are_asked_for_stay_who_they_are() -> None:
    """Pushed apart, women of sixty would be anybody."""
    backward, who = load_sampler("anny", load_head_model("anny").table), Who("woman", "60:75")
    proposal = propose_variety(backward, who.faces(), np.random.default_rng(1), 12, 0.9)
    (group,) = who.drawn_from().groups
    assert group.holds(AttributeProbes.load().read(proposal.requested)).all()
