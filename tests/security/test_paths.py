"""No name and no link leads out of the folder that a run or a report is written to."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness_fakes import SUITE
from page_runs import films
from report_fakes import episodes, make_run
from typer.testing import CliRunner

import vlabench
from vlabench import report
from vlabench.baseline import default_path, promote
from vlabench.cli import _app
from vlabench.errors import UsageError
from vlabench.export import export_episodes
from vlabench.film.archive import film_of
from vlabench.pages import default_folder, write_report
from vlabench.runinfo import PolicyInfo
from vlabench.store import Run
from vlabench.suite import load_suite

PLANNED = episodes(["stack", "place"], [("lighting", "L1")], 4)
NAMES = ["../../pwn", "/etc/pwn", "..", "a/b", "a\\..\\b", ".hidden", "pwn\0", "pwn\n", "x" * 5000]


def a_run(folder: Path, **info: object) -> Run:
    return make_run(folder, PLANNED, lambda spec: "success", **info)


def below(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", NAMES)
def test_the_name_of_a_suite_is_a_plain_word(name: str, tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\0", "\\0")
    path.write_text(SUITE.replace("name: small", f'name: "{escaped}"'))
    with pytest.raises(UsageError, match=r"suite\.yaml"):
        load_suite(str(path))


@pytest.mark.parametrize("name", NAMES)
def test_no_name_in_a_run_leads_out_of_a_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names of the suite, the run, the policy and the tasks, in every file that is made of them."""
    there = tmp_path / "one" / "two" / "three"
    there.mkdir(parents=True)
    monkeypatch.chdir(there)
    planned = episodes([name, "stack"], [(name, "L1")], 4)
    policy = PolicyInfo(name, {}, {"name": name}, privileged=False)
    run = make_run(
        there / "run", planned, lambda spec: "success", suite=name, run_id=name, policy=policy
    )
    before = below(tmp_path)
    report.write(run)
    export_episodes(run, run.path / "tables" / "episodes.csv", "csv")
    write_report([run], default_folder([run]))
    other = make_run(there / "other", planned, lambda spec: "failure", run_id=f"{name}2")
    write_report([run, other], default_folder([run, other]))
    promote(run)
    made = below(tmp_path) - before
    assert made
    assert all(path.is_relative_to(there) for path in made)
    assert default_path(run.info).parent == Path("results/baselines")
    assert film_of(run, planned[0].episode_id).parent == run.path / "videos"


@pytest.mark.parametrize("name", ["../../other/traces/x", "/etc/passwd", "..", ""])
def test_the_name_of_an_episode_is_one_of_the_runs(name: str, tmp_path: Path) -> None:
    run = a_run(tmp_path / "run")
    with pytest.raises(UsageError, match="has no trace"):
        run.trace(name)
    done = CliRunner().invoke(_app(["replay"]), ["replay", str(run.path), name, "--no-video"])
    assert isinstance(done.exception, UsageError)


# --- links ------------------------------------------------------------------------------------


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """A folder of the user's, outside of the run."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in ("summary.txt", "index.html", "generalization.png", "episodes.csv", "run.json"):
        (folder / name).write_text("precious")
    return folder


def unharmed(folder: Path) -> bool:
    return len(list(folder.iterdir())) == 5 and all(
        path.read_text() == "precious" for path in folder.iterdir()
    )


@pytest.mark.parametrize("name", ["tables", "plots"])
def test_tables_follow_no_link(name: str, tmp_path: Path, precious: Path) -> None:
    run = a_run(tmp_path / "run")
    (run.path / name).symlink_to(precious)
    with pytest.raises(UsageError, match="by a link"):
        report.write(run)
    assert unharmed(precious)


def test_a_table_takes_the_place_of_a_link(tmp_path: Path, precious: Path) -> None:
    run = a_run(tmp_path / "run")
    (run.path / "tables").mkdir()
    for name in ("summary.txt", "episodes.csv", "episodes.csv.tmp"):
        (run.path / "tables" / name).symlink_to(precious / "summary.txt")
    report.write(run)
    export_episodes(run, run.path / "tables" / "episodes.csv", "csv")
    assert unharmed(precious)
    assert not (run.path / "tables" / "summary.txt").is_symlink()


def test_an_export_follows_no_link(tmp_path: Path, precious: Path) -> None:
    run = a_run(tmp_path / "run")
    (run.path / "tables").symlink_to(precious)
    words = ["export", str(run.path), "--format", "csv"]
    done = CliRunner().invoke(_app(words), words)
    assert isinstance(done.exception, UsageError)
    assert unharmed(precious)


@pytest.mark.parametrize(
    "name", ["index.html", "assets", "data", "data/0", ".vlabench-pages.jsonl"]
)
def test_a_report_follows_no_link(name: str, tmp_path: Path, precious: Path) -> None:
    run = a_run(tmp_path / "run")
    folder = default_folder([run])
    write_report([run], folder)
    place = folder / name
    is_folder = place.is_dir()
    place.rename(tmp_path / "taken-away")
    if is_folder:
        place.symlink_to(precious)
        with pytest.raises(UsageError, match="by a link"):
            write_report([run], folder)
    else:
        mark = (folder / ".vlabench-pages.jsonl").exists()
        place.symlink_to(precious / "index.html")
        if mark:
            write_report([run], folder)
            assert not place.is_symlink()
        else:
            with pytest.raises(UsageError, match="holds other things"):
                write_report([run], folder)
    assert unharmed(precious)


def test_a_report_deletes_nothing_elsewhere(tmp_path: Path, precious: Path) -> None:
    run = a_run(tmp_path / "run")
    folder = default_folder([run])
    write_report([run], folder)
    (folder / "out").symlink_to(precious)
    with (folder / ".vlabench-pages.jsonl").open("a") as mark:
        for name in ("../../home/index.html", str(precious / "index.html"), "out/index.html"):
            mark.write(f'"{name}"\n')
    write_report([run], folder)
    assert unharmed(precious)


def test_a_report_shows_no_file_through_a_link(tmp_path: Path, precious: Path) -> None:
    run = a_run(tmp_path / "run")
    (name,) = films(run, 1)[:1]
    film = film_of(run, name)
    film.unlink()
    film.symlink_to(precious / "index.html")
    write_report([run], default_folder([run]))
    assert b"precious" not in b"".join(p.read_bytes() for p in below(default_folder([run])))


@pytest.mark.parametrize("name", ["episodes.jsonl", "run.json", "traces", "run.tmp", "videos"])
def test_no_run_is_taken_up_through_a_link(
    name: str, suite_file: Path, tmp_path: Path, precious: Path
) -> None:
    def evaluate() -> Run:
        return vlabench.evaluate(
            *("harness_fakes:FakePolicy", str(suite_file)),
            **{"world": "harness_fakes:FakeWorld", "runner": "serial", "limit": 1},
            out=tmp_path / "run",
        )

    run = evaluate()
    place = run.path / name
    inside = place.exists()
    if inside:
        place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere" if inside else precious / "run.json")
    with pytest.raises(UsageError, match="is a link that leads out of the run's folder"):
        evaluate()
    assert unharmed(precious)


def test_a_runs_folder_may_be_a_link_itself(suite_file: Path, tmp_path: Path) -> None:
    (tmp_path / "large-disk").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "large-disk")
    run = vlabench.evaluate(
        *("harness_fakes:FakePolicy", str(suite_file)),
        **{"world": "harness_fakes:FakeWorld", "runner": "serial", "limit": 1},
        out=tmp_path / "run",
    )
    write_report([run], default_folder([run]))
    assert (tmp_path / "large-disk" / "tables" / "summary.txt").exists()
