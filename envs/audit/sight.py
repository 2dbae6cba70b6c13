"""Whether a thing looks as if it were on or in another: a second opinion on the labels of states.

How a state was made says what is true of it, but where it was made follows from the lengths that
shapes and fixtures are built from, and so do the predicates. Nothing of that is used here: no
surface of a shape, no site of a part, no contact. Rays are cast at what is seen in the compiled
model, and what touches is told by MuJoCo's distances between solids. Lengths are metres, in the
world's frame.
"""

from __future__ import annotations

import math

import mujoco
import numpy as np
from scipy.spatial import ConvexHull

from vlabench.envs.audit.bench import Bench
from vlabench.envs.scene import ScenePart
from vlabench.envs.tasks.base import Goal
from vlabench.types import Floats

WALLED, WALLED_BUT_FOR_A_DOOR = 0.9, 0.5
"""Share of the directions in which there is a wall around what is in something."""

_TOUCHED = 0.00005
"""No distance is asked for beyond this: MuJoCo 3.9 says 0 of some pairs of boxes that are less far
apart than it is to look."""

_FOOT, _OVER_THE_FOOT = 0.002, 0.006
_AROUND = 16

_SEEN_GROUP = 1
_SEEN = np.array([group == _SEEN_GROUP for group in range(6)], dtype=np.uint8)
_DOWN = np.array([0.0, 0.0, -1.0])


