# SPDX-License-Identifier: GPL-3.0-or-later
"""Use the installed add-on in Blender's own window, with a real mouse, and photograph it.

`blender --python tools/window/story.py -- FOLDER [CHAPTER ...]` in an X display of 1280x800 of its
own, with xdotool and ImageMagick's import; FOLDER holds the wheel that FaceNet is built from.
Without chapters all of CHAPTERS. Ends Blender with status 0, or 1 with a traceback if something is
not as it must be. After tools/window/hands.py a step yields the seconds to wait for Blender.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.window import chapter_many_heads as many_heads
from tools.window import chapter_one_head as one_head
from tools.window import chapter_opening as opening
from tools.window import chapter_undo_and_files as undo_and_files
from tools.window.hands import ARGUMENTS, Steps, perform

CHAPTERS = {
    "one_head": (
        one_head.head_by_mouse,
        one_head.slider_by_mouse,
        one_head.search_by_keyboard,
        one_head.short_list,
        one_head.sampling,
        one_head.presets,
        one_head.other_panels,
    ),
    "many_heads": (
        many_heads.begin,
        many_heads.candidates,
        many_heads.sheet,
        many_heads.variety,
        many_heads.shift,
        many_heads.render_in_a_drag,
    ),
    "undo_and_files": (
        undo_and_files.fifty_undos,
        undo_and_files.edit_mode,
        undo_and_files.copies_and_scenes,
        undo_and_files.save_and_reopen,
        undo_and_files.missing_model,
        undo_and_files.second_model,
    ),
}
"""Chapter -> its scenes. Each can be told alone."""


def story() -> Steps:
    """All that is tried, in order."""
    yield from opening.enable_twice()
    yield from opening.preferences()
    yield from opening.open_sidebar()
    for chapter in ARGUMENTS or CHAPTERS:
        for scene in CHAPTERS[chapter]:
            print(f"window: {chapter}, {scene.__name__}", flush=True)
            yield from scene()


perform(story())
