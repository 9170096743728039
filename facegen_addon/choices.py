# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user can choose from, where no table of things says so; free of bpy, so that a command
line can check a request before Blender starts."""

ENGINES = ("CYCLES", "EEVEE", "WORKBENCH")
LIGHT_PRESETS = ("studio", "window", "overcast", "flash")
"""The names of scene.render.lights.LIGHTS."""
DISTRIBUTIONS = ("latent", "prior", "uniform")
RENDERS_PER_HEAD = 10
"""Renders that a run may spend on each head demanded, unless told otherwise."""
MAXIMUM_CORRECTIONS = 8
"""Renders that may be spent on bringing one head nearer to the latent it was asked for."""
