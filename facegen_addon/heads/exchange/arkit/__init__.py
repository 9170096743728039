# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings of ARKit's 52 blend shapes, as apps write them, and the sliders they move."""
