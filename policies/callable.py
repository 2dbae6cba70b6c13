"""Any Python function or class as a policy: ``--policy callable --policy-arg target=module:name``.

The target is a function from an `Observation` to an action, or a `Policy` or what makes one::

    def follow_the_light(observation: Observation) -> np.ndarray:   # (7,) or (T, 7)
        ...
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from vlabench.contract.policy import Policy
from vlabench.contract.specs import PROPRIO_FIELDS, PolicySpec
from vlabench.errors import PolicyError, UnknownNameError, UsageError
from vlabench.policies.arguments import boolean, count, names, square_cameras, text
from vlabench.registry import load_own
from vlabench.types import ActionChunk, EpisodeStart, Json, Observation

Step: TypeAlias = Callable[[Observation], npt.NDArray[np.floating[Any]]]
"""From what is seen to one action ``(7,)`` or to several ``(T, 7)``."""

_HOW = "give --policy-arg target=module:function"


class CallablePolicy:
    """A policy that lives in the user's own module.

    Args:
        target: ``module:attribute``: a `Step`, which has one required argument that no option
            gives, a `Policy`, or a class or function that makes a policy. The working folder is
            searched too.
        options: For a `Step`, the arguments of `FunctionPolicy` (``cameras``, ``image_size``,
            ``proprio``, ``chunk_length``, ``executed``, ``privileged``, ``deterministic``,
            ``name``, ``revision``); else those of what makes the policy.

    Raises:
        UsageError: If the target is missing, cannot be loaded or is none of these, or an option
            is unknown or has a wrong value.
    """

    def __init__(self, target: str = "", **options: Json) -> None:
        target = text(target)
        if not target:
            raise UsageError(f"Policy 'callable' has no target; {_HOW}.")
        self._policy = _policy_of(target, load_own(target, "policy target"), options)

    def spec(self) -> PolicySpec:
        """What the target declares."""
        return self._policy.spec()

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        """Begins a session for each start."""
        self._policy.reset(starts)

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        """Asks the target."""
        return self._policy.act(observations)

    def end(self, episode_ids: Sequence[str]) -> None:
        """Ends these sessions."""
        self._policy.end(episode_ids)

    def close(self) -> None:
        """Frees what the target holds."""
        self._policy.close()


class FunctionPolicy:
    """A function from one observation to an action, asked for one session at a time.

    All seven numbers mean what the environment's do: see `ActionSpec`.

    Args:
        step: The function; its answer may depend on nothing but the observation.
        name: What it is called in tables; the target unless told.
        cameras: Camera roles, as text between commas, for example ``exterior/0,wrist/0``.
        image_size: Height and width of every image in pixels.
        proprio: Fields of proprioception, likewise; all that there are unless told.
        privileged: Whether it reads the simulator's state.
        deterministic: Whether equal observations give equal answers.
        chunk_length: Rows of its answer.
        executed: How many of them are executed; all unless told.
        revision: See `PolicySpec`, for example of the weights that the function reads.

    Raises:
        UsageError: If a value cannot be understood.
    """

    def __init__(
        self,
        step: Step,
        *,
        name: str = "callable",
        cameras: str | Sequence[str] = (),
        image_size: str | int = 256,
        proprio: str | Sequence[str] = tuple(PROPRIO_FIELDS),
        privileged: str | bool = False,
        deterministic: str | bool = True,
        chunk_length: str | int = 1,
        executed: str | int | None = None,
        revision: str = "",
    ) -> None:
        name = text(name)
        length = count(name, "chunk_length", chunk_length)
        size = count(name, "image_size", image_size)
        self._step = step
        self._spec = PolicySpec(
            name=name,
            cameras=square_cameras(names(name, "cameras", cameras), size),
            proprio=names(name, "proprio", proprio),
            privileged=boolean(name, "privileged", privileged),
            deterministic=boolean(name, "deterministic", deterministic),
            chunk_length=length,
            executed=length if executed is None else count(name, "executed", executed),
            revision=text(revision),
        )

    def spec(self) -> PolicySpec:
        """What was said when it was made."""
        return self._spec

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        """A function remembers nothing."""

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        """Calls the function once for each observation.

        Raises:
            PolicyError: If it answers something that is no array.
        """
        return [ActionChunk(self._call(seen)) for seen in observations]

    def end(self, episode_ids: Sequence[str]) -> None:
        """A function has nothing to forget."""

    def close(self) -> None:
        """A function holds nothing."""

    def _call(self, seen: Observation) -> npt.NDArray[np.floating[Any]]:
        answer: object = self._step(seen)
        if not isinstance(answer, np.ndarray):
            raise PolicyError(
                f"Policy {self._spec.name!r} answered a {type(answer).__name__}; its function "
                "must return a float array of shape (7,) or (T, 7)."
            )
        return answer[np.newaxis] if answer.ndim == 1 else answer


def _policy_of(target: str, found: object, options: dict[str, Json]) -> Policy:
    """The policy that `found` is, or makes."""
    if isinstance(found, Policy) and not isinstance(found, type):
        if options:
            raise UsageError(
                f"Policy target {target!r} is made already, so it takes no {', '.join(options)}; "
                "name the class that makes it instead."
            )
        return found
    if not callable(found):
        raise UsageError(
            f"Policy target {target!r} is a {type(found).__name__}; "
            "name a function of one observation, or a policy class."
        )
    parameters = _parameters(target, found)
    required = [p.name for p in parameters if p.default is p.empty and p.kind in _POSITIONAL]
    if len(required) == 1 and required[0] not in options and not isinstance(found, type):
        _check_options(target, options, inspect.signature(FunctionPolicy).parameters.values())
        return FunctionPolicy(found, **{"name": target, **options})
    _check_options(target, options, parameters)
    missing = [name for name in required if name not in options]
    if missing:
        raise UsageError(
            f"Policy target {target!r} needs {', '.join(missing)}; give "
            f"{' '.join(f'--policy-arg {name}=...' for name in missing)}, or name a function of "
            "one observation."
        )
    made: object = found(**options)
    if not isinstance(made, Policy):
        raise UsageError(
            f"Policy target {target!r} makes a {type(made).__name__}, which is no policy; "
            "see vlabench.contract.policy.Policy for its methods."
        )
    return made


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _parameters(target: str, found: Callable[..., object]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(found).parameters.values())
    except ValueError as error:
        raise UsageError(
            f"Policy target {target!r} does not say what it takes ({error}); "
            "wrap it in a Python function of one observation."
        ) from error


def _check_options(
    target: str, options: dict[str, Json], parameters: Iterable[inspect.Parameter]
) -> None:
    """Raises `UnknownNameError` for an option that nobody would read."""
    parameters = list(parameters)
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    known = [p.name for p in parameters if p.kind is not p.POSITIONAL_ONLY and p.name != "step"]
    for name in options:
        if name not in known:
            raise UnknownNameError("policy argument", name, known, f"policy target {target!r}")
