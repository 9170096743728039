# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameter files of other programs: containers (`containers`, `torch_file`, `mat_file`, `text`),
names (`layouts`), arrays as rows of heads (`rows`, `rotations`), other models' files (`foreign`).
"""
