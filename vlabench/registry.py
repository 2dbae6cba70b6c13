"""Names to objects: built-in tables, and entry points of other packages.

A table is a plain dictionary of ``name -> "module:attribute"`` in the package that owns the
things, so listing names imports nothing heavy, and a new thing costs one line. Other packages
add theirs through an entry point group of the same meaning.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from vlabench.errors import UnknownNameError, UsageError, VlabenchError, in_one_line


@dataclass(frozen=True)
class Registry:
    """All things of one kind.

    Attributes:
        kind: What one of them is called in an error, for example ``"policy"``.
        table: ``"module:ATTRIBUTE"`` of the built-in dictionary.
        group: Entry point group in which other packages add theirs.
    """

    kind: str
    table: str
    group: str

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted({*self._builtin(), *_plugins(self.group)})

    def load(self, name: str, where: str = "") -> Any:
        """The object called `name`, imported now.

        Raises:
            UnknownNameError: If there is none; the text has the nearest name.
            UsageError: If its module cannot be imported.
        """
        builtin = self._builtin()
        if name in builtin:
            return load_attribute(builtin[name], self.kind)
        if name in _plugins(self.group):
            return load_attribute(_plugins(self.group)[name].value, self.kind)
        raise UnknownNameError(self.kind, name, self.names(), where)

    def _builtin(self) -> Mapping[str, str]:
        table: Mapping[str, str] = load_attribute(self.table, f"table of the {self.kind} registry")
        return table


@cache
def _plugins(group: str) -> Mapping[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=group)}


def load_attribute(reference: str, kind: str = "object") -> Any:
    """The attribute that ``"module:attribute"`` names.

    Raises:
        UsageError: If the text has another form, the module or attribute does not exist, or the
            module fails while it is imported.
    """
    module_name, _, attribute = reference.partition(":")
    if not module_name or not attribute:
        raise UsageError(f"{reference!r} names no {kind}; write it as 'module:attribute'.")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise UsageError(
            f"Cannot import {module_name!r} for the {kind} {reference!r} ({error}); "
            "install it, or run from the folder that holds it."
        ) from error
    except VlabenchError:
        raise
    except (Exception, SystemExit) as error:  # a module is foreign code and may raise anything
        raise UsageError(
            f"The module {module_name!r}, which the {kind} {reference!r} names, fails while it is "
            f"imported ({in_one_line(error)}); mend the module."
        ) from error
    try:
        return getattr(module, attribute)
    except AttributeError:
        raise UsageError(
            f"Module {module_name!r} has no {attribute!r}, which the {kind} {reference!r} names."
        ) from None


def load_own(reference: str, kind: str = "object") -> Any:
    """As `load_attribute`, for a user's own module: the working folder is searched too."""
    search_in(str(Path.cwd()))
    return load_attribute(reference, kind)


def search_in(folder: str) -> None:
    """Puts `folder` on the import path of this process, unless it is there."""
    if folder not in sys.path:
        sys.path.insert(0, folder)


POLICIES = Registry("policy", "vlabench.policies:POLICIES", "vlabench.policies")
PLANNERS = Registry("planner", "vlabench.policies:PLANNERS", "vlabench.planners")
WRAPPERS = Registry("wrapper", "vlabench.policies:WRAPPERS", "vlabench.wrappers")
TASKS = Registry("task", "vlabench.envs.tasks:TASKS", "vlabench.tasks")
AXES = Registry("axis", "vlabench.envs.axes:AXES", "vlabench.axes")
OBJECTS = Registry("object category", "vlabench.envs.objects:OBJECTS", "vlabench.objects")
WORLDS = Registry("world", "vlabench.envs:WORLDS", "vlabench.worlds")
FIXTURES = Registry("fixture", "vlabench.envs.fixtures:FIXTURES", "vlabench.fixtures")
