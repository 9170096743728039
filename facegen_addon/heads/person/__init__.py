# SPDX-License-Identifier: GPL-3.0-or-later
"""The `person` head: its baked file, the model in it, and the head made of it."""
