"""What training never shows, beyond the held-out shapes and categories of the catalog.

A quarter of the pairs of a task and a category are held apart: no nominal episode has such a pair,
though its task and its category both occur in many. The axis ``composition`` shows nothing else.
"""

from __future__ import annotations

import hashlib

from vlabench.envs.objects.catalog import Role, categories, category

EVERY = 4
"""One pair in so many is held apart."""


def held_apart(task: str, role: Role, name: str) -> bool:
    """Whether training never shows the category `name` in that role of the task called `task`."""
    names = categories(role)
    if len(names) < EVERY or name not in names:
        return False
    offset = int.from_bytes(hashlib.sha256(f"{task} {role}".encode()).digest()[:4], "big")
    return (names.index(name) + offset) % EVERY == 0


def kept_from(task: str, role: Role, super_category: str | None = None) -> list[str]:
    """The categories of a role that training never shows in the task called `task`, sorted.

    Args:
        task: Its name.
        role: What they may be.
        super_category: Only those of this kind of thing; None for all.
    """
    return [
        name
        for name in categories(role)
        if held_apart(task, role, name) and super_category in {None, category(name).super_category}
    ]
