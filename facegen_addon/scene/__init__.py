# SPDX-License-Identifier: GPL-3.0-or-later
"""The only door to bpy besides ui: heads as objects, their materials, and renders of them."""
