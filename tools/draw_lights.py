# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw the picture of docs/lights.md: three shipped heads in each light, with its name.

python -m tools.draw_lights docs/pictures/lights.png
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np

from batch.lettering import draw_text
from facegen_addon.arrays import ByteArray
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.gallery import ShippedHead, gallery
from facegen_addon.png import encode_png
from facegen_addon.render_settings import RenderSettings
from facegen_addon.scene.render.head_renderer import HeadRenderer
from facegen_addon.scene.render.lights import LIGHTS
from facegen_addon.terminal.process import run_process

PEOPLE = ("Ada", "Tunde", "Margit")
"""A fair, a dark and an old head of the gallery."""
COLUMNS, SIDE, CAPTION, GAP = 2, 160, 22, 10
SAMPLES = 32
_PAPER, _INK = (24, 26, 30), (236, 238, 242)


def main() -> int:
    """Render, lay out and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    output: Path = parser.parse_args().output
    chosen = {head.name: head for head in gallery().heads if head.name in PEOPLE}
    rows = dict(zip(LIGHTS, portraits([chosen[name] for name in PEOPLE]), strict=True))
    output.write_bytes(encode_png(laid_out(rows)))
    return 0


def portraits(heads: list[ShippedHead]) -> Iterator[Annotated[ByteArray, "S W 3"]]:
    """The heads side by side, as the farm shows them, in each of LIGHTS."""
    model = load_head_model("person")
    settings = RenderSettings(samples=SAMPLES, size=SIDE)
    with HeadRenderer(model, settings) as renderer:
        for light in LIGHTS:
            images = []
            for head in heads:
                renderer.outfit = head.outfit.for_portrait
                seen = renderer.look(
                    head.row(model), light=light, seed=0, yaw=0.0, pitch=0.0, face_only=False
                )
                images.append(seen.image)
            yield np.concatenate(images, axis=1)


def laid_out(rows: dict[str, ByteArray]) -> Annotated[ByteArray, "H W 3"]:
    """Pictures (S, W, 3) of one size in COLUMNS, each above its name."""
    height, width = next(iter(rows.values())).shape[:2]
    down = height + CAPTION + GAP
    across = width + GAP
    lines = -(-len(rows) // COLUMNS)
    sheet = np.empty((GAP + lines * down, GAP + COLUMNS * across, 3), np.uint8)
    sheet[:] = _PAPER
    for number, (name, image) in enumerate(rows.items()):
        top, left = GAP + number // COLUMNS * down, GAP + number % COLUMNS * across
        sheet[top : top + height, left : left + width] = image
        draw_text(sheet, name, left, top + height + 0.2 * CAPTION, 0.5 * CAPTION, _INK)
    return sheet


if __name__ == "__main__":
    run_process(main, "draw_lights")