class Sight:
    """Looks at a bench.

    Args:
        bench: Whose scene, as it stands whenever something is asked.
    """

    def __init__(self, bench: Bench) -> None:
        self._scene, self._model, self._data = bench.scene, bench.model, bench.data
        self._solid = np.flatnonzero(bench.model.geom_contype)
        self._reach = bench.model.geom_rbound[self._solid]
        self._things = {thing.body: name for name, thing in bench.scene.objects.items()}
        self._hulls = {name: _hull(bench.model, body) for body, name in self._things.items()}

    def says(self, goal: Goal) -> bool:
        """Whether a goal of `on` or `in` looks true."""
        name, place = goal.arguments
        if place in self._hulls and not self._stands(place):
            return False
        touched = self._touched(name)
        if touched & self._scene.robot_geoms or self._scene.table_geom in touched:
            return False
        bodies = {int(self._model.geom_bodyid[geom]) for geom in touched}
        if goal.predicate == "in":
            carrying = self._bodies(place) | self._things.keys()
            return bool(bodies & carrying) and self._is_in(name, place)
        return bool(bodies & self._bodies(place)) and self._is_over(name, place)

    def _is_over(self, name: str, place: str) -> bool:
        """Whether a place is the first thing under the middle of a thing."""
        hull, body = self._hulls[name], self._scene.objects[name].body
        half = (hull[:, 2].min() + hull[:, 2].max()) / 2
        middle = self._data.xpos[body] + half * self._data.xmat[body].reshape(3, 3)[:, 2]
        return self._hit(middle, _DOWN, name) in self._bodies(place)

    def _is_in(self, name: str, place: str) -> bool:
        """Whether a thing is over the floor of a place, its foot between the walls."""
        corners = self._corners(name)
        lowest = float(corners[:, 2].min())
        foot = corners[corners[:, 2] < lowest + _FOOT].mean(axis=0)
        foot[2] = lowest + _OVER_THE_FOOT
        shown = self._shown(place)
        if not self._meets(foot, _DOWN, shown):
            return False
        turns = np.arange(_AROUND) * 2 * math.pi / _AROUND
        ways = np.stack([np.cos(turns), np.sin(turns), np.zeros(_AROUND)], axis=1)
        walls = sum(self._meets(foot, way, shown) for way in ways)
        least = WALLED_BUT_FOR_A_DOOR if self._has_door(place) else WALLED
        return walls >= least * _AROUND

    def _stands(self, name: str, above: frozenset[str] = frozenset()) -> bool:
        """Whether what others are put on or in rests on something that does, free of the hand.

        What is `above` carries nothing that it is on itself.
        """
        touched, above = self._touched(name), above | {name}
        if touched & self._scene.robot_geoms:
            return False
        below = {self._things.get(int(self._model.geom_bodyid[geom])) for geom in touched}
        return any(it is None or (it not in above and self._stands(it, above)) for it in below)

    def _touched(self, name: str) -> set[int]:
        """The solid geoms that are no further from a thing than what rests on it."""
        model, at, thing = self._model, self._data.geom_xpos, self._scene.objects[name]
        touched: set[int] = set()
        for geom in thing.geoms:
            reach = self._reach + model.geom_rbound[geom] + _TOUCHED
            for k in np.flatnonzero(np.linalg.norm(at[self._solid] - at[geom], axis=1) < reach):
                other = int(self._solid[k])
                if other in touched or model.geom_bodyid[other] == thing.body:
                    continue
                apart = mujoco.mj_geomDistance(model, self._data, geom, other, _TOUCHED, None)
                if apart < _TOUCHED:
                    touched.add(other)
        return touched

    def _corners(self, name: str) -> Floats:
        """``(N, 3)``: the corners of the convex hull of what is seen of a thing."""
        body = self._scene.objects[name].body
        rotation = self._data.xmat[body].reshape(3, 3)
        corners: Floats = self._hulls[name] @ rotation.T + self._data.xpos[body]
        return corners

    def _hit(self, start: Floats, way: Floats, name: str) -> int:
        """The first body that a ray from a thing meets besides the thing itself; -1 for none."""
        own, geom = self._scene.objects[name].body, np.zeros(1, dtype=np.int32)
        far = mujoco.mj_ray(self._model, self._data, start, way, _SEEN, 1, own, geom)
        return int(self._model.geom_bodyid[geom[0]]) if far >= 0.0 else -1

    def _meets(self, start: Floats, way: Floats, shown: list[int]) -> bool:
        """Whether a ray meets one of these geoms, whatever is before it."""
        model, data = self._model, self._data
        for geom in shown:
            if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_MESH:
                far = mujoco.mj_rayMesh(model, data, geom, start, way)
            else:
                at, turned = data.geom_xpos[geom], data.geom_xmat[geom]
                kind = int(model.geom_type[geom])
                far = mujoco.mju_rayGeom(at, turned, model.geom_size[geom], start, way, kind)
            if far >= 0.0:
                return True
        return False

    def _shown(self, place: str) -> list[int]:
        """The geoms by which a place is seen."""
        model, own = self._model, self._bodies(place)
        return [g for g in range(model.ngeom) if model.geom_bodyid[g] in own and _is_seen(model, g)]

    def _bodies(self, place: str) -> set[int]:
        """The bodies that a place is made of: a fixture that is one itself, with all of it."""
        scene = self._scene
        if place in scene.objects:
            return {scene.objects[place].body}
        part = scene.parts[place]
        if part.fixture != place:
            return {part.body}
        return {part.body, *(other.body for other in scene.parts.values() if _same(other, part))}

    def _has_door(self, place: str) -> bool:
        parts = self._scene.parts
        return place in parts and any(
            other.part.kind == "door" and _same(other, parts[place]) for other in parts.values()
        )


def _same(one: ScenePart, other: ScenePart) -> bool:
    return one.fixture == other.fixture


def _is_seen(model: mujoco.MjModel, geom: int) -> bool:
    return bool(model.geom_group[geom] == _SEEN_GROUP)


def _hull(model: mujoco.MjModel, body: int) -> Floats:
    """``(N, 3)``: the corners of the convex hull of a body's meshes, in its frame."""
    first, count = int(model.body_geomadr[body]), int(model.body_geomnum[body])
    points = []
    for geom in range(first, first + count):
        if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_MESH:
            mesh, rotation = int(model.geom_dataid[geom]), np.zeros(9)
            start, size = int(model.mesh_vertadr[mesh]), int(model.mesh_vertnum[mesh])
            mujoco.mju_quat2Mat(rotation, model.geom_quat[geom])
            vertices = model.mesh_vert[start : start + size].astype(np.float64)
            points.append(vertices @ rotation.reshape(3, 3).T + model.geom_pos[geom])
    every = np.concatenate(points)
    corners: Floats = every[ConvexHull(every).vertices]
    return corners
