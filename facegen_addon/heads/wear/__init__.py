# SPDX-License-Identifier: GPL-3.0-or-later
"""What a head wears, and the shoulders below it: clothes, glasses and hats that fit any head."""
