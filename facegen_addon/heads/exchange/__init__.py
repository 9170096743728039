# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of parameters: FLAME's codes, ARKit's curves, our own sliders."""
