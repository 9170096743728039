# SPDX-License-Identifier: GPL-3.0-or-later
"""FaceGen: believable, mutually different heads, guided by the latent space of faces.

Importing the package imports neither bpy nor ONNX Runtime: the pure rooms (heads, latent) stay
usable anywhere. Blender calls register and unregister.
"""


def register() -> None:
    """Make the operators known to Blender."""
    from . import ui

    ui.register()


def unregister() -> None:
    """Undo register."""
    from . import ui

    ui.unregister()
