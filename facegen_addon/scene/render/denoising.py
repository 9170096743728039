# SPDX-License-Identifier: GPL-3.0-or-later
"""Fewer samples for the same latent: what is rendered for F alone goes through Cycles' denoiser
where the build has one, and has more samples where it has none (docs/results/noise.md)."""

from __future__ import annotations

import importlib

import bpy

_DENOISED, _PLAIN = 0.75, 2.0
"""Times the samples asked for, with a denoiser and in builds without one: about as near to many."""


def has_denoiser() -> bool:
    """Whether this build of Blender has OpenImageDenoise; Debian's has not."""
    return bool(getattr(importlib.import_module("_cycles"), "with_openimagedenoise", False))


def render_quietly(scene: bpy.types.Scene, samples: int) -> None:
    """Have Cycles render as latents need it, not eyes, by a denoiser and fewer samples.

    The denoiser sees albedo and normals as they are: filtered before, as by Blender's default, they
    cost as much again and gain nothing here. Not to be undone in a scene that has been rendered:
    Cycles, which keeps what it has built, then denoises to other bytes.
    """
    cycles = scene.cycles
    cycles.use_denoising = has_denoiser()
    share = _DENOISED if cycles.use_denoising else _PLAIN
    cycles.samples = max(1, round(share * samples))
    cycles.denoising_prefilter, cycles.denoising_quality = "NONE", "BALANCED"
