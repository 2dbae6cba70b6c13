"""A folder of pages: templates, what they look like, and data that is nothing but data.

Whatever comes from a run, a policy, a suite or a path was written by others. In templates it is
escaped by jinja2; in scripts it is JSON inside a string, in ASCII, so that neither ``</script>``
nor a line separator means anything; the scripts put it into the page as text alone. The content
security policy forbids every connection and every script that is not a file of the folder.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from vlabench.errors import UsageError
from vlabench.figures import Figure, svg
from vlabench.figures.palette import stylesheet
from vlabench.figures.scene import NARROW, WIDE
from vlabench.folders import check_inside
from vlabench.types import Json

if TYPE_CHECKING:
    import jinja2
    from markupsafe import Markup

POLICY = (
    "default-src 'none'; script-src 'self' file:; style-src 'self' file:; img-src 'self' file:; "
    "media-src 'self' file:; base-uri 'none'; form-action 'none'"
)
"""Of the content of every page. ``file:`` is for browsers in which ``'self'`` is no file."""

MARK = ".vlabench-pages.jsonl"
"""By which a folder is known as one of ours: what kind it is, then a line for every file in it.

What stands in no line was put there by others, and stays.
"""

Kind: TypeAlias = Literal["report", "leaderboard"]

MOST_ROWS = 400
"""Of the numbers of a figure; the tables of a run have all of them."""


class Site:
    """A folder that is being written.

    Args:
        folder: It is made if it is not there; what an older one of the same kind left is replaced.
        kind: What the pages are.

    Raises:
        UsageError: If it holds something else, or cannot be written.
    """

    def __init__(self, folder: Path, kind: Kind = "report") -> None:
        self.folder = folder
        check_folder(folder, kind)
        with _writing(folder):
            for name in _filed(folder):
                (folder / name).unlink(missing_ok=True)
            folder.mkdir(parents=True, exist_ok=True)
            check_inside(folder, folder / MARK)
            (folder / MARK).write_text(json.dumps({"vlabench": kind}) + "\n", encoding="utf-8")
            for source in files("vlabench.pages").joinpath("static").iterdir():
                self.place(f"assets/{source.name}").write_bytes(source.read_bytes())
            self.place("assets/palette.css").write_text(stylesheet(), encoding="utf-8")

    def place(self, name: str) -> Path:
        """Where a file goes that is about to be written; its folder is there then."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        check_inside(self.folder, path)
        self.note(path)
        return path

    def note(self, path: Path) -> None:
        """Remembers a file below the folder as one of the report's own."""
        with (self.folder / MARK).open("a", encoding="utf-8") as mark:
            mark.write(json.dumps(path.relative_to(self.folder).as_posix()) + "\n")

    def page(self, name: str, template: str, /, **values: object) -> Path:
        """Writes one page; every value is escaped where it stands."""
        text = _environment().get_template(template).render(policy=POLICY, **values)
        with _writing(self.folder):
            path = self.place(name)
            path.write_text(text, encoding="utf-8", errors="replace")
        return path

    def data(self, name: str, value: Json) -> None:
        """Writes what the scripts of the pages read under `name`."""
        with _writing(self.folder):
            self.place(f"data/{name}.js").write_text(data_script(name, value), encoding="ascii")

    def link(self, source: Path, name: str) -> bool:
        """Puts a file of a run into the folder, without a copy where the disk allows it."""
        if not source.is_file() or source.is_symlink():
            return False
        with _writing(self.folder):
            target = self.place(name)
            target.unlink(missing_ok=True)
            try:
                target.hardlink_to(source)
            except OSError:
                shutil.copyfile(source, target)
        return True


def data_script(name: str, value: Json) -> str:
    """A script that hands `value` over, in ASCII; NaN and infinity become null."""
    text = json.dumps(_finite(value), ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    inside = json.dumps(text, ensure_ascii=True).replace("<", "\\u003c").replace(">", "\\u003e")
    return f"vlabench.put({json.dumps(name)}, JSON.parse({inside}));\n"


def _finite(value: Json) -> Json:
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, dict):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return value


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("vlabench.pages"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals["drawn"] = _drawn
    environment.globals["most_rows"] = MOST_ROWS
    return environment


def _drawn(figure: Figure) -> Markup:
    """The picture for a desk and that for a telephone; the page shows one of them."""
    from markupsafe import Markup

    wide = svg(figure.draw(WIDE), figure.alt, "" if figure.fixed else "wide")
    if figure.fixed:
        return Markup(wide)  # noqa: S704 - svg() escapes all text
    return Markup(wide + svg(figure.draw(NARROW), figure.alt, "narrow"))  # noqa: S704


def check_folder(folder: Path, kind: Kind) -> None:
    """Refuses a folder that pages of this kind may not be written into.

    Raises:
        UsageError: If it is a file or a link, holds other things, or pages of the other kind.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UsageError(f"{folder} is no folder of its own; give a new folder as --out.")
    if not folder.exists() or next(folder.iterdir(), None) is None:
        return
    found = _lines(folder)
    if not found or not isinstance(found[0], dict) or "vlabench" not in found[0]:
        raise UsageError(
            f"{folder} holds other things and no {kind}; give an empty or a new folder as --out."
        )
    if found[0]["vlabench"] != kind:
        raise UsageError(
            f"{folder} holds a {found[0]['vlabench']} and no {kind}; give another folder as --out."
        )


def _filed(folder: Path) -> list[str]:
    """The files that an older report left, each below `folder` and nowhere else."""
    names = [name for name in _lines(folder)[1:] if isinstance(name, str)]
    inside = folder.resolve()
    return [name for name in names if (folder / name).parent.resolve().is_relative_to(inside)]


def _lines(folder: Path) -> list[Json]:
    """What the mark says; nothing where there is none, or it is none."""
    try:
        text = (folder / MARK).read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]
    except (OSError, ValueError, RecursionError):
        return []


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turns what the file system refuses into one sentence."""
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"Cannot write to {folder} ({error.strerror or error}); free some space, or give "
            "another --out."
        ) from error
