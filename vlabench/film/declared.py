"""What a policy declared in a run of any age, as far as a film of it needs that: its cameras.

The declaration in ``run.json`` was written by the vlabench of that time. What it has no field for
had no other value than the default then, so a field that came since is taken as its default. The
reader of `vlabench.contract.wire` asks for every field and stays so: it reads what servers send.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields

from vlabench.contract.specs import CameraSpec, PolicySpec
from vlabench.contract.wire import WireError, from_wire
from vlabench.errors import UsageError
from vlabench.film.style import POLICY, Style
from vlabench.replaying import Recorded
from vlabench.types import Json


def declared_by(
    spec: Mapping[str, Json], policy: str, style: Style, recorded: Recorded
) -> tuple[PolicySpec, str]:
    """Name and cameras of the policy, and one line about what could not be understood.

    Args:
        spec: What it declared, as ``run.json`` has it.
        policy: Its reference.
        style: Through which cameras it is to be filmed.
        recorded: The episode.

    Returns:
        The declaration, without cameras where the style does not ask for them, or where this
        vlabench does not understand them; the line says so then, and is empty else.

    Raises:
        UsageError: If they are not understood, and the style asks for what the policy saw.
    """
    name = str(spec.get("name", policy))
    if style.cameras and POLICY not in style.cameras:
        return PolicySpec(name), ""
    try:
        return PolicySpec(name, cameras=_cameras(spec.get("cameras", []))), ""
    except WireError as error:
        trouble = f"{recorded.run} has cameras that this vlabench cannot read ({error})"
        if style.cameras:
            raise UsageError(
                f"{trouble}; give another --camera than {POLICY}, or use the version that ran it, "
                f"{recorded.version}."
            ) from error
        return PolicySpec(name), f"{trouble}: filmed without what the policy saw"


def _cameras(stored: Json) -> tuple[CameraSpec, ...]:
    """The cameras, with the defaults of what is missing; raises `WireError`."""
    if not isinstance(stored, list | tuple):
        raise WireError("PolicySpec.cameras is no list")
    defaults = {
        field.name: field.default for field in fields(CameraSpec) if field.default is not MISSING
    }
    return tuple(
        from_wire(CameraSpec, {**defaults, **one} if isinstance(one, Mapping) else one)
        for one in stored
    )
