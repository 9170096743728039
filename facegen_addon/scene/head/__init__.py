# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads in the scene: their objects, materials, history, locks, and the repair of lost data."""
