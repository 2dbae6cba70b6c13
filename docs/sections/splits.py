"""What is seen and what is held out: objects, shapes, materials, phrases, pairs."""

from __future__ import annotations

from collections import defaultdict

from sections.markdown import NOTHING, code, counted, link, number, table
from sections.sources import Sources
from vlabench.envs import language
from vlabench.envs.axes.background import FLOORS, WALLS
from vlabench.envs.axes.object_appearance import MATERIALS, SHADES
from vlabench.envs.axes.table_texture import TABLES
from vlabench.envs.language.grammar import KINDS
from vlabench.envs.objects.catalog import GRID, Split, category, held_out
from vlabench.envs.splits import EVERY, kept_from
from vlabench.envs.tasks.base import Task, task
from vlabench.registry import OBJECTS, TASKS


def section(sources: Sources) -> str:
    """One part for each kind of split."""
    train = sources.all_suites["train"].seed
    tested = {s.seed for name, s in sources.all_suites.items() if s.tasks and name != "train"}
    if train in tested:
        raise AssertionError(f"a suite is drawn with seed {train}, as the training episodes are")
    return "\n\n".join(
        [
            "## Splits",
            "What is held out is in no nominal episode, so in no training episode either. A thing "
            "that is held out stays so while the world's version stays.",
            f"**Scenes.** Training episodes (suite `train`) are drawn with seed {train}, "
            f"everything that is evaluated with seed {', '.join(map(str, sorted(tested)))}: no "
            "scene is in both.",
            *_objects(),
            *_materials(),
            *_phrases(),
            *_pairs(),
        ]
    )


def _objects() -> list[str]:
    of: dict[str, dict[Split, list[str]]] = defaultdict(lambda: {"seen": [], "unseen": []})
    for name in OBJECTS.names():
        of[category(name).super_category][category(name).split].append(name)
    rows = [
        [kind, ", ".join(names["seen"]) or NOTHING, ", ".join(names["unseen"]) or NOTHING]
        for kind, names in sorted(of.items())
    ]
    seen, unseen = (sum(len(names[split]) for names in of.values()) for split in _SPLITS)
    cells = GRID * GRID
    out = sum(
        held_out([(i + 0.5) / GRID, (j + 0.5) / GRID]) for i in range(GRID) for j in range(GRID)
    )
    return [
        f"**Categories.** {seen} of {seen + unseen} are seen, {unseen} held out "
        f"({link('unseen-categories')}).",
        table(["kind of thing", "seen", "held out"], rows),
        f"**Shapes.** A category's instances are points of a unit cube of lengths; the first two "
        f"coordinates fall into {GRID} × {GRID} cells, of which {out} of {cells} are held out "
        f"({link('unseen-instances')}). Fixtures are split in the same way.",
    ]


_SPLITS: tuple[Split, Split] = ("seen", "unseen")


def _materials() -> list[str]:
    pools = [("table tops", TABLES), ("walls", WALLS), ("floors", FLOORS)]
    rows = [
        [what, *(", ".join(pool[level]) for level in ("seen", "L1", "L2", "L3"))]
        for what, pool in pools
    ]
    shades = sum(len(of) for of in SHADES.values())
    return [
        f"**Materials** of the table ({link('table-texture')}) and of the room "
        f"({link('background')}):",
        table(["", "seen", "L1: similar", "L2: unlike", "L3: high-contrast"], rows),
        f"Objects have {len(SHADES)} colours and the finish of their category. Held out "
        f"({link('object-appearance')}) are {shades} shades of these colours and "
        f"{len(MATERIALS)} materials: {', '.join(MATERIALS)}.",
    ]


def _phrases() -> list[str]:
    counts = {kind: [len(language.phrases(name)[kind]) for name in TASKS.names()] for kind in KINDS}
    rows = [
        [kind, number(sum(of)), f"{min(of)}–{max(of)}", "nominal" if kind == "seen" else "held out"]
        for kind, of in counts.items()
    ]
    return [
        f"**Phrases**, templates by hand in `envs/language/`. The held-out ones are the levels of "
        f"{link('paraphrase')}; {link('referring')} and {link('knowledge')} put other words into "
        "seen phrases.",
        table(["kind", "phrases", "a task", "split"], rows, right="lrrl"),
    ]


def _pairs() -> list[str]:
    rows = []
    for name in TASKS.names():
        apart = _apart(task(name))
        rows += [[link(name), code(roles), ", ".join(kept)] for kept, roles in apart.items()]
    pairs = sum(len({n for kept in _apart(task(t)) for n in kept}) for t in TASKS.names())
    return [
        f"**Pairs.** One in {EVERY} of the categories that may play a role is kept apart from the "
        f"task, {counted(pairs, 'pair')} in all; {link('composition')} shows nothing else. Both "
        "the task and the category occur in other episodes.",
        table(["task", "roles", "kept apart"], rows),
    ]


def _apart(kind: Task) -> dict[tuple[str, ...], list[str]]:
    """Categories kept apart from a task, and the roles that goals give them."""
    found: dict[tuple[str, ...], list[str]] = {}
    for role in kind.goal_roles:
        if kept := tuple(kept_from(kind.name, role.kind, role.super_category)):
            found.setdefault(kept, []).append(role.name)
    return found
