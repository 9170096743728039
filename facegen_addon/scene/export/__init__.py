# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads as files of other programs' formats: OBJ, glTF, FBX."""
