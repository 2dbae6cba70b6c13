"""Strict YAML: an error names the file, the line, the key and the nearest valid key.

YAML files hold values, never expressions, and a key that nobody reads is a mistake that nobody
sees. So a file is read against a pydantic model that forbids unknown keys, and whatever is wrong
is told in one sentence with the line it stands on.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from yaml.constructor import ConstructorError, SafeConstructor

from vlabench.errors import UsageError
from vlabench.types import Json

Model = TypeVar("Model", bound=BaseModel)
KeyPath: TypeAlias = tuple[str | int, ...]
"""Where a value stands, for example ``("cells", 0, "axis")``."""

LARGEST = 2**20
"""Bytes of a file; the largest that comes with vlabench has 50 thousand."""

MOST_VALUES = 100_000
"""Keys and items of a file, at most, those that an alias repeats counted each time."""

LONGEST_NUMBER = 500
"""Characters of a value that is no text."""


def load_model(path: Path, model: type[Model]) -> Model:
    """The `model` that the YAML file at `path` describes.

    Raises:
        UsageError: As `load_with_lines`.
    """
    return load_with_lines(path, model)[0]


def load_with_lines(path: Path, model: type[Model]) -> tuple[Model, Mapping[KeyPath, int]]:
    """The `model` that the YAML file at `path` describes, and the line of every key and item.

    Raises:
        UsageError: If the file cannot be read, is no YAML, repeats a key, or does not fit the
            model; the text names the file and the line.
    """
    value, lines = _read(path)
    try:
        return model.model_validate(value), lines
    except ValidationError as error:
        # A misspelt key is missing under its right name too: the misspelling is what to tell.
        first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
        raise UsageError(_sentence(path, lines, model, first)) from None


def line_of(lines: Mapping[KeyPath, int], where: KeyPath) -> int:
    """The line of the key or item at `where`, or of the nearest one above it."""
    while where not in lines:
        where = where[:-1]
    return lines[where]


def load_yaml(path: Path) -> Json:
    """The plain value of the YAML file at `path`.

    Raises:
        UsageError: If the file cannot be read, is no YAML, or repeats a key.
    """
    return _read(path)[0]


def _read(path: Path) -> tuple[Json, dict[KeyPath, int]]:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"Cannot read {path}: {error}; give the path of a YAML file.") from error
    if len(data) > LARGEST:
        raise UsageError(f"{path} is larger than {LARGEST} bytes, which no such file need be.")
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is None:
            return None, {(): 1}
        lines = dict(_bounded(path, _lines(path, node, (), 1)))
        return _Constructor().construct_document(node), lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise UsageError(f"{path}:{line}: this is no YAML ({error.problem}); mend it.") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: this is no YAML ({error}); mend it.") from error
    except RecursionError:
        raise UsageError(f"{path}:1: this is nested too deeply; make it flatter.") from None


class _Constructor(SafeConstructor):
    """Points at a value that looks like a date or a number and is none."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Json:
        try:
            value: Json = super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError, ArithmeticError) as error:
            problem = f"{node.value!r} cannot be read as {node.tag.rpartition(':')[2]}: {error}"
            mark = node.start_mark
            raise ConstructorError(problem=problem, problem_mark=mark) from error
        return value


def _lines(
    path: Path, node: yaml.Node, where: KeyPath, line: int, above: tuple[yaml.Node, ...] = ()
) -> Iterator[tuple[KeyPath, int]]:
    """The line of every key and item, so that an error can point at it."""
    if any(node is other for other in above):
        raise UsageError(f"{path}:{line}: this alias stands inside itself; write its value out.")
    above = (*above, node)
    yield where, line
    number = isinstance(node, yaml.ScalarNode) and not node.tag.endswith(":str")
    if number and len(node.value) > LONGEST_NUMBER:
        raise UsageError(f"{path}:{line}: this is no text and too long; put it into quotes.")
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _lines(path, item, (*where, index), item.start_mark.line + 1, above)
    elif isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, item in node.value:
            name, key_line = str(key.value), key.start_mark.line + 1
            if name in seen:
                raise UsageError(
                    f"{path}:{key_line}: the key {name!r} stands on line {seen[name]} already; "
                    "keep one of them."
                )
            seen[name] = key_line
            yield from _lines(path, item, (*where, name), key_line, above)


def _bounded(path: Path, lines: Iterator[tuple[KeyPath, int]]) -> Iterator[tuple[KeyPath, int]]:
    """`lines`, as long as they are not too many: a few aliases of aliases make billions."""
    for count, (where, line) in enumerate(lines, start=1):
        if count > MOST_VALUES:
            raise UsageError(
                f"{path}:{line}: with its aliases written out this has more than {MOST_VALUES} "
                "values; take aliases away."
            )
        yield where, line


def _sentence(
    path: Path, lines: dict[KeyPath, int], model: type[BaseModel], error: ErrorDetails
) -> str:
    where = error["loc"]
    place = f"{path}:{line_of(lines, where)}"
    key = where[-1] if where else "the file"
    if error["type"] == "extra_forbidden":
        valid = _keys_at(model, where[:-1])
        nearest = difflib.get_close_matches(str(key), valid, n=1, cutoff=0.4)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"there are: {', '.join(valid)}."
        return f"{place}: unknown key {key!r}; {hint}"
    if error["type"] == "missing":
        return f"{place}: the key {key!r} is missing; add it."
    if error["type"] == "value_error":
        return f"{place}: {error['ctx']['error']}"
    name = ".".join(str(part) for part in where) or "the file"
    message = error["msg"][0].lower() + error["msg"][1:]
    return f"{place}: {name} is {error['input']!r}, but {message}."


def _keys_at(model: type[BaseModel], where: KeyPath) -> list[str]:
    """The keys of the model that stands at `where` inside `model`."""
    annotation: Any = model
    for part in where:
        if isinstance(part, str):
            annotation = next(_models(annotation)).model_fields[part].annotation
    return sorted(next(_models(annotation)).model_fields)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models inside an annotation such as ``tuple[Cell, ...] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
