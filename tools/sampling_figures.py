# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Sample panel's promises come to in renders: the tables of docs/artists.md.

.venv/bin/python -m tools.sampling_figures --heads 24

From heads of the prior: heads drawn for a latent while a share of the sliders is locked, by the
cosine distance from that latent to the render's; and heads walked to, by the angle between the two
renders.
"""

from __future__ import annotations

import argparse

import numpy as np

from facegen_addon.arrays import FloatArray
from facegen_addon.encoders.encoder import Encoder
from facegen_addon.heads.catalogue import HEAD_MODELS, load_head_model
from facegen_addon.latent.sphere import cosine_distance
from facegen_addon.mapping.sampling import HeadSampler
from facegen_addon.render_settings import RenderSettings
from facegen_addon.scene.render.forward import ForwardMapping
from facegen_addon.scene.render.head_renderer import HeadRenderer
from facegen_addon.terminal.process import run_process

LOCKED = (0.0, 0.25, 0.5)
ANGLES = (10, 20, 40)  # degrees
_SETTINGS = RenderSettings(samples=8, size=224, face_only=True)  # as for the pairs of B


def main() -> int:
    """Render and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--heads", type=int, default=24, help="heads a figure; default: 24")
    count = max(2, parser.parse_args().heads)
    encoder = Encoder.load()
    print("| model | drawn | figure, median (10 % to 90 %) |")
    print("|---|---|---|")
    for name in HEAD_MODELS:
        sampler = HeadSampler.load(load_head_model(name))
        with HeadRenderer(sampler.model, _SETTINGS) as renderer:
            forward = ForwardMapping(renderer, encoder)
            for share in LOCKED:
                missed = locked_roundtrip(sampler, forward, share, count)
                print(f"| {name} | {share:.0%} locked | {_spread(missed, '.2f')} |", flush=True)
            for angle in ANGLES:
                walked = walked_angle(sampler, forward, angle, count)
                print(f"| {name} | {angle}° away | {_spread(walked, '.0f')}° |", flush=True)
    return 0


def locked_roundtrip(
    sampler: HeadSampler, forward: ForwardMapping, share: float, count: int
) -> FloatArray:
    """Cosine distances (count,) from what was asked for to what came back."""
    drawn = []
    for start, rng in _starts(sampler, count):
        locked = rng.random(len(start)) < share
        drawn.append(sampler.sample("latent", start, locked, rng))
    achieved = forward.embed_heads(np.stack([head.parameters for head in drawn]))
    return cosine_distance(np.stack([_asked(head.requested) for head in drawn]), achieved)


def walked_angle(
    sampler: HeadSampler, forward: ForwardMapping, degrees: float, count: int
) -> FloatArray:
    """Angles (count,), degrees, between the renders of heads and of those near them."""
    starts = list(_starts(sampler, count))
    before = forward.embed_heads(np.stack([start for start, _ in starts]))
    near = [
        sampler.nearby(np.radians(degrees), start, latent, np.zeros(len(start), bool), rng)
        for (start, rng), latent in zip(starts, before, strict=True)
    ]
    after = forward.embed_heads(np.stack([head.parameters for head in near]))
    return np.degrees(np.arccos(1.0 - cosine_distance(before, after)))


def _starts(sampler: HeadSampler, count: int) -> list[tuple[FloatArray, np.random.Generator]]:
    """Heads of the prior, each with a generator of its own."""
    generators = [np.random.default_rng([2, number]) for number in range(count)]
    return [(sampler.model.sample_prior(rng, 1)[0], rng) for rng in generators]


def _asked(latent: np.ndarray | None) -> np.ndarray:
    assert latent is not None, "guided heads are asked for by a latent"
    return latent


def _spread(values: FloatArray, form: str) -> str:
    low, middle, high = np.quantile(values, [0.1, 0.5, 0.9])
    return f"{middle:{form}} ({low:{form}} to {high:{form}})"


if __name__ == "__main__":
    run_process(main, "sampling_figures")
