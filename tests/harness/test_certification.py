"""Certificates: what is published is solved, stays what it is, and is checked when it is read."""

from __future__ import annotations

import fcntl
import json
import lzma
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from harness_fakes import SUITE, FakeWorld

import vlabench
from vlabench.certification import Check, Labour, certify, check
from vlabench.cli import main
from vlabench.contract.specs import EnvSpec
from vlabench.errors import InvalidRunError, UsageError
from vlabench.evaluation import plan
from vlabench.manifest import build_manifest
from vlabench.published import Publication, open_published, read_lock
from vlabench.suite import load_suite
from vlabench.types import Change

LARGE = SUITE.replace("episodes: 2", "episodes: 40")


def labour(expert: str = "FakeExpert", runner: str = "serial") -> Labour:
    return Labour("harness_fakes:FakeWorld", f"harness_fakes:{expert}", runner)


Certify = Callable[..., Publication]


@pytest.fixture
def certified(tmp_path: Path) -> Certify:
    """Writes a suite, certifies it, and gives what was published."""

    def do(text: str = SUITE, expert: str = "FakeExpert", **options: object) -> Publication:
        path = tmp_path / "suites" / "small.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        (found,) = certify([str(path)], labour(expert), ledgers=tmp_path / "ledgers", **options)
        return found

    return do


@pytest.fixture
def suite(tmp_path: Path) -> str:
    return str(tmp_path / "suites" / "small.yaml")


def pool_of(suite: str, task: str) -> Path:
    return Path(suite).parent / "certificates" / "episodes" / f"{task}.jsonl.xz"


# --- what is published ------------------------------------------------------------------------


def test_where_the_expert_solves_all_the_suite_is_what_is_drawn(
    certified: Certify, suite: str
) -> None:
    publication = certified()
    drawn = build_manifest(load_suite(suite), FakeWorld())
    assert publication.manifest_hash == drawn.hash
    assert publication.episodes == tuple(drawn.by_id)
    assert (publication.drawn, publication.rejected) == (len(drawn.episodes), ())
    assert publication.steps > 0
    assert read_lock(Path(suite).parent)["small@3"]["manifest"] == drawn.hash
    published = open_published(load_suite(suite))
    assert published is not None
    assert published.manifest == drawn
    assert set(published.certificates) == set(drawn.by_id)


def test_what_is_not_solved_is_replaced_and_told(certified: Certify, suite: str) -> None:
    publication = certified(LARGE, "StubbornExpert")
    published = open_published(load_suite(suite))
    assert published is not None
    goals = [episode.factors["goal"] for episode in published.manifest.episodes]
    assert not any(0.40 <= goal < 0.43 or 0.60 <= goal < 0.62 for goal in goals)
    reasons = {rejection.reason for rejection in publication.rejected}
    assert reasons == {
        "not solved in 12 steps; 0 of 2 stages reached",
        "fault: the goal is in a hole",
    }
    assert publication.drawn == len(publication.episodes) + len(publication.rejected)
    whole = build_manifest(load_suite(suite), FakeWorld())
    assert len(published.manifest.episodes) == len(whole.episodes)
    moved = {(r.task, r.index) for r in publication.rejected}
    assert moved
    assert not moved & {(e.task, e.index) for e in published.manifest.episodes if not e.changes}


