"""Plans: what a planner may say, when it is another subtask, and where a path is drawn."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from vlabench.contract import overlay
from vlabench.contract.images import image_steps
from vlabench.contract.planner import joined, wording
from vlabench.contract.planning import MOST_PATHS, MOST_POINTS, check_plan, in_order
from vlabench.contract.specs import CameraSpec, PlannerSpec, PolicySpec
from vlabench.contract.wire import decode, encode, from_wire, to_wire
from vlabench.errors import ContractError, PolicyError, UsageError
from vlabench.plans import PARTS, Keypoint, Path2D, Plan, SkillCall, Waypoint, parts_of

CAMERA = CameraSpec("exterior/0", 64, 96)
PLANNER = PlannerSpec("talker", says=PARTS, cameras=(CAMERA,))
POLICY = PolicySpec(
    "doer", cameras=(CameraSpec("wrist/0", 8, 8),), reads=("program",), skills=("open", "in")
)

EVERYTHING = Plan(
    subtask="open the drawer",
    stage="open",
    paths=(Path2D("exterior/0", ((0.1, 0.2), (0.5, 1.0)), (True, False)),),
    waypoints=(
        Waypoint((0.5, 0.0, 0.2), (1.0, 0.0, 0.0, 0.0), 0.5),
        Waypoint((0.6, 0.1, 0.1)),
    ),
    keypoints=(
        Keypoint("handle", "wrist/0", (0.5, 0.5)),
        Keypoint("mug", position=(0.4, 0.1, 0.0)),
    ),
    program=(SkillCall("open", ("top drawer",)), SkillCall("in", ("object", "top drawer"))),
)


def test_a_plan_with_everything_stands_travels_and_is_json():
    assert check_plan(PLANNER, POLICY, EVERYTHING) == EVERYTHING
    assert from_wire(Plan, decode(encode(to_wire(EVERYTHING)))) == EVERYTHING
    told = json.loads(json.dumps(EVERYTHING.to_json()))
    assert told["paths"] == [
        {"camera": "exterior/0", "points": [[0.1, 0.2], [0.5, 1.0]], "gripper_open": [True, False]}
    ]
    assert told["waypoints"][1] == {"position": [0.6, 0.1, 0.1]}
    assert told["keypoints"][1] == {"name": "mug", "position": [0.4, 0.1, 0.0]}
    assert Plan("go").to_json() == {"subtask": "go"}
    assert parts_of(EVERYTHING) == PARTS
    assert EVERYTHING.only(("paths",)) == Plan(paths=EVERYTHING.paths)


def test_numpy_numbers_and_lists_are_taken_for_what_they_are():
    plan = Plan(
        paths=[
            Path2D("exterior/0", np.array([[0, 1], [0.25, 0.5]], np.float32), [np.True_, False])
        ],
        waypoints=[Waypoint(np.array([0.5, 0.0, 0.25]), np.array([0, 0, 0, 1.0]), np.float32(0.5))],
        keypoints=[Keypoint("k", "exterior/0", np.array([0.5, 0.25]))],
    )
    checked = check_plan(PLANNER, POLICY, plan)
    assert checked.paths == (Path2D("exterior/0", ((0.0, 1.0), (0.25, 0.5)), (True, False)),)
    assert checked.waypoints == (Waypoint((0.5, 0.0, 0.25), (0.0, 0.0, 0.0, 1.0), 0.5),)
    assert checked.keypoints[0].pixel == (0.5, 0.25)
    assert json.dumps(checked.to_json())


def path(*points, camera="exterior/0", gripper=()):
    return Plan(paths=(Path2D(camera, points, gripper),))


@pytest.mark.parametrize(
    ("plan", "text"),
    [
        ("open it", "said a str"),
        (Plan(), "empty plan"),
        (Plan(subtask=3), "a subtask that is a int"),
        (Plan(subtask="x" * 2000), "2000 characters"),
        (path((0.1, math.nan)), "must be finite"),
        (path((0.1, 1.5)), r"\(0.1, 1.5\); points are shares"),
        (path((12, 50)), "in \\[0, 1\\]"),
        (path((0.1, 0.2, 0.3)), "with 3 numbers; give 2"),
        (path("ab"), "give 2 numbers"),
        (path((0.1, 0.1), camera="wrist/1"), "'wrist/1'; planner and policy look through"),
        (path(), "without points"),
        (path((0.1, 0.1), gripper=(True, False)), "1 points and 2 gripper states"),
        (path(*[(0.1, 0.1)] * (MOST_POINTS + 1)), f"at most {MOST_POINTS}"),
        (Plan(paths=(Path2D("exterior/0", ((0, 0),)),) * (MOST_PATHS + 1)), "at most 16"),
        (Plan(paths=((0.1, 0.2),)), "make it a Path2D"),
        (Plan(paths="left"), "said paths as 'left'; give a tuple"),
        (Plan(waypoints=(Waypoint((450.0, 0.0, 200.0)),)), "metres in the robot's base frame"),
        (Plan(waypoints=(Waypoint((0.4, 0.0)),)), "with 2 numbers; give 3"),
        (Plan(waypoints=(Waypoint((0.4, 0.0, 0.1), (1.0, 1.0, 0.0, 0.0)),)), "unit quaternion"),
        (Plan(waypoints=(Waypoint((0.4, 0.0, 0.1), None, 2.0),)), "0 is closed and 1 open"),
        (Plan(keypoints=(Keypoint("k"),)), "not where it is"),
        (Plan(keypoints=(Keypoint("k", pixel=(0.1, 0.1)),)), "one of camera and pixel"),
        (Plan(program=(SkillCall("fly"),)), "'fly'; the policy offers open, in"),
        (Plan(program=("open",)), "make it of SkillCalls"),
        (Plan(program=(SkillCall("open", "door"),)), "give a tuple"),
    ],
)
def test_what_a_planner_may_not_say_is_told_in_a_sentence_that_names_it(plan, text):
    with pytest.raises(PolicyError, match=text) as raised:
        check_plan(PLANNER, POLICY, plan)
    assert str(raised.value).startswith("Planner 'talker' ")
    assert str(raised.value).count(". ") == 0


def test_a_planner_says_what_it_declares_and_nothing_else():
    quiet = replace(PLANNER, says=("subtask",))
    with pytest.raises(PolicyError, match="said paths and declares that it says subtask"):
        check_plan(quiet, POLICY, path((0.1, 0.1)))
    for_the_record = replace(POLICY, reads=(), skills=())
    assert check_plan(PLANNER, for_the_record, Plan(program=(SkillCall("fly"),))).program


def test_a_subtask_is_known_by_its_words_and_program_and_else_by_all_there_is():
    go = Plan("go")
    drawn = replace(go, paths=(Path2D("exterior/0", ((0.5, 0.5),)),))
    assert go.is_another(None)
    assert not drawn.is_another(go)
    assert not replace(go, stage="first").is_another(go)
    assert Plan("stop").is_another(go)
    assert replace(go, program=(SkillCall("in"),)).is_another(go)
    assert replace(drawn, subtask="").is_another(go)
    nowhere, somewhere = (
        Plan(waypoints=(Waypoint((0, 0, 0)),)),
        Plan(waypoints=(Waypoint((1, 0, 0)),)),
    )
    assert somewhere.is_another(nowhere)
    assert not nowhere.is_another(replace(nowhere, stage="first"))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("", (0, 0)),
        ("abc", (3, 3)),
        ("aabbac", (3, 3)),
        ("bac", (3, 2)),
        ("cba", (3, 1)),
        ("xbxcx", (2, 2)),
        ("dacb", (4, 2)),
        ("bcda", (4, 3)),
    ],
)
def test_stages_in_order_are_the_longest_sequence_that_follows_it(said, expected):
    assert in_order(said, "abcd") == expected


def test_the_policy_is_told_in_the_planners_wording():
    planner = PlannerSpec("p", wording="{instruction}; now {subtask}")
    assert wording(planner, "set the table", "open {instruction}") == (
        "set the table; now open {instruction}"
    )
    assert wording(planner, "set the table", "") == "set the table"
    assert wording(PlannerSpec("p"), "set the table", "lift") == "lift"


@pytest.mark.parametrize(
    ("planner", "policy", "text"),
    [
        ({"says": ("paths",)}, {}, "of which the policy reads nothing"),
        ({"says": ("speech",)}, {}, "'speech', which is none of"),
        ({"every": 0}, {}, "every 0 control steps"),
        ({"wording": "do it"}, {}, r"has not \{subtask\} once"),
        ({"max_batch": 0}, {}, "0 sessions at once"),
        ({}, {"reads": ("waypoints",)}, "reads waypoints, which the planner does not say"),
        ({}, {"cameras": (replace(CAMERA, draws_paths=True),)}, "reads paths, which the planner"),
        ({"says": ("program",)}, {"reads": ("program",)}, "offers no skills"),
    ],
)
def test_a_planner_and_a_policy_that_do_not_fit_are_refused(planner, policy, text):
    with pytest.raises(ContractError, match=text):
        joined(PlannerSpec("p", **planner), PolicySpec("q", **policy))


def test_a_whole_is_declared_by_its_parts():
    planner = PlannerSpec("p", privileged=True, stateful=True, max_batch=4, revision="2")
    policy = PolicySpec("q", deterministic=False, max_batch=2, fixed_batch=True, revision="1")
    whole = joined(planner, policy)
    assert (whole.name, whole.planner, whole.revision) == ("p/q", planner, "2+1")
    assert (whole.privileged, whole.stateful, whole.deterministic) == (True, True, False)
    assert (whole.max_batch, whole.fixed_batch) == (4, False)
    with pytest.raises(UsageError, match="'p/q' has a planner already"):
        joined(planner, whole)


# --- paths on images ----------------------------------------------------------------------------

DOT = np.array([0.25, 0.5])


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"rotated": True},
        {"mirrored": True},
        {"rotated": True, "mirrored": True, "resized": (48, 48)},
        {"resized": (80, 80), "resize_fit": "pad"},
        {"resized": (120, 60), "resize_fit": "pad"},
        {"crop_area": 0.49},
        {"resized": (80, 80), "resize_fit": "pad", "crop_area": 0.81, "layout": "chw"},
        {"resized": (56, 84), "dtype": "float32", "layout": "chw"},
    ],
)
def test_a_point_is_drawn_where_the_policy_sees_what_was_there(fields):
    """A bright spot in the rendered image, and a point said to be on it, meet after everything."""
    camera = replace(CAMERA, **fields)
    image = np.zeros((64, 96, 3), np.uint8)
    row, column = int(DOT[1] * 64), int(DOT[0] * 96)
    image[row - 2 : row + 3, column - 2 : column + 3] = 255
    black = np.zeros_like(image)
    for step in image_steps(camera):
        image, black = step(image), step(black)
    marked = overlay.drawn(black, camera, [Path2D("exterior/0", (tuple(DOT),))])
    assert (marked.shape, marked.dtype) == (black.shape, black.dtype)

    def centre(pixels):
        upright = np.moveaxis(pixels, 0, -1) if camera.layout == "chw" else pixels
        weight = upright.astype(np.float64).sum(axis=-1)
        assert weight.sum() > 0
        return [float((grid * weight).sum() / weight.sum()) for grid in np.indices(weight.shape)]

    assert centre(marked) == pytest.approx(centre(image), abs=1.5)


def test_a_path_is_drawn_in_its_camera_alone_and_the_image_stays_as_it_was():
    image = np.full((64, 96, 3), 90, np.uint8)
    there = Path2D("exterior/0", ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9)), (True, True, False))
    elsewhere = Path2D("wrist/0", ((0.5, 0.5),))
    assert overlay.drawn(image, CAMERA, [elsewhere]) is image
    marked = overlay.drawn(image, CAMERA, [elsewhere, there])
    assert (image == 90).all()
    assert (marked[5:7, 48] != 90).any()
    assert marked[5:7, 20, 2].max() > marked[50, 84:88, 2].max()
    colours = {tuple(pixel) for pixel in marked.reshape(-1, 3).tolist()}
    assert {overlay.OPENS, overlay.CLOSES} <= colours
    assert (marked[30:, :60] == 90).all()
    several = overlay.drawn(np.stack([image, image]), replace(CAMERA, history=2), [there])
    assert (several == marked).all()
