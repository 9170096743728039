# SPDX-License-Identifier: GPL-3.0-or-later
"""Labelled data sets: recipe, farm, shards, and what closes and verifies them."""
