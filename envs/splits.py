"""What training never shows, beyond the held-out shapes and categories of the catalog.

A quarter of the pairs of a task and a category are held apart: in no episode but those of the axis
``composition``, which show nothing else, does a goal of the task speak of such a category; nor do
the other goals that the scene of a nominal episode allows. Task and category both occur in many
episodes, and things that no goal can come to speak of may be of any category.
"""

from __future__ import annotations

import hashlib

from vlabench.envs.objects.catalog import Role, categories, category

EVERY = 4
"""One pair in so many is held apart."""


def kept_from(task: str, role: Role, super_category: str | None = None) -> list[str]:
    """The categories of a role that training never shows in the task called `task`, sorted.

    Args:
        task: Its name.
        role: What they may be. Of a role that few can play, none is kept.
        super_category: Only those of this kind of thing; None for all.
    """
    names = categories(role)
    if len(names) < EVERY:
        return []
    offset = int.from_bytes(hashlib.sha256(f"{task} {role}".encode()).digest()[:4], "big")
    kept = (name for i, name in enumerate(names) if (i + offset) % EVERY == 0)
    return [n for n in kept if super_category in {None, category(n).super_category}]
