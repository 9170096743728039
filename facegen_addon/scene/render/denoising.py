# SPDX-License-Identifier: GPL-3.0-or-later
"""Less noise at the same samples: Cycles' denoiser, where the build of Blender has one
(docs/results/noise.md)."""

from __future__ import annotations

import importlib

import bpy

_WITHOUT = 2
"""Times the samples asked for that F takes in builds without: about as near to many samples."""


def has_denoiser() -> bool:
    """Whether this build of Blender has OpenImageDenoise; Debian's has not."""
    return bool(getattr(importlib.import_module("_cycles"), "with_openimagedenoise", False))


def denoise(scene: bpy.types.Scene, *, for_latents: bool) -> None:
    """Have Cycles denoise what it renders of a scene that is set up, or, where it cannot and only
    latents count, take more samples.

    The denoiser sees albedo and normals as they are: filtered before, as by Blender's default, they
    cost as much again and gain nothing here. Not to be undone in a scene that has been rendered:
    Cycles, which keeps what it has built, then denoises to other bytes.
    """
    cycles = scene.cycles
    cycles.use_denoising = has_denoiser()
    cycles.denoising_prefilter, cycles.denoising_quality = "NONE", "FAST"
    if for_latents and not cycles.use_denoising:
        cycles.samples *= _WITHOUT
