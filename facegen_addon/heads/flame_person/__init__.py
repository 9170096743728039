# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads of FLAME-type files with the complete look of `person`."""
