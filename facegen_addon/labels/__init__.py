# SPDX-License-Identifier: GPL-3.0-or-later
"""What is true of an image: its camera, landmarks, classes, depth, and a check that they agree."""
