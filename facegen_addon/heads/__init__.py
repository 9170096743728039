# SPDX-License-Identifier: GPL-3.0-or-later
"""A, the authoring space: head models as pure NumPy functions of their parameters."""
