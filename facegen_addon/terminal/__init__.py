# SPDX-License-Identifier: GPL-3.0-or-later
"""How programs of FaceGen speak with a terminal: streams, signals, progress, pools of processes."""
