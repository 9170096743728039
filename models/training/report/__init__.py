# SPDX-License-Identifier: GPL-3.0-or-later
"""The studies behind `make report`: one file a chapter, each judged by renders."""
