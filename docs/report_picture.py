"""Makes docs/report.png: pages of a real report, as headless Chromium shows them.

The expert and the expert with a trembling hand meet the suite ``ci``; some of what the second
loses is filmed. Needs Chromium (Debian: ``apt-get install chromium``).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from PIL import Image

import vlabench
from vlabench.comparison import compare
from vlabench.film import film
from vlabench.pages import write_report
from vlabench.store import Run

HERE = Path(__file__).parent
SHOWN = 6
EDGE = 24
GROUND = (222, 223, 220)

sys.path.insert(0, str(HERE.parent / "tests" / "pages"))


def main(place: Path) -> None:
    """Evaluates, films and writes the report in `place`, whatever is there already stays."""
    base = evaluated("expert", place / "expert")
    new = evaluated("noisy:expert", place / "noisy", noise=0.6)
    flips = [flip.episode_id for flip in compare(base, new).flips][:SHOWN]
    for run in (base, new):
        film(run, flips)
    page = write_report([base, new], place / "report")
    take(page.parent, flips[0], HERE / "report.png")


def evaluated(policy: str, folder: Path, **args: float) -> Run:
    """The run in `folder`, run now if it is not there."""
    return vlabench.evaluate(policy, "ci", policy_args=args, out=folder)


def take(site: Path, episode: str, path: Path) -> None:
    """Three pages beside each other, one of them dark."""
    from browser import browser

    shots = []
    with browser() as page, tempfile.TemporaryDirectory() as scratch:
        for number, (name, dark) in enumerate(
            [("index.html", False), (f"episode.html#1/{episode}", False), ("flips-1.html", True)]
        ):
            file, _, fragment = name.partition("#")
            page.open(site / file, f"#{fragment}" if fragment else "", width=900, dark=dark)
            page.until("!document.querySelector('#episode') || !!document.querySelector('h2')")
            page.until("!document.querySelector('.gallery') || !!document.querySelector('.flip')")
            shot = Path(scratch) / f"{number}.png"
            page.picture(shot, whole=False)
            shots.append(Image.open(shot).convert("RGB"))
    width = sum(shot.width for shot in shots) + EDGE * (len(shots) + 1)
    whole = Image.new("RGB", (width, shots[0].height + 2 * EDGE), GROUND)
    for number, shot in enumerate(shots):
        whole.paste(shot, (EDGE + number * (shot.width + EDGE), EDGE))
    whole.resize((whole.width * 2 // 3, whole.height * 2 // 3), Image.Resampling.LANCZOS).save(
        path, optimize=True
    )


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "results/runs/report-picture"))
