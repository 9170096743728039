# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports of figures: chapters of words, tables and plots, and the page of all."""
