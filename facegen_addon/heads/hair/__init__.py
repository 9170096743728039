# SPDX-License-Identifier: GPL-3.0-or-later
"""Scalp hair of any style: a groom of strands that are combed, fall and are tied on any head."""
