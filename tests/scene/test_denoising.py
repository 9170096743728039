# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders of heads have less noise, where the head model says so, and only there."""

from dataclasses import replace

import bpy
import numpy as np
import pytest

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.render_settings import RenderSettings
from facegen_addon.scene.render import denoising
from facegen_addon.scene.render.head_renderer import HeadRenderer

PERSON = load_head_model("person")
FOR_F = RenderSettings(samples=4, size=96, device="CPU", face_only=True)
needs_denoiser = pytest.mark.skipif(
    not denoising.has_denoiser(), reason="this build of Blender has no denoiser"
)


@needs_denoiser
def test_noise_falls_and_nothing_else_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearer to many samples; the same with other threads, and after a whole image."""
    head = PERSON.table.default()
    with HeadRenderer(PERSON, FOR_F) as renderer:
        quiet = renderer.render(head).image
        renderer.reseed(FOR_F.seed, face_only=False)
        renderer.render(head)
        renderer.reseed(FOR_F.seed, face_only=True)
        bpy.data.scenes[renderer.scene_name].render.threads_mode = "FIXED"
        bpy.data.scenes[renderer.scene_name].render.threads = 3
        again = renderer.render(head)
        np.testing.assert_array_equal(again.image, quiet)
    monkeypatch.setattr(denoising, "has_denoiser", lambda: False)
    with HeadRenderer(PERSON, replace(FOR_F, face_only=False)) as renderer:
        plain = renderer.render(head).image
    with HeadRenderer(PERSON, replace(FOR_F, samples=32, face_only=False)) as renderer:
        truth = renderer.render(head).image.astype(float)
    x0, y0, x1, y1 = (round(edge) for edge in again.box)
    errors = (np.abs(image - truth)[y0:y1, x0:x1].mean() for image in (quiet, plain))
    assert next(errors) < 0.8 * next(errors)


@pytest.mark.parametrize(("face_only", "samples"), [(True, 8), (False, 4)])
def test_without_a_denoiser_latents_have_more_samples(
    monkeypatch: pytest.MonkeyPatch, face_only: bool, samples: int
) -> None:
    monkeypatch.setattr(denoising, "has_denoiser", lambda: False)
    with HeadRenderer(PERSON, replace(FOR_F, face_only=face_only)) as renderer:
        cycles = bpy.data.scenes[renderer.scene_name].cycles
        assert (cycles.use_denoising, cycles.samples) == (False, samples)


def test_heads_whose_networks_know_the_noise_keep_it() -> None:
    with HeadRenderer(load_head_model("anny"), FOR_F) as renderer:
        cycles = bpy.data.scenes[renderer.scene_name].cycles
        assert (cycles.use_denoising, cycles.samples) == (False, FOR_F.samples)
