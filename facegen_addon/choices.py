# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that a user can choose from, where no table of things says so, and the fields of requests
that need no more than that; free of bpy, so that a command line can check a request before
Blender starts."""

from __future__ import annotations

from .request_fields import OneOf, WholeNumber

ENGINES = ("CYCLES", "EEVEE", "WORKBENCH")
LAMP_PRESETS = (
    *("studio", "window", "overcast", "flash"),
    *("portrait", "butterfly", "rembrandt", "softbox"),
)
WORLD_PRESETS = (
    *("city", "courtyard", "forest", "interior"),
    *("night", "photo_studio", "sunrise", "sunset"),
)
"""Blender's own HDRIs."""
LIGHT_PRESETS = (*LAMP_PRESETS, *WORLD_PRESETS)
"""The names of scene.render.lights.LIGHTS."""
DISTRIBUTIONS = ("latent", "prior", "uniform")
RENDERS_PER_HEAD = 10
"""Renders that a run may spend on each head demanded, unless told otherwise."""
MAXIMUM_CORRECTIONS = 8
"""Renders that may be spent on bringing one head nearer to the latent it was asked for."""

ENGINE = OneOf(name="engine", help="renderer", default="CYCLES", names=ENGINES)
SAMPLES = WholeNumber(name="samples", help="samples a pixel", default=16, low=1, high=4096)
SIZE = WholeNumber(
    name="size", help="image side in pixels", default=256, low=64, high=4096, unit="pixels"
)
SEED = WholeNumber(name="seed", help="same seed, same heads", default=0, low=0, high=2**31 - 1)
LIGHT = OneOf(name="light", help="light preset", default="studio", names=LIGHT_PRESETS)
GPU_KINDS = ("OPTIX", "CUDA", "HIP", "ONEAPI", "METAL")
"""By which Cycles drives GPUs, the fastest first where there are several."""
DEVICE = OneOf(
    name="device",
    help="what Cycles renders on",
    default="auto",
    names=("auto", "CPU", "GPU", *GPU_KINDS),
    said={"auto": "the fastest GPU, or else the CPU", "GPU": "one that has to be there"},
)

MEASURING_SAMPLES = SAMPLES.but(help="samples a pixel, as B was fitted with", default=8)
MEASURING_SIZE = 224
"""Pixels of the renders that B is fitted to and heads are measured by."""
