# SPDX-License-Identifier: GPL-3.0-or-later
"""The artists' pages from the window's screenshots: `python -m tools.window_pictures FOLDER`.

FOLDER is out/window-VERSION, as `sh tools/test_blender.sh VERSION window` leaves it, with
STORY=tasks, STORY=panels or without. Pictures go to docs/pictures; the steps in a row become an
animation without sound.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

from facegen_addon.terminal.process import run_process

STEPS = {
    "task_new_face": "panel",
    "task_older": "step_older",
    "task_expressions": "step_expressions",
    "task_angry": "step_angry",
    "task_people": "step_people",
    "task_six_women": "step_six_women",
    "task_guards": "step_guards",
    "task_export": "step_export",
}
"""Screenshot of tools/window/tasks.py -> picture of docs/artists.md, in the tutorial's order."""
OTHERS = {name: name for name in ("candidates", "variety", "shift", "preferences", "asset_browser")}
"""Of tools/window/story.py, the last of tools/window/panels.py, shown further down that page."""

_PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"
_SHOWN = 4000  # milliseconds a step
_SIZE = (960, 600)  # pixels of the animation


def main() -> int:
    """Write what there are screenshots of; the animation, if there are all of its steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    shots = {name: folder / f"{shot}.png" for shot, name in (STEPS | OTHERS).items()}
    found = {name: read(path) for name, path in shots.items() if path.exists()}
    for name, picture in found.items():
        picture.save(_PICTURES / f"{name}.png", optimize=True)
    if set(STEPS.values()) <= set(found):
        animate([found[name] for name in STEPS.values()], _PICTURES / "zip_to_export.webp")
    print(f"{len(found)} of {len(shots)} pictures in {_PICTURES}")
    return 0


def read(path: Path) -> Image.Image:
    """A screenshot, RGB."""
    with Image.open(path) as opened:
        return opened.convert("RGB")


def animate(pictures: list[Image.Image], path: Path) -> None:
    """Pictures one after another as one WebP file, which begins again at its end."""
    first, *others = [picture.resize(_SIZE, Image.Resampling.LANCZOS) for picture in pictures]
    first.save(path, save_all=True, append_images=others, duration=_SHOWN, loop=0, quality=80)


if __name__ == "__main__":
    run_process(main, "window_pictures")
