"""Whether this machine renders without a screen, tried by what a run would use."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from vlabench.cli.findings import Finding

BACKENDS: Mapping[str, str] = {
    "egl": "apt-get install libegl1 libgl1-mesa-dri",
    "osmesa": "apt-get install libosmesa6",
}
"""MuJoCo's ways to render without a screen, the better one first, and what each needs on Debian."""

PROBE = """
import mujoco
model = mujoco.MjModel.from_xml_string('''
<mujoco>
  <visual><headlight ambient="1 1 1" diffuse="0 0 0" specular="0 0 0"/></visual>
  <worldbody>
    <camera name="above" pos="0 0 1"/>
    <geom type="plane" size="9 9 1" rgba="0.2 0.6 0.4 1"/>
  </worldbody>
</mujoco>''')
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
with mujoco.Renderer(model, 32, 32) as renderer:
    renderer.update_scene(data, "above")
    pixel = renderer.render()[16, 16]
    from OpenGL import GL
    name = GL.glGetString(GL.GL_RENDERER).decode()
assert abs(pixel.astype(int) - (51, 153, 102)).max() <= 3, f"a wrong colour came back: {pixel}"
print(name)
"""
"""Renders a green plane and prints the renderer's name; fails if another colour comes back."""

PROBE_LIMIT_S = 120


@dataclass(frozen=True, slots=True)
class Probe:
    """Whether a backend rendered; `text` is the renderer's name, or the last line of the error."""

    works: bool
    text: str


def check_rendering(probe: Callable[[str], Probe], chosen: str, found: bool) -> Finding:
    """Whether a run would render here; a policy that does not look can do without.

    Args:
        probe: Tries a backend.
        chosen: What MUJOCO_GL says; then a run uses nothing else.
        found: Whether there is an EGL library; if so a run uses it, and OSMesa otherwise.
    """
    if chosen:
        return _check_chosen(probe, chosen)
    usual, other = ("egl", "osmesa") if found else ("osmesa", "egl")
    result = probe(usual)
    if result.works and found:
        return Finding("ok", f"renders by EGL on {result.text}")
    if result.works:
        what = f"renders by OSMESA on {result.text}, because there is no EGL"
        return Finding("warn", what, BACKENDS["egl"])
    second = probe(other)
    if second.works:
        what = f"cannot render: {_broken(usual, result)}; {other.upper()} does, on {second.text}"
        return Finding("fail", what, f"export MUJOCO_GL={other}, or {BACKENDS[usual]}")
    reasons = f"{_broken(usual, result)}; {_broken(other, second)}"
    return Finding("fail", f"cannot render: {reasons}", ", or ".join(BACKENDS.values()))


def _check_chosen(probe: Callable[[str], Probe], chosen: str) -> Finding:
    if chosen not in (*BACKENDS, "glfw"):
        mend = f"unset MUJOCO_GL, or set it to one of {', '.join(BACKENDS)}, glfw"
        return Finding("fail", f"cannot render: MUJOCO_GL is {chosen!r}", mend)
    result = probe(chosen)
    if result.works:
        return Finding("ok", f"renders by {chosen.upper()}, as MUJOCO_GL says, on {result.text}")
    mend = f"unset MUJOCO_GL, or {BACKENDS[chosen]}" if chosen in BACKENDS else "unset MUJOCO_GL"
    return Finding(
        "fail", f"cannot render: {_broken(chosen, result)}, and MUJOCO_GL names it", mend
    )


def _broken(backend: str, result: Probe) -> str:
    return f"{backend.upper()} does not work ({result.text})"


def probe(backend: str) -> Probe:
    """Renders a scene of one known colour in a process of its own.

    A broken driver can kill the process that loads it, and a backend cannot be changed later.
    """
    library = {"PYOPENGL_PLATFORM": backend} if backend in BACKENDS else {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                (sys.executable, "-c", PROBE),
                env={**os.environ, "MUJOCO_GL": backend, **library},
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=PROBE_LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Probe(False, f"no answer within {PROBE_LIMIT_S} s")
    if done.returncode == 0:
        return Probe(True, done.stdout.strip())
    lines = done.stderr.strip().splitlines()
    return Probe(False, lines[-1] if lines else f"the process ended with {done.returncode}")
