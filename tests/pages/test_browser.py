"""Pages in a real browser, opened from disk: they work, keep to themselves, and can be read."""

from __future__ import annotations

import csv
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import ABSENT, Page, browser, chromium
from page_runs import films, hostile_run, large_run, plain_run
from report_fakes import episodes, make_run

from vlabench.leaderboard import update_leaderboard
from vlabench.pages import write_board, write_report
from vlabench.store import Run

if chromium() is None:
    if os.environ.get("CI"):
        pytest.fail(ABSENT, pytrace=False)
    pytest.skip(ABSENT, allow_module_level=True)

OPEN_S = 2.0
FOUND = "document.querySelectorAll('.episodes tbody tr').length"
COUNT = "document.querySelector('.count').textContent"
LOADED = "!!document.querySelector('#episode h2, #episode .error')"
TASKS = "[...document.querySelectorAll('.episodes tbody tr')].map(r => r.cells[1].textContent)"


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of two runs with films, one of hostile runs, one of a large run, a leaderboard."""
    folder = tmp_path_factory.mktemp("sites")
    base = plain_run(folder / "base", skill=95)
    new = plain_run(folder / "new", skill=70)
    films(base, 40)
    films(new, 40)
    write_report([base, new], folder / "two")
    hostile = [hostile_run(folder / "h'1<b>"), hostile_run(folder / "h2", "other")]
    write_report(hostile, folder / "hostile")
    write_report([large_run(folder / "large")], folder / "many")
    board = update_leaderboard([base, new, *hostile], folder / "board.csv")
    write_board(board, folder / "board", [base])
    return folder


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with browser() as page:
        yield page


@pytest.fixture
def page(tab: Page) -> Iterator[Page]:
    """A tab whose faults and requests are those of one test."""
    tab.faults.clear()
    tab.asked.clear()
    yield tab
    tab.run("1")
    assert tab.faults == []
    assert tab.elsewhere == []


def first_filmed(sites: Path, name: str = "two") -> str:
    return sorted((sites / name / "media" / "1").glob("*.mp4"))[0].stem


def every_page(sites: Path) -> list[tuple[Path, str]]:
    two, hostile = sites / "two", sites / "hostile"
    return [
        (two / "index.html", ""),
        (two / "run-1.html", ""),
        (two / "flips-1.html", ""),
        (two / "episode.html", f"#1/{first_filmed(sites)}"),
        (two / "episode.html", "#1/nothing"),
        (hostile / "index.html", ""),
        (hostile / "run-0.html", ""),
        (hostile / "flips-1.html", ""),
        (hostile / "episode.html", f"#1/{first_filmed(sites, 'hostile')}"),
        (sites / "board" / "index.html", ""),
        (sites / "board" / "runs" / "base" / "index.html", ""),
    ]


def settled(page: Page) -> None:
    """Waits for what scripts build."""
    page.until(
        "(!document.getElementById('episode') || " + LOADED + ") && "
        "(!document.querySelector('section[data-run]') || " + COUNT + " !== '') && "
        "(!document.querySelector('.gallery') || document.querySelector('.flip') !== null)"
    )


@pytest.mark.parametrize(("width", "dark"), [(1200, False), (360, True)], ids=["desk", "phone"])
def test_every_page_fits_and_can_be_read_and_keeps_to_itself(
    page: Page, sites: Path, width: int, dark: bool
):
    for path, fragment in every_page(sites):
        page.open(path, fragment, width=width, dark=dark)
        settled(page)
        where = f"{path.parent.name}/{path.name}{fragment}"
        assert page.run("document.documentElement.scrollWidth") <= width, where
        assert page.run(LOW_CONTRAST) == [], where
        assert page.run(UNNAMED) == [], where
        assert page.run("window.hacked === undefined && ({}).polluted === undefined"), where
        assert (
            page.run("document.querySelectorAll('main iframe, main b, main img[src=x]').length")
            == 0
        )
    assert page.faults == []
    assert page.elsewhere == []
    assert page.asked


COLUMN = """
(() => {
  const head = document.querySelector('th[data-key=time_s]');
  const rows = [...document.querySelectorAll('.episodes tbody tr')];
  return rows.map((row) => row.cells[head.cellIndex].textContent);
})()
"""
BOARD = """
[...document.querySelectorAll('.board tbody tr')].filter((row) => row.checkVisibility())
  .map((row) => row.querySelector('.name').textContent)
