# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders of heads have less noise, where the head model says so, and only there."""

from dataclasses import replace

import bpy
import numpy as np
import pytest

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.person.head import PersonLook
from facegen_addon.render_settings import RenderSettings
from facegen_addon.scene.render import denoising
from facegen_addon.scene.render.head_renderer import HeadRenderer

PERSON = load_head_model("person")
FOR_F = RenderSettings(samples=4, size=96, device="CPU", face_only=True)
needs_denoiser = pytest.mark.skipif(
    not denoising.has_denoiser(), reason="this build of Blender has no denoiser"
)


@needs_denoiser
def test_a_render_does_not_depend_on_what_was_rendered_before_nor_on_threads() -> None:
    head, other = PERSON.sample_prior(np.random.default_rng(0), 2)
    with HeadRenderer(PERSON, FOR_F) as renderer:
        first = renderer.render(head).image
        renderer.reseed(1, face_only=False)
        renderer.render(other)
        renderer.reseed(FOR_F.seed, face_only=True)
        bpy.data.scenes[renderer.scene_name].render.threads_mode = "FIXED"
        bpy.data.scenes[renderer.scene_name].render.threads = 3
        seen = renderer.render(head)
    x0, y0, x1, y1 = (round(edge) for edge in seen.box)
    face = slice(y0, y1), slice(x0, x1)
    np.testing.assert_array_equal(seen.image[face], first[face])


@needs_denoiser
def test_another_seed_changes_less(monkeypatch: pytest.MonkeyPatch) -> None:
    def change() -> float:
        with HeadRenderer(PERSON, FOR_F) as renderer:
            first = renderer.render(PERSON.table.default()).image.astype(float)
            renderer.reseed(1, face_only=True)
            return float(np.abs(renderer.render(PERSON.table.default()).image - first).mean())

    quiet = change()
    monkeypatch.setattr(PersonLook, "denoised", False)
    assert quiet < 0.7 * change()


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
