# SPDX-License-Identifier: GPL-3.0-or-later
"""From a photo to a head: what a photo shows, the camera it was taken by, and the head refined."""