"""
HERE = Path(__file__).parent
LOW_CONTRAST = (HERE / "low_contrast.js").read_text()
UNNAMED = (HERE / "unnamed.js").read_text()


def test_a_table_is_sorted_by_a_click_and_back(page: Page, sites: Path):
    page.open(sites / "two" / "run-1.html")
    page.until(FOUND)
    before = page.run(TASKS)
    click = "document.querySelector('th[data-key={}] button').click()"
    page.run(click.format("task"))
    assert page.run(TASKS) != before
    assert page.run(TASKS)[0].startswith("chain")
    assert page.run("document.querySelector('th[data-key=task]').ariaSort") == "ascending"
    page.run(click.format("time_s"))
    page.run(click.format("time_s"))
    times = page.run(COLUMN)
    numbers = [float(text) for text in times if text != "–"]
    assert numbers == sorted(numbers, reverse=True)
    assert times[: len(numbers)] == [text for text in times if text != "–"]
    page.run(click.format("time_s"))
    assert page.run(TASKS) == before


def test_filters_keep_what_they_say_and_the_address_keeps_them(page: Page, sites: Path):
    page.open(sites / "two" / "run-1.html")
    page.until(FOUND)
    chosen = (
        "(() => {{ const field = document.querySelector('[name={}]'); field.value = '{}'; "
        "field.dispatchEvent(new Event('input', {{ bubbles: true }})); }})()"
    )
    page.run(chosen.format("task", "chain"))
    page.run(chosen.format("axis", "camera"))
    page.run(chosen.format("status", "failure"))
    lines = page.run("[...document.querySelectorAll('.episodes tbody tr')].map(r => r.textContent)")
    assert lines
    assert all("chain" in line and "camera:" in line and "failure" in line for line in lines)
    assert page.run(COUNT).startswith(f"{len(lines)} of 132 episodes")
    address = page.run("location.hash")
    page.run("document.querySelector('.episodes tbody a').click()")
    page.until(LOADED, "the page of an episode")
    page.run("document.getElementById('back').click()")
    page.until(f"{FOUND} === {len(lines)}")
    assert page.run("location.hash") == address
    page.run("document.querySelector('.filters [type=reset]').click()")
    page.until(f"{COUNT}.startsWith('132 of 132')")
    page.run(chosen.format("q", "no such thing"))
    assert page.run(COUNT).startswith("0 of 132")


def test_the_keyboard_is_enough(page: Page, sites: Path):
    page.open(sites / "two" / "run-1.html")
    page.until(FOUND)
    page.press("/", "Slash")
    assert page.run("document.activeElement.name") == "q"
    page.run("document.querySelector('.episodes tbody a').focus()")
    page.press("ArrowDown")
    second = page.run("document.querySelectorAll('.episodes tbody a.open')[1].hash")
    assert page.run("document.activeElement.hash") == second
    page.press("Enter")
    page.until(LOADED)
    assert page.run("location.hash") == second
    shown = "document.querySelector('#episode p code').textContent"
    page.press("ArrowRight")
    page.until(f"!'{second}'.endsWith({shown}) && location.hash.endsWith({shown})")
    page.press("ArrowLeft")
    page.until(f"'{second}'.endsWith({shown}) && location.hash === '{second}'")
    page.press("Escape")
    page.until("location.pathname.endsWith('run-1.html')")
    # whatever can be clicked is reached by Tab and shows that it is
    assert page.run(
        "[...document.querySelectorAll('a, button, input, select, summary')]"
        ".every(node => node.tabIndex === 0)"
    )


def test_a_film_plays_and_so_does_its_twin(page: Page, sites: Path):
    page.open(sites / "two" / "episode.html", f"#1/{first_filmed(sites)}")
    page.until(LOADED)
    films_asked = [url for url in page.asked if url.endswith(".mp4")]
    assert films_asked == []
    assert page.run("document.querySelectorAll('video').length") >= 2
    page.press(" ", "Space")
    page.until("[...document.querySelectorAll('video')].every(v => v.currentTime > 0.2)")
    page.until(
        "[...document.querySelectorAll('video')].every(v => v.currentTime > v.duration - 0.1)"
    )
    page.until("document.querySelector('.controls button').textContent === 'Play'")
    assert page.run("document.querySelector('.controls .clock').textContent") != "0.0 s"
    # the timeline leads the film
    page.run(
        "(() => { const box = document.querySelector('.timeline svg').getBoundingClientRect();"
        "document.querySelector('.timeline svg').dispatchEvent(new MouseEvent('click',"
        "{ clientX: box.left + 84 + 20, clientY: box.top + 5, bubbles: true })); })()"
    )
    page.until("[...document.querySelectorAll('video')].every(v => v.currentTime < 0.7)")


def test_flips_play_in_step(page: Page, sites: Path):
    page.open(sites / "two" / "flips-1.html")
    page.until("document.querySelector('.flip') !== null")
    assert [url for url in page.asked if url.endswith(".mp4")] == []
    page.run("document.querySelector('.flip').focus()")
    page.press(" ", "Space")
    playing = "[...document.querySelector('.flip').querySelectorAll('video')]"
    assert page.run(f"{playing}.length") == 2
    page.until(f"{playing}.every(v => v.currentTime > 0.5)")
    apart = page.run(f"Math.abs({playing}[0].currentTime - {playing}[1].currentTime)")
    assert apart < 0.25
    page.run("document.querySelector('.flip .controls button').click()")
    page.run(
        "(() => { const s = document.querySelector('.flip input'); s.value = 1.5;"
        "s.dispatchEvent(new Event('input')); })()"
    )
    page.until(f"{playing}.every(v => Math.abs(v.currentTime - 1.5) < 0.1)")
    page.run("document.querySelector('.flip').focus()")
    page.press("ArrowDown")
    assert page.run("[...document.querySelectorAll('.flip')].indexOf(document.activeElement)") == 1
    page.run(
        "(() => { const f = document.querySelector('[name=kind]'); f.value = 'won';"
        "f.dispatchEvent(new Event('input', { bubbles: true })); })()"
    )
    assert page.run("document.querySelectorAll('.flip .badge.bad').length") == 0


def test_hostile_texts_are_shown_as_they_are(page: Page, sites: Path):
    name = first_filmed(sites, "hostile")
    page.open(sites / "hostile" / "episode.html", f"#1/{name}")
    page.until(LOADED)
    text = page.run("document.getElementById('episode').textContent")
    for shown in ("<script>window.hacked=1</script>", "<img src=x onerror=window.hacked=1>"):
        assert shown in text
    assert "مرحبا بالعالم \u202e🦾🧪" in text
    assert "polluted" in text
    assert page.run("window.hacked") is None
    page.open(sites / "hostile" / "run-0.html")
    page.until(FOUND)
    assert "<script>window.hacked=1</script>" in page.run(
        "document.querySelector('h1').textContent"
    )
    tasks = page.run("[...document.querySelectorAll('[name=task] option')].map(o => o.textContent)")
    assert tasks == ["all", "<img src=x onerror=window.hacked=1>", "lift"]


def test_2000_episodes_open_at_once_and_stay_usable(page: Page, sites: Path):
    took = []
    for _ in range(3):
        page.open(sites / "many" / "index.html")
        page.until(f"{COUNT}.startsWith('2,142 of')")
        took.append(page.run("performance.getEntriesByName('episodes-shown')[0].startTime") / 1000)
    assert min(took) < OPEN_S
    assert page.run(FOUND) == 50
    # only the index was read, and no details of any episode
    data = [url.rsplit("/data/", 1)[1] for url in page.asked if "/data/" in url]
    assert set(data) == {"0/index.js"}
    start = time.monotonic()
    page.run("document.querySelector('th[data-key=outcome] button').click()")
    page.run("document.querySelector('[name=last]').click()")
    assert time.monotonic() - start < OPEN_S
    assert re.search(r"page 43 of 43", page.run("document.querySelector('.where').textContent"))
    assert page.run(FOUND) == 42


def test_the_theme_follows_the_reader(page: Page, sites: Path):
    ground = "getComputedStyle(document.body).backgroundColor"
    page.open(sites / "two" / "index.html", dark=True)
    assert page.run(ground) == "rgb(21, 23, 26)"
    page.run("document.getElementById('theme').click()")
    assert page.run(ground) == "rgb(255, 255, 255)"
    page.open(sites / "two" / "run-0.html", dark=True)
    assert page.run(ground) == "rgb(255, 255, 255)"
    page.run("document.getElementById('theme').click(); localStorage.clear()")


def test_the_leaderboard_is_sorted_and_filtered(page: Page, sites: Path):
    page.open(sites / "board" / "index.html")
    ranking = "document.querySelector('.ranking:has(a)')"
    own = f"[...{ranking}.querySelectorAll('.board tbody .name')].map(n => n.textContent)"
    assert page.run(own) == ["base", "new"]
    page.run(f"{ranking}.querySelector('[data-key=success] button').click()")
    assert page.run(own) == ["new", "base"]
    page.run(f"{ranking}.querySelector('[data-key=success] button').click()")
    assert page.run(own) == ["base", "new"]
    page.run(
        "(() => { const f = document.querySelector('[name=fair]'); f.checked = true;"
        "f.dispatchEvent(new Event('input', { bubbles: true })); })()"
    )
    assert page.run(BOARD) == ["base", "new"]
    page.run(f"{ranking}.querySelector('a').click()")
    page.until(f"location.pathname.endsWith('runs/base/index.html') && {FOUND}")


FILMS = "[...document.querySelectorAll('video')]"
PLAY = "document.querySelector('.controls button')"


def test_a_click_while_films_load_is_heard(page: Page, sites: Path):
    page.open(sites / "two" / "episode.html", f"#1/{first_filmed(sites)}")
    page.until(LOADED)
    page.run(f"{PLAY}.click(), {PLAY}.click()")
    page.until(f"{FILMS}.every(v => v.readyState >= 2)")
    time.sleep(0.3)
    assert page.run(f"{FILMS}.every(v => v.paused && v.currentTime === 0)")
    assert page.run(f"{PLAY}.textContent") == "Play"
    page.run(f"{PLAY}.click(), {PLAY}.click(), {PLAY}.click()")
    page.until(f"{FILMS}.every(v => v.currentTime > 0.2)")
    assert page.run(f"{PLAY}.textContent") == "Pause"


def test_a_damaged_film_is_called_so_and_its_controls_rest(page: Page, tmp_path: Path):
    run = plain_run(tmp_path / "run", count=1)
    name = films(run, 1)[0]
    (run.path / "videos" / f"{name}.mp4").write_bytes(b"no film")
    write_report([run], tmp_path / "site")
    page.open(tmp_path / "site" / "episode.html", f"#0/{name}")
    page.until(LOADED)
    page.run(f"{PLAY}.click()")
    page.until("document.querySelector('.unfilmed') !== null")
    assert "missing or damaged" in page.run("document.querySelector('.unfilmed').textContent")
    assert page.run(f"{PLAY}.textContent") == "Play"
    assert page.run(f"{PLAY}.disabled")


def test_a_tall_figure_is_shown_whole(page: Page, sites: Path):
    page.open(sites / "two" / "run-1.html")
    page.size(1200, 300)
    heights = page.run(
        "[...document.querySelectorAll('.picture.fixed')]"
        ".map(n => [n.scrollHeight, n.clientHeight])"
    )
    assert heights
    assert any(whole > 300 for whole, _ in heights)
    assert all(whole == seen for whole, seen in heights)


def test_a_wide_figure_says_that_it_goes_on(page: Page, sites: Path):
    page.open(sites / "two" / "run-1.html", width=1200)
    told = (
        "[...document.querySelectorAll('.picture.fixed')].map(n => "
        "[n.scrollWidth > n.clientWidth + 4, getComputedStyle(n, '::before').content])"
    )
    assert {tuple(one) for one in page.run(told)} == {(False, "none")}
    page.size(300, 700)
    page.until("document.querySelector('.picture.fixed[data-cut]') !== null")
    found = page.run(told)
    assert any(cut for cut, _ in found)
    assert all(cut == ("scroll sideways" in words) for cut, words in found)


def test_a_telephone_shows_the_success_of_a_policy(page: Page, sites: Path):
    page.open(sites / "board" / "index.html", width=360)
    tables = "[...document.querySelectorAll('.scroll:has(.board)')]"
    assert page.run(f"{tables}.every(n => n.scrollWidth <= n.clientWidth)")
    with (sites / "board.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    lines = page.run(
        "[...document.querySelectorAll('.board .more')].filter(n => n.checkVisibility())"
        ".map(n => n.textContent)"
    )
    for row in rows:
        rate, low, high = (float(row[n]) * 100 for n in ("success_rate", "ci_low", "ci_high"))
        told = f"{rate:.1f} %, 95 % interval {low:.1f} to {high:.1f}, n = {row['n']}"
        assert told in lines
    page.size(1200, 900)
    visible = "[...document.querySelectorAll('.board .more')].some(n => n.checkVisibility())"
    assert not page.run(visible)


def test_diagnostics_are_counted_for_themselves(page: Page, sites: Path):
    page.open(sites / "two" / "run-1.html")
    page.until(FOUND)
    records = Run.open(sites / "new").records
    solved = sum(record.success for record in records if record.compliance is None)
    passed = [record.compliance for record in records if record.compliance is not None]
    assert passed
    told = f"{solved} of them solved, {sum(passed)} of {len(passed)} diagnostics passed"
    assert page.run(COUNT) == f"132 of 132 episodes, {told}"


@pytest.mark.parametrize("width", [820, 1000, 1280])
def test_every_column_of_the_episodes_is_in_sight(page: Page, sites: Path, width: int):
    page.open(sites / "two" / "run-1.html", width=width)
    page.until(FOUND)
    assert page.run("document.querySelectorAll('.episodes .thumb img').length") > 0
    table = "document.querySelector('.scroll:has(.episodes)')"
    assert page.run(f"{table}.scrollWidth <= {table}.clientWidth")


def test_a_twin_that_is_not_in_the_run_is_said_to_be_absent(page: Page, tmp_path: Path):
    planned = [one for one in episodes(["lift"], [("camera", "L1")], 1) if one.changes]
    run = make_run(tmp_path / "run", planned, lambda _: "success")
    write_report([run], tmp_path / "site")
    page.open(tmp_path / "site" / "episode.html", f"#0/{planned[0].episode_id}")
    page.until(LOADED)
    text = "document.getElementById('episode').textContent"
    assert "Its unchanged twin is not in this run." in page.run(text)


def test_a_twin_that_is_there_is_not_said_to_be_absent(page: Page, sites: Path):
    changed = next(one for one in Run.open(sites / "new").records if one.changes)
    page.open(sites / "two" / "episode.html", f"#1/{changed.episode_id}")
    page.until(LOADED)
    text = page.run("document.getElementById('episode').textContent")
    assert "unchanged twin" in text
    assert "not in this run" not in text
