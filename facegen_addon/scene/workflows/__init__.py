# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panel's buttons do: variety, candidates, presets, measuring, drawn heads."""
