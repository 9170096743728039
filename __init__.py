# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's door: hands Blender's register and unregister on, nothing else."""

from .facegen_addon import register, unregister

__all__ = ["register", "unregister"]
