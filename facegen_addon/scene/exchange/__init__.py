# SPDX-License-Identifier: GPL-3.0-or-later
"""Other programs' parameters as heads of the scene, and back."""
