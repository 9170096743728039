# SPDX-License-Identifier: GPL-3.0-or-later
"""Generate Variety by renders: F is Blender and the request's encoder."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial

from ...arrays import FloatArray
from ...encoders.encoder import Encoder, check_encoder_fits
from ...heads.catalogue import load_head_model
from ...heads.head_model import HeadModel
from ...heads.wear.outfit import check_dressed
from ...latent.checked import LATENT_SIZE
from ...variety.candidates import Candidates
from ...variety.loop import make_variety
from ...variety.request import VarietyRequest
from ...variety.result import Forward, Rendered, VarietyEvent
from ...variety.stopwatch import Stopwatch
from ..render.head_renderer import HeadRenderer


def run_variety(request: VarietyRequest) -> Generator[VarietyEvent, None, None]:
    """Generate; yields progress and at last the result, see make_variety.

    NotReached if the budget is spent before; UserError for what is missing or damaged, and for an
    encoder whose latents are not of B's size where heads are made by B.
    """
    model = load_head_model(request.model)
    if request.wear:
        check_dressed(model)
    encoder = Encoder.load(request.encoder)
    if request.distribution == "latent":
        check_encoder_fits(encoder, LATENT_SIZE)
    watch = Stopwatch()
    source = Candidates(request, model, watch)
    open_forward = partial(_rendered_forward, model, request, encoder, watch)
    yield from make_variety(request, source, open_forward, watch)


@contextmanager
def _rendered_forward(
    model: HeadModel, request: VarietyRequest, encoder: Encoder, watch: Stopwatch
) -> Iterator[Forward]:
    """F in a scene of its own; its time is spent on "mesh", "render" and "embed"."""
    settings, outfit = request.render_settings(), request.outfit.for_portrait
    with HeadRenderer(model, settings, outfit) as renderer:

        def forward(parameters: FloatArray) -> Rendered:
            with watch.stage("render"):
                seen = renderer.render(parameters)
            with watch.stage("embed"):
                latent = encoder.embed(seen.crop_for(encoder)[None])[0]
            return Rendered(parameters, latent, seen.image, seen.points, seen.box)

        yield forward
        watch.seconds["mesh"] += renderer.mesh_seconds
        watch.seconds["render"] -= renderer.mesh_seconds
