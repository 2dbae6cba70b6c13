"""What a policy takes up in the process that it lives in: memory of graphics cards, parameters.

Nothing is imported for it: a process without torch has no torch modules. A policy that computes by
other means (JAX, a server) says so itself with its answer (`vlabench.types.ActionChunk.compute`),
and its parameters in its declaration.
"""

from __future__ import annotations

import sys
import types
from collections import deque
from collections.abc import Iterator
from typing import Any

from vlabench.errors import PolicyError
from vlabench.types import Compute

MOST_LOOKED_AT = 5_000
"""Objects that are looked through for models, at most."""

_FINAL = (str, bytes, int, float, complex, bool, type, types.ModuleType, type(None))


def compute_of(policy: object, *, count: bool = True) -> Compute | None:
    """What `policy` takes up here; None where nothing is known.

    Graphics memory is what torch has had allocated at its peak, summed over the cards, of all that
    the process does. Parameters are those of the torch modules that the policy holds, each once.

    Args:
        policy: The policy.
        count: Whether to look for its parameters, which takes a while.
    """
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "nn"):
        return None
    found = Compute(_gpu_memory(torch), count_parameters(policy) if count else None)
    return None if found == Compute() else found


def check_compute(compute: object) -> Compute | None:
    """What a policy says that it takes up, once it is known to be that.

    Raises:
        PolicyError: If it is not.
    """
    if compute is None:
        return None
    if not isinstance(compute, Compute):
        raise PolicyError(
            f"The policy says that it takes up a {type(compute).__name__}; say a "
            "vlabench.types.Compute."
        )
    for name in ("gpu_memory_bytes", "params"):
        value = getattr(compute, name)
        if value is not None and (type(value) is not int or value < 0):
            raise PolicyError(
                f"The policy says that its {name} is {value!r}; say a whole number, or None."
            )
    # nothing allocated is nothing known: the policy computes somewhere else
    return Compute(compute.gpu_memory_bytes or None, compute.params)


def count_parameters(policy: object) -> int | None:
    """The parameters of all torch modules that `policy` holds, directly or not; None without any.

    A parameter that several modules share counts once. Packed weights (4 bits) count as they are
    stored, so a quantized policy should declare its number.
    """
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "nn"):
        return None
    sizes: dict[int, int] = {}
    modules = list(_held_by(policy, torch.nn.Module))
    try:
        for module in modules:
            sizes.update({id(parameter): parameter.numel() for parameter in module.parameters()})
    except Exception:  # noqa: BLE001  (a model may refuse to be counted: it is not known then)
        return None
    return sum(sizes.values()) if modules else None


def _gpu_memory(torch: Any) -> int | None:
    if not (torch.cuda.is_available() and torch.cuda.is_initialized()):
        return None
    cards = range(torch.cuda.device_count())
    return sum(torch.cuda.max_memory_allocated(card) for card in cards) or None


def _held_by(policy: object, kind: type) -> Iterator[Any]:
    """All objects of `kind` that `policy` is or holds, nearest first, each once.

    What they are is asked of their types: the objects are anybody's, and may raise.
    """
    seen, queue = {id(policy)}, deque([policy])
    looked_at = 0
    while queue and looked_at < MOST_LOOKED_AT:
        thing = queue.popleft()
        looked_at += 1
        if issubclass(type(thing), kind):
            yield thing
            continue
        try:
            parts = [part for part in _parts(thing) if not issubclass(type(part), _FINAL)]
        except Exception:  # noqa: BLE001, S112  (foreign objects may raise whatever they are asked)
            continue
        for part in parts:
            if id(part) not in seen:
                seen.add(id(part))
                queue.append(part)


def _parts(thing: Any) -> Iterator[object]:
    kind = type(thing)
    if issubclass(kind, dict):
        yield from thing.values()
    elif issubclass(kind, list | tuple | set | frozenset):
        yield from thing
    elif issubclass(kind, types.FunctionType):
        yield from _used_by(thing)
    elif issubclass(kind, types.MethodType):
        yield thing.__self__
    else:
        yield from getattr(thing, "__dict__", {}).values()
        for base in kind.__mro__:
            for name in getattr(base, "__slots__", ()):
                yield getattr(thing, name, None)


def _used_by(function: types.FunctionType) -> Iterator[object]:
    """What a function finds in its closure, and under the global names that it uses."""
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not filled yet
            continue
    for name in function.__code__.co_names:
        yield function.__globals__.get(name)
