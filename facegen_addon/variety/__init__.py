# SPDX-License-Identifier: GPL-3.0-or-later
"""Generate Variety: heads of which every pair is at least a cosine distance apart, by any F."""