def test_the_outcome_depends_neither_on_workers_nor_on_interruptions(
    certified: Certify, suite: str, tmp_path: Path
) -> None:
    first = certified(LARGE, "StubbornExpert")
    (ledger,) = (tmp_path / "ledgers").glob("*.jsonl")
    lines = ledger.read_text().splitlines(keepends=True)
    for path in sorted(Path(suite).parent.rglob("*"), reverse=True):
        if path.is_file() and path.suffix != ".yaml":
            path.unlink()
    ledger.write_text("".join(reversed(lines[: len(lines) // 3])) + '{"episode_id": "to')
    again = certified(LARGE, "StubbornExpert")
    assert again.to_json() | {"wall_s": 0} == first.to_json() | {"wall_s": 0}
    files = contents(suite)
    (spread,) = certify(
        [suite], labour("StubbornExpert", "ray"), ledgers=tmp_path / "others", fresh=True
    )
    assert spread.to_json() | {"wall_s": 0} == first.to_json() | {"wall_s": 0}
    assert read_lock(Path(suite).parent) == files


def contents(suite: str) -> dict[str, dict[str, str]]:
    return read_lock(Path(suite).parent)


def test_a_task_that_nobody_solves_is_not_published(certified: Certify, suite: str) -> None:
    for _ in range(2):
        with pytest.raises(InvalidRunError, match=r"'small' is not published: .* were rejected"):
            certified(expert="LazyExpert")
    assert open_published(load_suite(suite)) is None
    assert not (Path(suite).parent / "certificates").exists()


def test_what_is_refused_stays_refused_however_often_one_asks(certified: Certify) -> None:
    """One in ten is too many, and another round of draws does not make it fewer."""
    for _ in range(4):
        with pytest.raises(InvalidRunError, match=r"'small' is not published"):
            certified(LARGE, "HalfExpert")


def test_a_diagnostic_must_be_solvable_too(certified: Certify, suite: str) -> None:
    """To do nothing is to comply, and shows nothing."""
    text = SUITE.replace("object-pose\n    levels: [L2]", "empty-instruction\n    levels: [L1]")
    with pytest.raises(InvalidRunError, match="empty-instruction:L1"):
        certified(text, "DeafExpert")
    certified(text)
    published = open_published(load_suite(suite))
    assert published is not None
    assert any(episode.diagnostic for episode in published.manifest.episodes)


def test_two_at_once_lose_nothing(tmp_path: Path) -> None:
    suites = []
    for name in ("one", "two", "three"):
        path = tmp_path / f"{name}.yaml"
        path.write_text(SUITE.replace("name: small", f"name: {name}"))
        suites.append(str(path))

    def one(path: str) -> None:
        certify([path], labour(), ledgers=tmp_path / Path(path).stem)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(one, suites))
    assert all(open_published(load_suite(path)) for path in suites)


def test_two_never_write_one_ledger(certified: Certify, tmp_path: Path) -> None:
    certified()
    (ledger,) = (tmp_path / "ledgers").glob("*.lock")
    with ledger.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="Another certification is writing to"):
            certified()


def test_an_expert_that_breaks_down_once_is_asked_again(certified: Certify, tmp_path: Path) -> None:
    publication = certified(expert="ShakyExpert")
    assert publication.rejected == ()


def test_twins_that_are_in_no_manifest_are_certified_too(certified: Certify, suite: str) -> None:
    publication = certified(SUITE.replace("episodes: 2", "episodes: 2\nlayout: singles"))
    assert publication.drawn == len(publication.episodes) + 6
    published = open_published(load_suite(suite))
    assert published is not None
    twins = {e.control_id for e in published.manifest.episodes if e.control_id}
    assert len(twins) == 6
    assert twins <= set(published.certificates)


def test_a_published_version_never_changes(certified: Certify) -> None:
    certified()
    with pytest.raises(UsageError, match="raise its version and certify"):
        certified(SUITE.replace("seed: 7", "seed: 8"))
    later = SUITE.replace("seed: 7", "seed: 8").replace("version: 3", "version: 4")
    assert certified(later).suite_version == 4


def test_suites_beside_each_other_share_their_episodes(tmp_path: Path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text(SUITE.replace("name: small", "name: one"))
    two.write_text(SUITE.replace("name: small", "name: two").replace("episodes: 2", "episodes: 1"))
    for path in (one, two):
        certify([str(path)], labour(), ledgers=tmp_path / "ledgers")
    opened = [open_published(load_suite(str(path))) for path in (one, two)]
    assert all(opened)
    lines = lzma.decompress(pool_of(str(one), "stack").read_bytes()).decode().splitlines()
    names = [json.loads(line)["episode_id"] for line in lines]
    assert len(set(names)) == len(names)


# --- what begins in the middle ----------------------------------------------------------------

HALVES = LARGE.replace(
    "axis: lighting\n    levels: [L1, L2]", "axis: from-stage\n    levels: ['2']"
)


def test_what_begins_in_the_middle_begins_where_the_expert_had_got_to(
    certified: Certify, suite: str
) -> None:
    publication = certified(HALVES)
    published = open_published(load_suite(suite))
    assert published is not None
    halves = [e for e in published.manifest.episodes if "begin" in e.factors]
    assert len(halves) == 3 * 40
    for episode in halves:
        goal, begin = episode.factors["goal"], episode.factors["begin"]
        assert 0.5 * goal <= begin < goal
        assert episode.changes == (Change("from-stage", "2"),)
        assert episode.control_id in published.certificates
        assert 0 < published.certificates[episode.episode_id].steps < 12
    rejected = {r.reason: r for r in publication.rejected if r.changes}
    never = "at no moment had the expert reached 1 of the stages and let go"
    assert rejected.keys() == {never}
    draw = rejected[never]
    goal = FakeWorld().draw(draw.task, (), seed=draw.seed, index=draw.index).factors["goal"]
    assert 0.48 <= goal < 0.50


def test_what_begins_in_the_middle_exists_in_published_suites_alone(
    certified: Certify, suite: str
) -> None:
    def planned(**options: object):
        return plan("harness_fakes:FakePolicy", suite, world="harness_fakes:FakeWorld", **options)

    first = certified(HALVES)
    assert planned(episodes=3).info.certified
    for other in ({"seed": 99}, {"episodes": 41}):
        with pytest.raises(UsageError, match=r"small\.yaml:9: .* made from the expert's runs"):
            planned(**other)
    again = certified(HALVES)
    assert again.to_json() | {"wall_s": 0} == first.to_json() | {"wall_s": 0}
    assert checked(suite, "FakeExpert").differences == ()


def test_the_expert_may_fail_on_its_way_to_the_middle(certified: Certify) -> None:
    with pytest.raises(InvalidRunError, match="is not published"):
        certified(HALVES, "LazyExpert")


# --- reading ----------------------------------------------------------------------------------


def test_a_torn_certificate_is_refused(certified: Certify, suite: str) -> None:
    certified()
    path = pool_of(suite, "stack")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UsageError, match=r"stack\.jsonl\.xz is torn or damaged .* restore it"):
        open_published(load_suite(suite))


def test_an_edited_episode_is_refused(certified: Certify, suite: str) -> None:
    certified()
    path = pool_of(suite, "stack")
    text = lzma.decompress(path.read_bytes()).decode()
    path.write_bytes(lzma.compress(text.replace('"light":1.0', '"light":0.9', 1).encode()))
    with pytest.raises(UsageError, match=r"xz:\d+: the episode \w+ has been edited"):
        open_published(load_suite(suite))


def test_an_edited_suite_is_refused(certified: Certify, suite: str) -> None:
    certified()
    path = Path(suite)
    for old, new in (("seed: 7", "seed: 8"), ("[place-on, stack]", "[place-on]")):
        path.write_text(SUITE.replace(old, new))
        with pytest.raises(UsageError, match=r"raise (its|the suite's) version and certify it"):
            plan("harness_fakes:FakePolicy", suite, world="harness_fakes:FakeWorld")


def test_a_missing_file_or_entry_is_refused(certified: Certify, suite: str) -> None:
    certified()
    lock = Path(suite).parent / "published.json"
    whole = lock.read_text()
    lock.write_text(whole.replace('"certificates": "', '"certificates": "0'))
    with pytest.raises(UsageError, match=r"published\.json says .*restore the files"):
        open_published(load_suite(suite))
    lock.unlink()
    with pytest.raises(UsageError, match=r"published\.json says nothing of small@3"):
        open_published(load_suite(suite))
    lock.write_text(whole)
    (Path(suite).parent / "certificates" / "small.json").rename(lock.parent / "small.json")
    with pytest.raises(UsageError, match=r"small@3 has been published, .*small\.json is not there"):
        open_published(load_suite(suite))
    (lock.parent / "small.json").rename(Path(suite).parent / "certificates" / "small.json")
    pool_of(suite, "place-in").unlink()
    with pytest.raises(UsageError, match=r"has no certificate for place-in \d"):
        open_published(load_suite(suite))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"suite": "small"}'])
def test_a_damaged_publication_is_refused(certified: Certify, suite: str, text: str) -> None:
    certified()
    (Path(suite).parent / "certificates" / "small.json").write_text(text)
    with pytest.raises(UsageError, match=r"small\.json"):
        open_published(load_suite(suite))


def test_another_version_of_the_suite_is_not_published(certified: Certify, suite: str) -> None:
    certified()
    Path(suite).write_text(SUITE.replace("version: 3", "version: 4"))
    assert open_published(load_suite(suite)) is None


# --- evaluating -------------------------------------------------------------------------------


def test_a_run_of_published_episodes_is_certified(
    certified: Certify, suite: str, tmp_path: Path
) -> None:
    certified(LARGE, "StubbornExpert")
    published = open_published(load_suite(suite))
    assert published is not None

    def planned(**options: object):
        return plan("harness_fakes:FakePolicy", suite, world="harness_fakes:FakeWorld", **options)

    assert planned().manifest == published.manifest
    assert planned().info.certified
    assert planned().info.complete
    for fewer in ({"episodes": 2}, {"tasks": ["stack"]}, {"limit": 3}):
        part = planned(**fewer)
        assert part.info.certified
        assert not part.info.complete
        assert set(part.manifest.by_id) < set(published.manifest.by_id)
    for other in ({"episodes": 41}, {"seed": 99}):
        assert not planned(**other).info.certified
    run = vlabench.evaluate(
        "harness_fakes:FakePolicy",
        suite,
        world="harness_fakes:FakeWorld",
        limit=1,
        runner="serial",
        out=tmp_path / "run",
    )
    assert [record.certified for record in run.records] == [True] * len(run.records)
    assert "UNCERTIFIED" not in vlabench.report.text(vlabench.report.summarize(run))


def test_tasks_of_a_suite_keep_their_published_episodes(certified: Certify, suite: str) -> None:
    for layout in ("levels", "singles"):
        text = LARGE.replace("episodes: 40", f"episodes: 40\nlayout: {layout}")
        certified(text.replace("version: 3", f"version: {len(layout)}"))
        published = open_published(load_suite(suite))
        assert published is not None
        for task in ("place-on", "place-in", "stack"):
            part = published.part(load_suite(suite).narrowed(tasks=[task]))
            assert part is not None
            whole = {n for n, e in published.manifest.by_id.items() if e.task == task}
            assert set(part.by_id) == whole


def test_the_seed_of_training_is_for_training() -> None:
    with pytest.raises(UsageError, match="The seed 1 is that of the suite 'train'"):
        plan("noop", "smoke", seed=1)


def test_a_run_of_what_nobody_certified_says_so(suite_file: Path, tmp_path: Path) -> None:
    run = vlabench.evaluate(
        "harness_fakes:FakePolicy",
        str(suite_file),
        world="harness_fakes:FakeWorld",
        runner="serial",
        out=tmp_path / "run",
    )
    assert not run.info.certified
    assert {record.certified for record in run.records} == {False}
    assert "UNCERTIFIED" in vlabench.report.text(vlabench.report.summarize(run))


class LaterWorld(FakeWorld):
    version = "fake-2"


class OtherPhysics(FakeWorld):
    def spec(self) -> EnvSpec:
        return replace(super().spec(), fingerprint="other-env")


def test_certificates_of_other_physics_are_not_taken_over(
    certified: Certify, suite: str, tmp_path: Path
) -> None:
    certified()
    world = f"{__name__}:OtherPhysics"
    planned = plan("harness_fakes:FakePolicy", suite, world=world)
    assert not planned.info.certified
    assert len(planned.manifest.episodes) == 28
    lazy = Labour(world, "harness_fakes:LazyExpert", "serial")
    with pytest.raises(InvalidRunError):
        certify([suite], lazy, ledgers=tmp_path / "ledgers")
    neighbour = Path(suite).parent / "neighbour.yaml"
    neighbour.write_text(SUITE.replace("name: small", "name: neighbour"))
    able = Labour(world, "harness_fakes:FakeExpert", "serial")
    with pytest.raises(UsageError, match="'small' shares episodes whose certificates would change"):
        certify([str(neighbour)], able, ledgers=tmp_path / "ledgers")
    Path(suite).write_text(SUITE.replace("version: 3", "version: 4"))
    certify([suite, str(neighbour)], able, ledgers=tmp_path / "ledgers")
    assert plan("harness_fakes:FakePolicy", suite, world=world).info.certified
    assert not plan(
        "harness_fakes:FakePolicy", suite, world="harness_fakes:FakeWorld"
    ).info.certified


def test_certificates_of_another_world_do_not_count(certified: Certify, suite: str) -> None:
    certified()
    world = f"{__name__}:LaterWorld"
    planned = plan("harness_fakes:FakePolicy", suite, world=world)
    assert not planned.info.certified
    assert {episode.world_version for episode in planned.manifest.episodes} == {"fake-2"}
    with pytest.raises(UsageError, match="published by world fake-1, this is world fake-2"):
        check(suite, labour=Labour(world, "harness_fakes:FakeExpert", "serial"))


# --- checking ---------------------------------------------------------------------------------


def checked(suite: str, expert: str, count: int | None = None, **options: int) -> Check:
    return check(suite, count, labour(expert), **options)


def test_who_runs_it_again_gets_the_same(certified: Certify, suite: str) -> None:
    publication = certified()
    found = checked(suite, "FakeExpert")
    assert (found.checked, found.differences) == (len(publication.episodes), ())


def test_who_gets_something_else_is_told_what(certified: Certify, suite: str) -> None:
    certified()
    found = checked(suite, "HastyExpert", 4)
    assert found.checked == 4
    assert len(found.differences) == 4
    for difference in found.differences:
        assert "other actions" in difference.what
        assert "another first state" not in difference.what
    unsolved = checked(suite, "LazyExpert", 2).differences
    assert all(d.what[0].startswith("not solved in 12 steps") for d in unsolved)


def test_a_sample_is_drawn_by_its_seed(certified: Certify, suite: str) -> None:
    certified()

    def sample(seed: int) -> list[str]:
        found = checked(suite, "HastyExpert", 5, seed=seed)
        return [difference.episode.episode_id for difference in found.differences]

    assert sample(0) == sample(0) != sample(1)
    with pytest.raises(UsageError, match="episodes to check is -1"):
        checked(suite, "FakeExpert", -1)


def test_there_must_be_something_to_check(suite_file: Path) -> None:
    with pytest.raises(UsageError, match=r"has no certificates to check; make them"):
        checked(str(suite_file), "FakeExpert")


# --- the command ------------------------------------------------------------------------------


def command(*words: str) -> int:
    fakes = ["--world", "harness_fakes:FakeWorld", "--runner", "serial"]
    with pytest.raises(SystemExit) as ended:
        main(["certify", *words, *fakes])
    return int(ended.value.code or 0)


def test_the_command_certifies_and_checks(
    suite_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    expert = ["--expert", "harness_fakes:FakeExpert"]
    assert command(str(suite_file), *expert) == 0
    assert "small@3" in capsys.readouterr().out
    assert command(str(suite_file), "--check", "3", *expert) == 0
    assert "small: 3 of 3 episodes as certified" in capsys.readouterr().out
    out = tmp_path / "found" / "drift.json"
    hasty = ["--expert", "harness_fakes:HastyExpert", "--out", str(out)]
    assert command(str(suite_file), "--check", "0", *hasty) == 1
    assert "other actions" in capsys.readouterr().out
    (written,) = json.loads(out.read_text())
    assert written["checked"] == len(written["differences"]) > 3


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--workers", "0"], "number of workers is 0"),
        (["--seed", "3"], "belong to --check"),
        (["--out", "here.json"], "belong to --check"),
        (["--check", "2", "--fresh"], "--fresh does not go with --check"),
    ],
)
def test_options_that_mean_nothing_are_refused(
    suite_file: Path, words: list[str], complaint: str, capsys
) -> None:
    assert command(str(suite_file), *words) == 2
    assert complaint in capsys.readouterr().err


def test_the_command_wants_suites_or_all(capsys) -> None:
    assert command() == 2
    assert "Name one or more suites, or give --all." in capsys.readouterr().err
