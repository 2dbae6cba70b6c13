"""Two declarations of one checkpoint that contradict each other are caught, field by field."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vlabench.contract.declared import disagreements
from vlabench.contract.specs import (
    ActionSpec,
    CameraSpec,
    Ensembling,
    PolicySpec,
    PromptSpec,
    StateField,
)

CAMERA = CameraSpec("exterior/0", 256, 256, resized=(224, 224), key="image")
WRIST = replace(CAMERA, role="wrist/0", key="wrist")
CARD = PolicySpec(
    "card",
    cameras=(CAMERA, WRIST),
    state=(StateField("ee_position"), StateField("ee_quaternion", "axis_angle")),
    action=ActionSpec(gripper_open=1.0, gripper_close=0.0, gripper_threshold=0.5),
    chunk_length=10,
    executed=5,
    control_hz=20.0,
)
NAMES = ("the card", "the server")


def test_a_declaration_agrees_with_itself_under_whatever_name():
    assert disagreements(CARD, CARD, NAMES) == []
    assert disagreements(CARD, replace(CARD, name="other", revision="step-9"), NAMES) == []
    assert disagreements(CARD, replace(CARD, max_batch=9), NAMES, ignored=("max_batch",)) == []


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (  # an inverted gripper
            {"action": replace(CARD.action, gripper_open=0.0, gripper_close=1.0)},
            [
                "action.gripper_open is 1.0 in the card and 0.0 in the server",
                "action.gripper_close is 0.0 in the card and 1.0 in the server",
            ],
        ),
        (  # an image upside down
            {"cameras": (replace(CAMERA, rotated=True), WRIST)},
            ["camera 'exterior/0'.rotated is False in the card and True in the server"],
        ),
        (
            {"cameras": (CAMERA, replace(WRIST, crop_area=0.9, resize_filter="bilinear"))},
            [
                "camera 'wrist/0'.resize_filter is 'lanczos' in the card and 'bilinear' in the "
                "server",
                "camera 'wrist/0'.crop_area is None in the card and 0.9 in the server",
            ],
        ),
        (  # a camera that is missing
            {"cameras": (CAMERA,)},
            ["cameras are 'exterior/0', 'wrist/0' in the card and 'exterior/0' in the server"],
        ),
        (
            {"cameras": (WRIST, CAMERA)},
            [
                "cameras come as 'exterior/0', 'wrist/0' in the card and 'wrist/0', 'exterior/0' "
                "in the server"
            ],
        ),
        (  # roll, pitch, yaw where an axis and an angle are meant
            {"action": replace(CARD.action, rotation="euler_xyz")},
            ["action.rotation is 'axis_angle' in the card and 'euler_xyz' in the server"],
        ),
        (
            {"state": (CARD.state[0], StateField("ee_quaternion", "euler_xyz"))},
            ["state[1].as_ is 'axis_angle' in the card and 'euler_xyz' in the server"],
        ),
        ({"state": CARD.state[:1]}, ["state is 2 fields in the card and 1 fields in the server"]),
        ({"executed": 10}, ["executed is 5 in the card and 10 in the server"]),
        ({"control_hz": 10.0}, ["control_hz is 20.0 in the card and 10.0 in the server"]),
        (
            {"prompt": PromptSpec(case="lower")},
            ["prompt.case is 'as-is' in the card and 'lower' in the server"],
        ),
        (
            {"ensembling": Ensembling(0.1, 5)},
            [
                "ensembling is None in the card and Ensembling(decay=0.1, every=5) in the server",
            ],
        ),
        (
            {"proprio": ("ee_position",)},
            ["proprio is none in the card and 'ee_position' in the server"],
        ),
    ],
)
def test_every_field_that_differs_is_told_with_both_sides(wrong, told):
    assert disagreements(CARD, replace(CARD, **wrong), NAMES) == told
