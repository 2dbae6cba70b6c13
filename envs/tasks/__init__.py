"""Tasks, one module each.

One line here makes a task known, another its Gymnasium id; other packages use the entry point
group ``vlabench.tasks``.
"""

_HERE = "vlabench.envs.tasks"

TASKS = {
    "open-drawer": f"{_HERE}.open_drawer:TASK",
    "place-in": f"{_HERE}.place_in:TASK",
    "place-on": f"{_HERE}.place_on:TASK",
    "stack": f"{_HERE}.stack:TASK",
    "store-in-drawer": f"{_HERE}.store_in_drawer:TASK",
}

GYM_IDS = {name: "".join(word.capitalize() for word in name.split("-")) for name in TASKS}
"""Task to the name of its environment, without namespace and version."""
