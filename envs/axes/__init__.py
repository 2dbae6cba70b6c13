"""Axes, one module each.

One line here makes an axis known; other packages use the entry point group ``vlabench.axes``.
"""

_HERE = "vlabench.envs.axes"

AXES = {
    "absent-object": f"{_HERE}.absent_object:AbsentObject",
    "articulation": f"{_HERE}.articulation:Articulation",
    "background": f"{_HERE}.background:Background",
    "camera": f"{_HERE}.camera:Camera",
    "combination": f"{_HERE}.combination:Combination",
    "composition": f"{_HERE}.composition:Composition",
    "confusable-distractors": f"{_HERE}.distractors:ConfusableDistractors",
    "distractors": f"{_HERE}.distractors:Distractors",
    "dynamic": f"{_HERE}.dynamic:Dynamic",
    "embodiment": f"{_HERE}.embodiment:Embodiment",
    "empty-instruction": f"{_HERE}.empty_instruction:EmptyInstruction",
    "from-stage": f"{_HERE}.from_stage:FromStage",
    "horizon": f"{_HERE}.horizon:Horizon",
    "knowledge": f"{_HERE}.knowledge:Knowledge",
    "lighting": f"{_HERE}.lighting:Lighting",
    "noise-blur": f"{_HERE}.sensor_noise:Blur",
    "noise-gaussian": f"{_HERE}.sensor_noise:Gaussian",
    "noise-jpeg": f"{_HERE}.sensor_noise:Jpeg",
    "noise-occlusion": f"{_HERE}.sensor_noise:Occlusion",
    "object-appearance": f"{_HERE}.object_appearance:ObjectAppearance",
    "object-pose": f"{_HERE}.object_pose:ObjectPose",
    "object-scale": f"{_HERE}.object_scale:ObjectScale",
    "paraphrase": f"{_HERE}.paraphrase:Paraphrase",
    "physics": f"{_HERE}.physics:Physics",
    "referring": f"{_HERE}.referring:Referring",
    "robot-init": f"{_HERE}.robot_init:RobotInit",
    "swapped-goal": f"{_HERE}.swapped_goal:SwappedGoal",
    "table-texture": f"{_HERE}.table_texture:TableTexture",
    "unseen-categories": f"{_HERE}.unseen_categories:UnseenCategories",
    "unseen-instances": f"{_HERE}.unseen_instances:UnseenInstances",
}

DIAGNOSTIC = frozenset({"absent-object", "empty-instruction", "swapped-goal"})
"""Those of the kind ``"diagnostic"``, said here too for tables, which load no simulator."""
