"""Objects: procedural families, and the catalog of what there is.

One line here makes a category known; other packages use the entry point group
``vlabench.objects``.
"""

_HERE = "vlabench.envs.objects"

OBJECTS = {
    "bottle": f"{_HERE}.vessels:BOTTLE",
    "bowl": f"{_HERE}.vessels:BOWL",
    "can": f"{_HERE}.vessels:CAN",
    "coaster": f"{_HERE}.vessels:COASTER",
    "cup": f"{_HERE}.vessels:CUP",
    "jar": f"{_HERE}.vessels:JAR",
    "mug": f"{_HERE}.vessels:MUG",
    "plate": f"{_HERE}.vessels:PLATE",
    "vase": f"{_HERE}.vessels:VASE",
    "block": f"{_HERE}.boxes:BLOCK",
    "board": f"{_HERE}.boxes:BOARD",
    "carton": f"{_HERE}.boxes:CARTON",
    "crate": f"{_HERE}.boxes:CRATE",
    "soap": f"{_HERE}.boxes:SOAP",
    "sponge": f"{_HERE}.boxes:SPONGE",
    "tea box": f"{_HERE}.boxes:TEA_BOX",
    "apple": f"{_HERE}.produce:APPLE",
    "aubergine": f"{_HERE}.produce:AUBERGINE",
    "banana": f"{_HERE}.produce:BANANA",
    "carrot": f"{_HERE}.produce:CARROT",
    "lemon": f"{_HERE}.produce:LEMON",
    "pear": f"{_HERE}.produce:PEAR",
    "brush": f"{_HERE}.tools:BRUSH",
    "marker": f"{_HERE}.tools:MARKER",
    "screwdriver": f"{_HERE}.tools:SCREWDRIVER",
    "ball": f"{_HERE}.toys:BALL",
    "cone": f"{_HERE}.toys:CONE",
    "ring": f"{_HERE}.toys:RING",
}
