# SPDX-License-Identifier: GPL-3.0-or-later
"""Brows, lashes and facial hair: their parameters, named styles, strands and shade on the skin."""
