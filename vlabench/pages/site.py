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
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from vlabench.errors import UsageError
from vlabench.figures import Figure, svg
from vlabench.figures.palette import stylesheet
from vlabench.figures.scene import NARROW, WIDE
from vlabench.types import Json

if TYPE_CHECKING:
    import jinja2
    from markupsafe import Markup

POLICY = (
    "default-src 'none'; script-src 'self' file:; style-src 'self' file:; img-src 'self' file:; "
    "media-src 'self' file:; base-uri 'none'; form-action 'none'"
)
"""Of the content of every page. ``file:`` is for browsers in which ``'self'`` is no file."""

MARK = "report.json"
"""By which a folder is known as one of ours."""

MADE = ("assets", "data", "media", "figures")
"""Folders that are made anew every time."""

MOST_ROWS = 400
"""Of the numbers of a figure; the tables of a run have all of them."""


class Site:
    """A folder that is being written.

    Args:
        folder: It is made if it is not there; an older report in it is replaced.

    Raises:
        UsageError: If it holds something else, or cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        _refuse_strangers(folder)
        with _writing(folder):
            for name in MADE:
                shutil.rmtree(folder / name, ignore_errors=True)
            for page in folder.glob("*.html"):
                page.unlink()
            assets = folder / "assets"
            assets.mkdir(parents=True, exist_ok=True)
            for source in files("vlabench.pages").joinpath("static").iterdir():
                (assets / source.name).write_bytes(source.read_bytes())
            (assets / "palette.css").write_text(stylesheet(), encoding="utf-8")
            (folder / MARK).write_text('{"made_by": "vlabench"}\n', encoding="utf-8")

    def page(self, name: str, template: str, /, **values: object) -> Path:
        """Writes one page; every value is escaped where it stands."""
        path = self.folder / name
        text = _environment().get_template(template).render(policy=POLICY, **values)
        with _writing(self.folder):
            path.write_text(text, encoding="utf-8", errors="replace")
        return path

    def data(self, name: str, value: Json) -> None:
        """Writes what the scripts of the pages read under `name`."""
        path = self.folder / "data" / f"{name}.js"
        with _writing(self.folder):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(data_script(name, value), encoding="ascii")

    def link(self, source: Path, name: str) -> bool:
        """Puts a file of a run into the folder, without a copy where the disk allows it."""
        target = self.folder / name
        if not source.is_file() or source.is_symlink():
            return False
        with _writing(self.folder):
            target.parent.mkdir(parents=True, exist_ok=True)
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


def _refuse_strangers(folder: Path) -> None:
    if folder.is_file() or (
        folder.is_dir() and not (folder / MARK).exists() and _first(folder.iterdir())
    ):
        raise UsageError(
            f"{folder} holds other things and no report; give an empty or a new folder as --out."
        )


def _first(paths: Iterable[Path]) -> Path | None:
    return next(iter(paths), None)


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
