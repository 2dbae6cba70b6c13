"""Static pages that open from disk, with no server and no network."""

from __future__ import annotations

from vlabench.pages.board import write_board
from vlabench.pages.report import default_folder, write_report

__all__ = ["default_folder", "write_board", "write_report"]
