"""Axes, one module each.

One line here makes an axis known; other packages use the entry point group ``vlabench.axes``.
"""

_HERE = "vlabench.envs.axes"

AXES = {
    "lighting": f"{_HERE}.lighting:Lighting",
    "object-pose": f"{_HERE}.object_pose:ObjectPose",
    "paraphrase": f"{_HERE}.paraphrase:Paraphrase",
    "unseen-categories": f"{_HERE}.unseen_categories:UnseenCategories",
    "unseen-instances": f"{_HERE}.unseen_instances:UnseenInstances",
}
