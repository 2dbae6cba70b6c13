"""What a policy takes up in the process that it lives in: memory of graphics cards, parameters.

Nothing is imported for it: a process without torch has no torch modules. A policy that computes by
other means (JAX, a server) says so itself with its answer (`vlabench.types.ActionChunk.compute`),
and its parameters in its declaration.
"""

from __future__ import annotations

import sys
import types
from collections import deque
from collections.abc import Iterator, Mapping
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
    found = False
    for thing in _held_by(policy, torch.nn.Module):
        found = True
        sizes.update({id(parameter): parameter.numel() for parameter in thing.parameters()})
    return sum(sizes.values()) if found else None


def _gpu_memory(torch: Any) -> int | None:
    if not (torch.cuda.is_available() and torch.cuda.is_initialized()):
        return None
    cards = range(torch.cuda.device_count())
    return sum(torch.cuda.max_memory_allocated(card) for card in cards) or None


def _held_by(policy: object, kind: type) -> Iterator[Any]:
    """All objects of `kind` that `policy` is or holds, nearest first, each once."""
    seen, queue = {id(policy)}, deque([policy])
    looked_at = 0
    while queue and looked_at < MOST_LOOKED_AT:
        thing = queue.popleft()
        looked_at += 1
        if isinstance(thing, kind):
            yield thing
            continue
        for part in _parts(thing):
            if id(part) not in seen and not isinstance(part, _FINAL):
                seen.add(id(part))
                queue.append(part)


def _parts(thing: object) -> Iterator[object]:
    if isinstance(thing, Mapping):
        yield from thing.values()
    elif isinstance(thing, list | tuple | set | frozenset):
        yield from thing
    elif isinstance(thing, types.FunctionType):
        yield from _used_by(thing)
    elif isinstance(thing, types.MethodType):
        yield thing.__self__
    else:
        yield from getattr(thing, "__dict__", {}).values()
        for kind in type(thing).__mro__:
            for name in getattr(kind, "__slots__", ()):
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
