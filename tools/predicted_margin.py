# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the distance of two rendered heads falls short of what surrogates predict.

.venv/bin/python -m tools.predicted_margin --model person --heads 48

Heads are proposed as for a variety of six, and rendered; of pairs whose predicted distance is near
the same-face threshold or some way beyond, the shortfall that SHARE of them do not exceed is the
margin of variety/predicted.py.
"""

from __future__ import annotations

import argparse

import numpy as np

from facegen_addon.encoders.crop_jitter import JITTERS
from facegen_addon.encoders.encoder import Encoder
from facegen_addon.errors import RejectedSample
from facegen_addon.heads.catalogue import HEAD_MODELS, load_head_model
from facegen_addon.latent.sphere import cosine_distance_matrix
from facegen_addon.latent.views import lower_bounds
from facegen_addon.latent.who import ANYBODY
from facegen_addon.mapping.screening import propose_variety
from facegen_addon.random_streams import random_stream
from facegen_addon.render_settings import RenderSettings
from facegen_addon.scene.render.head_renderer import HeadRenderer
from facegen_addon.terminal.process import run_process
from facegen_addon.variety.candidates import load_guide
from facegen_addon.variety.predicted import SHARE

_SETTINGS = RenderSettings(samples=8, size=224, face_only=True)  # as for the pairs of B
_PREDICTED = 0.5, 0.85
"""Distances between which pairs are of interest: at the demand, and not far beyond."""


def main() -> int:
    """Render and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="person", choices=HEAD_MODELS)
    parser.add_argument("--heads", type=int, default=48, help="heads rendered; default: 48")
    parser.add_argument("--distance", type=float, default=0.65, help="what they are pushed to")
    asked = parser.parse_args()
    model = load_head_model(asked.model)
    rng = random_stream(0, "predicted margin")
    guide = load_guide(model, ANYBODY)
    proposal = propose_variety(*guide, rng, asked.heads, asked.distance)
    encoder = Encoder.load()
    views, kept = [], []
    with HeadRenderer(model, _SETTINGS) as renderer:
        for number, parameters in enumerate(proposal.parameters):
            try:
                seen = renderer.render(parameters)
            except RejectedSample:
                continue
            crops = [encoder.cut(seen.image, seen.points, jitter) for jitter in JITTERS]
            views.append(encoder.embed(np.stack(crops)))
            kept.append(number)
    pairs = np.triu_indices(len(kept), 1)
    predicted = cosine_distance_matrix(proposal.predicted[kept])[pairs]
    rendered = cosine_distance_matrix(np.stack([view[0] for view in views]))[pairs]
    stacked = np.stack(views)
    bounds = np.stack([lower_bounds(view, stacked) for view in views])[pairs]
    chosen = (predicted >= _PREDICTED[0]) & (predicted <= _PREDICTED[1])
    for name, found in (("one render", rendered), ("other crops", bounds)):
        short = (predicted - found)[chosen]
        print(
            f"{asked.model}, {name}: {chosen.sum()} pairs of {len(kept)} heads, short by"
            f" {np.median(short):.3f} (median), {np.quantile(short, SHARE):.3f} ({SHARE:.0%})"
        )
    return 0


if __name__ == "__main__":
    run_process(main, "predicted_margin")
