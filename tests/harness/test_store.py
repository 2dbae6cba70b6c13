"""A run's folder survives kills, full disks and strangers."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from harness_fakes import FakePolicy

from vlabench import store
from vlabench.errors import UsageError
from vlabench.evaluation import Plan, plan
from vlabench.index import ManifestIndex
from vlabench.jsonfiles import append_line, drop_torn_line, read_lines
from vlabench.provenance import Checkout
from vlabench.runinfo import Session
from vlabench.runner.job import Finished, Station
from vlabench.store import Run, RunWriter
from vlabench.types import SCHEMA_VERSION, EpisodeRecord


@pytest.fixture
def planned(suite_file: Path, tmp_path: Path) -> Plan:
    return plan(FakePolicy, str(suite_file), out=tmp_path / "run", world="harness_fakes:FakeWorld")


@pytest.fixture
def results(planned: Plan) -> list[Finished]:
    station = Station(planned.job)
    events = [station.attempt(episode, 0) for episode in planned.manifest.episodes]
    return [event for event in events if isinstance(event, Finished)]


Write = Callable[..., list[EpisodeRecord]]


@pytest.fixture
def write(planned: Plan, results: list[Finished]) -> Write:
    def do(first: int = 0, last: int | None = None, **changes: object) -> list[EpisodeRecord]:
        info = replace(planned.info, **changes)
        with RunWriter(planned.folder, info, planned.manifest) as writer:
            for result in results[first:last]:
                writer.add(result.record, result.trace)
            return list(writer.done.values())

    return do


def killed(folder: Path) -> None:
    """Makes ``run.json`` what it is after a kill: as it was when the first episode began."""
    data = json.loads((folder / store.RUN).read_text())
    data |= {"completed": 0, "finished_at": None, "episodes_sha256": None}
    (folder / store.RUN).write_text(json.dumps(data))


def test_a_whole_run_reads_back(planned: Plan, results: list[Finished], write: Write) -> None:
    write()
    run = Run.open(planned.folder)
    assert run.records == [result.record for result in results]
    assert run.manifest == planned.manifest
    assert (run.missing, run.valid) == ([], True)
    assert (run.info.planned, run.info.completed, run.info.missing) == (len(results),) * 2 + (0,)
    assert run.info.finished_at is not None
    assert run.info.episodes_sha256 is not None
    trace = run.trace(results[0].record.episode_id)
    np.testing.assert_array_equal(trace.actions, results[0].trace.actions)
    np.testing.assert_array_equal(trace.checksums, results[0].trace.checksums)


def test_records_come_in_the_manifests_order(
    planned: Plan, results: list[Finished], write: Write
) -> None:
    write(4)
    write(0, 4)
    assert Run.open(planned.folder).records == [result.record for result in results]


def test_half_a_run_says_what_is_missing(
    planned: Plan, results: list[Finished], write: Write
) -> None:
    write(0, 4)
    run = Run.open(planned.folder)
    assert run.missing == [result.record.episode_id for result in results[4:]]
    assert not run.valid
    assert (run.info.finished_at, run.info.episodes_sha256) == (None, None)


@pytest.mark.parametrize(("episodes", "valid"), [(100, True), (99, False)])
def test_one_percent_may_be_missing(episodes: int, valid: bool, planned: Plan) -> None:
    run = Run(planned.folder, planned.info)
    planned_episodes = ManifestIndex.of(planned.manifest).episodes[:1] * episodes
    run.__dict__["index"] = ManifestIndex(planned_episodes)
    run.__dict__["results"] = [None] * (episodes - 1)
    assert run.valid is valid


@pytest.mark.parametrize("keep", [1, 40, -1])
def test_a_torn_last_line_is_dropped(
    keep: int, planned: Plan, results: list[Finished], write: Write
) -> None:
    write(0, 3)
    path = planned.folder / store.EPISODES
    whole = path.read_bytes()
    *lines, last = whole.splitlines(keepends=True)
    path.write_bytes(b"".join(lines) + last[:keep])
    with pytest.raises(UsageError, match=r"has 2 of the 3 episodes that run\.json counts"):
        _ = Run.open(planned.folder).records
    killed(planned.folder)
    assert len(Run.open(planned.folder).records) == 2
    assert len(write(2)) == len(results)
    assert Run.open(planned.folder).records == [result.record for result in results]


def test_a_damaged_line_in_the_middle_is_told(planned: Plan, write: Write) -> None:
    write(0, 3)
    path = planned.folder / store.EPISODES
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b'{"half": \n' + lines[2])
    with pytest.raises(UsageError, match=r"episodes\.jsonl:2: this line is no JSON"):
        _ = Run.open(planned.folder).records


def test_resuming_keeps_the_beginning(planned: Plan, write: Write) -> None:
    write(0, 2, created_at="2001-01-01T00:00:00+00:00")
    assert len(write(2, 5)) == 5
    assert Run.open(planned.folder).info.created_at == "2001-01-01T00:00:00+00:00"


def test_resuming_keeps_the_first_machine_and_adds_the_later_ones(
    planned: Plan, write: Write
) -> None:
    write(0, 2, cpu="first", os="Linux-1", git=None, command="begun")
    write(2, 3, cpu="second", git=Checkout("abc", dirty=False), command="resumed")
    write(3, cpu="third")
    write(0, 0, cpu="too late")
    info = Run.open(planned.folder).info
    assert (info.cpu, info.os, info.git, info.command) == ("first", "Linux-1", None, "begun")
    assert [session.cpu for session in info.sessions] == ["second", "third"]
    assert info.sessions[0] == Session(
        planned.info.created_at, "resumed", planned.info.os, "second", Checkout("abc", dirty=False)
    )


def test_a_session_is_on_disk_before_its_first_episode(planned: Plan, write: Write) -> None:
    write(0, 2)
    with RunWriter(planned.folder, planned.info, planned.manifest):
        assert len(Run.open(planned.folder).info.sessions) == 1


@pytest.mark.parametrize("name", ["python", "numpy", "mujoco", "torch", "robosuite"])
def test_another_version_is_refused(name: str, planned: Plan, write: Write) -> None:
    write(0, 2)
    versions = {**planned.info.versions, name: "0.1"}
    with pytest.raises(UsageError, match=rf"{name} is 0\.1 now and was .*--fresh.*--out"):
        write(2, 3, versions=versions)
    write(2, 3, versions={**planned.info.versions, "ray": "0.1"})


def test_a_reader_knows_whether_a_writer_is_at_work(planned: Plan, write: Write) -> None:
    with RunWriter(planned.folder, planned.info, planned.manifest):
        assert Run.open(planned.folder).running
    assert not Run.open(planned.folder).running


def test_a_finished_run_is_left_as_it_was(planned: Plan, write: Write) -> None:
    write()
    before = (planned.folder / store.RUN).read_bytes()
    write(0, 0)
    assert (planned.folder / store.RUN).read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"code_hash": "other"}, "the code is other now"),
        ({"env_fingerprint": "other"}, "the environment is other now"),
        ({"manifest_hash": "other"}, "the manifest is other now"),
        ({"contract_fingerprint": "other"}, "the contract is other now"),
    ],
)
def test_another_runs_folder_is_refused(
    changes: dict[str, str], reason: str, planned: Plan, write: Write
) -> None:
    write(0, 2)
    before = (planned.folder / store.EPISODES).read_bytes()
    with pytest.raises(UsageError, match=rf"{reason}.*--fresh.*--out"):
        write(2, 3, **changes)
    assert (planned.folder / store.EPISODES).read_bytes() == before


def test_another_policys_folder_is_refused(planned: Plan, write: Write) -> None:
    write(0, 2)
    with pytest.raises(UsageError, match=r"the policy is noop now and was harness_fakes:Fake"):
        write(2, 3, policy=replace(planned.info.policy, name="noop"))
    with pytest.raises(UsageError, match=r'arguments is {"a":1} now and was {}'):
        write(2, 3, policy=replace(planned.info.policy, args={"a": 1}))


def test_fresh_deletes_what_a_run_wrote_and_nothing_else(planned: Plan, write: Write) -> None:
    write(0, 3)
    (planned.folder / "tables").mkdir()
    (planned.folder / "notes.txt").write_text("mine")
    other = replace(planned.info, code_hash="other")
    with RunWriter(planned.folder, other, planned.manifest, fresh=True) as writer:
        assert writer.done == {}
        assert list((planned.folder / store.TRACES).iterdir()) == []
    assert Run.open(planned.folder).records == []
    assert not (planned.folder / "tables").exists()
    assert (planned.folder / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["plots", "videos", "tables", "traces"])
@pytest.mark.parametrize("fresh", [True, False])
def test_a_users_own_folders_are_not_taken_for_a_runs(
    name: str, fresh: bool, planned: Plan
) -> None:
    mine = planned.folder / name / "mine.png"
    mine.parent.mkdir(parents=True)
    mine.touch()
    with (
        pytest.raises(UsageError, match=rf"other things \({name}.*give an empty or a new folder"),
        RunWriter(planned.folder, planned.info, planned.manifest, fresh=fresh),
    ):
        pass
    assert [path.name for path in planned.folder.iterdir()] == [name]
    assert mine.exists()


def test_a_run_may_begin_where_a_dry_run_was(planned: Plan, write: Write) -> None:
    (planned.folder / store.DRY_RUN).mkdir(parents=True)
    assert len(write(0, 1)) == 1


def test_a_folder_of_other_things_is_refused(planned: Plan, write: Write) -> None:
    planned.folder.mkdir()
    (planned.folder / "thesis.tex").touch()
    with pytest.raises(UsageError, match=r"other things \(thesis.tex\)"):
        write(0, 1)


def test_two_writers_do_not_meet(planned: Plan, write: Write) -> None:
    with (
        RunWriter(planned.folder, planned.info, planned.manifest),
        pytest.raises(UsageError, match="Another run is writing"),
    ):
        write(0, 1)
    assert len(write(0, 1)) == 1


def test_a_full_disk_is_one_sentence_and_loses_nothing(
    planned: Plan, results: list[Finished], write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    write(0, 2)
    before = (planned.folder / store.EPISODES).read_bytes()
    with RunWriter(planned.folder, planned.info, planned.manifest) as writer:
        monkeypatch.setattr("os.fsync", refuse)
        with pytest.raises(UsageError, match=r"No space left on device.*2 finished episodes"):
            writer.add(results[2].record, results[2].trace)
        monkeypatch.undo()
    assert (planned.folder / store.EPISODES).read_bytes() == before
    assert len(write(2)) == len(results)


def test_a_line_that_the_disk_refuses_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "log.jsonl"
    append_line(path, {"a": 1})
    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(OSError, match="No space"):
        append_line(path, {"a": 2})
    monkeypatch.undo()
    append_line(path, {"a": 3})
    assert [row for _, row in read_lines(path)] == [{"a": 1}, {"a": 3}]


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (b"", b""),
        (b"one\n", b"one\n"),
        (b"torn", b""),
        (b"one\n" + b"x" * 200_000, b"one\n"),
        (b"x" * 200_000 + b"\ntorn", b"x" * 200_000 + b"\n"),
        (b"x" * 200_000, b""),
    ],
)
def test_what_follows_the_last_whole_line_is_cut(
    content: bytes, kept: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(content)
    drop_torn_line(path)
    assert path.read_bytes() == kept
    drop_torn_line(tmp_path / "nothing.jsonl")
    assert not (tmp_path / "nothing.jsonl").exists()


def test_an_unwritable_place_is_told(planned: Plan, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        with (
            pytest.raises(UsageError, match=r"/file is a file; give a new or an empty folder"),
            RunWriter(path, planned.info, planned.manifest),
        ):
            pass


def test_a_newer_major_version_is_refused_and_a_minor_one_is_read(
    planned: Plan, write: Write
) -> None:
    write()
    path = planned.folder / store.RUN
    data = json.loads(path.read_text())
    path.write_text(json.dumps({**data, "schema_version": "1.9", "new_field": 1}))
    assert Run.open(planned.folder).info.suite == "small"
    path.write_text(json.dumps({**data, "schema_version": "2.0"}))
    with pytest.raises(UsageError, match=r"schema version 2\.0"):
        Run.open(planned.folder)


def test_a_record_of_a_newer_major_version_is_refused(planned: Plan, write: Write) -> None:
    write()
    path = planned.folder / store.EPISODES
    path.write_text(
        path.read_text().replace(f'"schema_version":"{SCHEMA_VERSION}"', '"schema_version":"2.0"')
    )
    with pytest.raises(UsageError, match=r"episodes\.jsonl:1 has schema version 2\.0"):
        _ = Run.open(planned.folder).records


def test_what_is_no_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a run's folder"):
        Run.open(tmp_path)


def test_attempts_are_kept(planned: Plan) -> None:
    name = planned.manifest.episodes[0].episode_id
    with RunWriter(planned.folder, planned.info, planned.manifest) as writer:
        writer.add_attempt(name, 0, "the server is gone")
    (attempt,) = Run.open(planned.folder).attempts
    assert (attempt.episode_id, attempt.attempt) == (name, 0)
    assert attempt.error == "the server is gone"


def test_a_file_with_a_field_missing_is_one_sentence(planned: Plan, write: Write) -> None:
    write()
    path = planned.folder / store.RUN
    data = json.loads(path.read_text())
    del data["suite"]
    path.write_text(json.dumps(data))
    with pytest.raises(UsageError, match=r"run\.json is not what this version .*suite"):
        Run.open(planned.folder)


def test_a_record_with_a_field_missing_is_one_sentence(planned: Plan, write: Write) -> None:
    write()
    path = planned.folder / "episodes.jsonl"
    lines = path.read_text().splitlines()
    data = json.loads(lines[1])
    del data["task"]
    path.write_text("\n".join([lines[0], json.dumps(data), *lines[2:], ""]))
    with pytest.raises(UsageError, match=r"episodes\.jsonl:2 is not what this version .*task"):
        _ = Run.open(planned.folder).records
