# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw the texture layout of the `person` head, a colour a part.

.venv-recipes/bin/python -m models.training.draw_person_layout docs/pictures/person_layout.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from facegen_addon.heads.person.head import person_head
from facegen_addon.terminal.process import run_process

SIZE = 900
COLOURS = (  # of the parts, in the order of PERSON_PARTS
    (242, 208, 178),
    (222, 130, 130),
    (190, 212, 240),
    (190, 212, 240),
    (150, 190, 230),
    (150, 190, 230),
    (240, 236, 214),
    (214, 140, 150),
    (120, 120, 130),
)


def main() -> int:
    """Draw and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    output: Path = parser.parse_args().output
    surface = person_head().surface
    picture = Image.new("RGB", (2 * SIZE, 2 * SIZE), "white")
    draw = ImageDraw.Draw(picture)
    places = surface.polygon_uv * np.array([1, -1]) + np.array([0, 1])
    for corners, part in zip(2 * SIZE * places, surface.part[surface.polygons[:, 0]], strict=True):
        draw.polygon([tuple(c) for c in corners.tolist()], COLOURS[part], (70, 70, 80))
    picture.resize((SIZE, SIZE), Image.Resampling.LANCZOS).quantize(32).save(output, optimize=True)
    return 0


if __name__ == "__main__":
    run_process(main, "draw_person_layout")
