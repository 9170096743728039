# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of heads: the renderer, light, background, label passes, portraits; F."""
