# SPDX-License-Identifier: GPL-3.0-or-later
"""FaceGen's programs at a terminal: streams, signals, progress, pools of processes."""
