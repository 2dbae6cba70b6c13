"""Tasks, one module each.

One line here makes a task known, another its Gymnasium id; other packages use the entry point
group ``vlabench.tasks``.
"""

_HERE = "vlabench.envs.tasks"

TASKS = {
    "build-tower": f"{_HERE}.build_tower:TASK",
    "clear-table": f"{_HERE}.clear_table:TASK",
    "close-door": f"{_HERE}.close_door:TASK",
    "close-drawer": f"{_HERE}.close_drawer:TASK",
    "cook": f"{_HERE}.cook:TASK",
    "errands": f"{_HERE}.errands:TASK",
    "heat-in-oven": f"{_HERE}.heat_in_oven:TASK",
    "lift": f"{_HERE}.lift:TASK",
    "open-door": f"{_HERE}.open_door:TASK",
    "open-drawer": f"{_HERE}.open_drawer:TASK",
    "place-beside": f"{_HERE}.place_beside:TASK",
    "place-in": f"{_HERE}.place_in:TASK",
    "place-on": f"{_HERE}.place_on:TASK",
    "press-button": f"{_HERE}.press_button:TASK",
    "push-to": f"{_HERE}.push_to:TASK",
    "serve": f"{_HERE}.serve:TASK",
    "set-table": f"{_HERE}.set_table:TASK",
    "shelve": f"{_HERE}.shelve:TASK",
    "sort-by-kind": f"{_HERE}.sort_by_kind:TASK",
    "stack": f"{_HERE}.stack:TASK",
    "stand-upright": f"{_HERE}.stand_upright:TASK",
    "store-in-drawer": f"{_HERE}.store_in_drawer:TASK",
    "swap": f"{_HERE}.swap:TASK",
    "tidy-up": f"{_HERE}.tidy_up:TASK",
    "turn-knob": f"{_HERE}.turn_knob:TASK",
    "two-in-basket": f"{_HERE}.two_in_basket:TASK",
}

GYM_IDS = {name: "".join(word.capitalize() for word in name.split("-")) for name in TASKS}
"""Task to the name of its environment, without namespace and version."""
