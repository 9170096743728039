# SPDX-License-Identifier: GPL-3.0-or-later
"""FLAME: files in its layout, the model in them, and heads made of it."""
