"""Texts of others, made harmless for where they go: a file's name, a line of a log, a cell."""

from __future__ import annotations

import re

LONGEST_NAME = 100
"""Characters of a file's name that a text is turned into."""


def file_name(text: str, otherwise: str) -> str:
    """`text` as a part of a file's name, which leaves no folder; `otherwise` if nothing is left."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")
    return readable[:LONGEST_NAME] or otherwise


def one_line(text: str) -> str:
    """`text` on one line, without control characters, its blanks kept."""
    return "".join(char if char.isprintable() else " " for char in text)


def no_formula(text: str) -> str:
    """`text` as a cell that no spreadsheet computes: with an apostrophe if it begins like that.

    A carriage return, which ``csv`` does not put into quotes, would begin a row of its own.
    """
    begins = text.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"{chr(39) * begins}{text}".replace("\r", " ")
