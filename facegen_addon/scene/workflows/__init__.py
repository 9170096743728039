# SPDX-License-Identifier: GPL-3.0-or-later
"""The work behind the panel's buttons: variety, candidates, presets, measuring, drawn heads."""
