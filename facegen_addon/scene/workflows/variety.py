# SPDX-License-Identifier: GPL-3.0-or-later
"""Generate Variety by renders: F is Blender and the request's encoder."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Annotated

import numpy as np

from ...arrays import Float32Array, FloatArray
from ...choices import SEED
from ...encoders.crop_jitter import AS_OURS, EXTREMES, CropJitter
from ...encoders.encoder import Encoder, check_encoder_fits
from ...heads.catalogue import load_head_model
from ...heads.head_model import HeadModel
from ...heads.wear.outfit import check_dressed
from ...latent.checked import LATENT_SIZE
from ...variety.apart import Views
from ...variety.candidates import Candidates
from ...variety.hands import Hands
from ...variety.held import Held
from ...variety.loop import make_variety
from ...variety.request import VarietyRequest
from ...variety.result import Forward, Rendered, VarietyEvent
from ...variety.stopwatch import Stopwatch
from ..render.head_renderer import HeadRenderer, RenderedHead


def run_variety(
    request: VarietyRequest, held: Held | None = None
) -> Generator[VarietyEvent, None, None]:
    """Generate; yields progress and at last the result, see make_variety. `held`: what all heads
    keep of one that is there.

    NotReached if the budget is spent before; UserError for what is missing or damaged, and for an
    encoder whose latents are not of B's size where heads are made by B.
    """
    model = load_head_model(request.model)
    if request.wear:
        check_dressed(model)
    encoders = [Encoder.load(request.encoder)]
    if request.second_encoder:
        encoders.append(Encoder.load(request.second_encoder))
    if request.distribution == "latent":
        check_encoder_fits(encoders[0], LATENT_SIZE)
    watch = Stopwatch()
    source = Candidates(request, model, watch, held=held)
    open_forward = partial(_rendered_forward, model, request, encoders, watch)
    yield from make_variety(request, source, open_forward, watch)


@contextmanager
def _rendered_forward(
    model: HeadModel, request: VarietyRequest, encoders: Sequence[Encoder], watch: Stopwatch
) -> Iterator[Forward]:
    """F in a scene of its own; its time is spent on "mesh", "render" and "embed"."""
    settings, outfit = request.render_settings(), request.outfit.for_portrait
    with HeadRenderer(model, settings, outfit) as renderer:
        renderer.extents = tuple(
            partial(encoder.extent, jitter=jitter)
            for encoder in encoders
            for jitter in (*request.jitters, *EXTREMES)
        )
        yield _RenderedForward(renderer, encoders, watch)
        watch.seconds["mesh"] += renderer.mesh_seconds
        watch.seconds["render"] -= renderer.mesh_seconds


class _RenderedForward:
    """F by a renderer; encoders: ours, and others that see the same renders."""

    def __init__(
        self, renderer: HeadRenderer, encoders: Sequence[Encoder], watch: Stopwatch
    ) -> None:
        self._renderer, self._encoders, self._watch = renderer, encoders, watch

    def __call__(
        self, parameters: Annotated[FloatArray, "P"], hands: Hands | None = None
    ) -> Rendered:
        with self._watch.stage("render"):
            seen = self._seen(parameters, hands)
        with self._watch.stage("embed"):
            encoder = self._encoders[0]
            latent = encoder.embed(seen.crop_for(encoder)[None])[0]
        return Rendered(parameters, latent, seen.image, seen.points, seen.box)

    def crops(self, seen: Rendered, jitters: Sequence[CropJitter]) -> Views:
        with self._watch.stage("embed"):
            return tuple(
                self._embedded(encoder, seen, jitters, known=not number)
                for number, encoder in enumerate(self._encoders)
            )

    def _embedded(
        self, encoder: Encoder, seen: Rendered, jitters: Sequence[CropJitter], known: bool
    ) -> Float32Array:
        """Latents (V, D); that of our own crop is not worked out twice where it is `known`."""
        known = known and jitters[0] == AS_OURS
        left = jitters[1:] if known else jitters
        crops = [encoder.cut(seen.image, seen.points, jitter) for jitter in left]
        first = [seen.latent[None]] if known else []
        return np.concatenate([*first, *([encoder.embed(np.stack(crops))] if crops else [])])

    def _seen(self, parameters: FloatArray, hands: Hands | None) -> RenderedHead:
        if hands is None:
            return self._renderer.render(parameters)
        seed = (self._renderer.settings.seed + hands.seed) % SEED.high
        return self._renderer.look(
            parameters, light=hands.light, seed=seed, yaw=hands.yaw, pitch=hands.pitch
        )
