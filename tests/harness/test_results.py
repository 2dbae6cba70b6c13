"""Files of records and of manifests that something happened to: a sentence, or the right result."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from report_fakes import episodes, make_run
from typer.testing import CliRunner

from vlabench import report
from vlabench.errors import UsageError, VlabenchError
from vlabench.hashing import canonical_json
from vlabench.index import ManifestIndex, read_index, read_manifest, write_manifest
from vlabench.jsonfiles import file_sha256, write_json
from vlabench.leaderboard import leaderboard_row
from vlabench.store import Run
from vlabench.types import EpisodeSpec, Json, Status

PLANNED = episodes(["stack", "chain"], [("lighting", "L2"), ("swapped-goal", "L1")], 10)
Lines = list[bytes]


def outcome(spec: EpisodeSpec) -> Status:
    return "success" if spec.index % 3 else "failure"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "run", PLANNED, outcome).path


@pytest.fixture
def run(original: Path, tmp_path: Path) -> Path:
    """A run that was killed after its last episode: ``run.json`` knows nothing of them."""
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("run.json", "manifest.json", "episodes.jsonl"):
        (folder / name).write_bytes((original / name).read_bytes())
    return folder


def lines_of(run: Path) -> Lines:
    return (run / "episodes.jsonl").read_bytes().splitlines(keepends=True)


def write(run: Path, lines: Sequence[bytes]) -> Path:
    (run / "episodes.jsonl").write_bytes(b"".join(lines))
    return run


def ended(run: Path) -> Path:
    """Makes ``run.json`` say that the run has ended with the records that are there."""
    path = run / "run.json"
    digest = file_sha256(run / "episodes.jsonl")
    told = {"completed": len(lines_of(run)), "episodes_sha256": digest}
    told |= {"finished_at": "2026-01-02T04:00:00+00:00"}
    path.write_text(json.dumps(json.loads(path.read_text()) | told))
    return run


def changed(line: bytes, **fields: Json) -> bytes:
    return canonical_json(json.loads(line) | fields).encode() + b"\n"


def text(folder: Path) -> str:
    return report.text(report.summarize(Run.open(folder)))


def refusal(folder: Path) -> str:
    """The one sentence by which the table, the records and the leaderboard refuse the run."""
    said = set()
    for read in (text, lambda path: Run.open(path).records, leaderboard):
        with pytest.raises(VlabenchError) as refused:
            read(folder)
        said.add(str(refused.value))
    (sentence,) = said
    assert "\n" not in sentence
    return sentence


def leaderboard(folder: Path) -> dict[str, object]:
    return dict(leaderboard_row(Run.open(folder)))


# --- what gives the right result --------------------------------------------------------------


def test_the_order_of_the_lines_says_nothing(original: Path, run: Path) -> None:
    lines = lines_of(run)
    whole = Run.open(original)
    for order in (lines[::-1], lines[1::2] + lines[::2]):
        write(run, order)
        assert Run.open(run).records == whole.records
        assert text(run) == text(original)
        assert leaderboard(run) == leaderboard(original)


def test_equal_lines_are_one(original: Path, run: Path) -> None:
    lines = lines_of(run)
    for repeated in (lines[:1] + lines, lines + lines, lines[3:] + lines[::-1]):
        write(run, repeated)
        assert text(run) == text(original)
        assert leaderboard(run) == leaderboard(original)
        assert len(Run.open(run).records) == len(PLANNED)


def test_lines_of_two_equal_runs_are_one(original: Path, run: Path) -> None:
    lines = lines_of(run)
    write(run, [*lines, changed(lines[4], wall_s=99.0, latency_ms_p95=99.0, attempt=1)])
    assert text(run) == text(original)
    assert Run.open(run).records == Run.open(original).records


def test_a_torn_last_line_is_missing_and_no_failure(run: Path) -> None:
    *lines, last = lines_of(run)
    for keep in (1, len(last) // 2, len(last) - 1):
        write(run, [*lines, last[:keep]])
        opened = Run.open(run)
        assert opened.missing == [PLANNED[-1].episode_id]
        assert report.summarize(opened).missing == 1
        assert [r.episode_id for r in opened.records] == [e.episode_id for e in PLANNED[:-1]]


@pytest.mark.parametrize("content", [b"", b'{"half'])
def test_an_empty_file_is_a_run_without_results(content: bytes, run: Path) -> None:
    write(run, [content])
    opened = Run.open(run)
    assert (opened.results, opened.valid) == ([], False)
    summary = report.summarize(opened)
    assert (summary.missing, summary.overall, summary.worst_axis) == (len(PLANNED), None, None)
    assert "0.0" not in report.text(summary)
    with pytest.raises(VlabenchError, match=f"{len(PLANNED)} of {len(PLANNED)} episodes are mis"):
        leaderboard(run)


def test_no_file_is_a_run_without_results(run: Path) -> None:
    (run / "episodes.jsonl").unlink()
    assert Run.open(run).results == Run.open(run).records == []


def test_a_lost_episode_is_missing_and_may_have_run_later(original: Path, run: Path) -> None:
    lines = lines_of(run)
    lost = changed(lines[2], status="infra_error", success=False, time_to_success_s=None)
    write(run, [*lines[:2], lost, *lines[3:]])
    assert Run.open(run).missing == [PLANNED[2].episode_id]
    write(run, [lost, *lines])
    assert text(run) == text(original)


def test_minor_versions_are_read_together(original: Path, run: Path) -> None:
    lines = lines_of(run)
    old = json.loads(lines[0]) | {"schema_version": "1.0"}
    for name in ("n_collisions", "n_drops", "certified", "allow_mismatch", "said"):
        del old[name]
    new = changed(lines[1], schema_version="1.9", invented_later=[1, 2])
    write(run, [canonical_json(old).encode() + b"\n", new, *lines[2:]])
    opened = Run.open(run)
    assert opened.results[0].n_collisions is None
    assert opened.records[0].certified is None
    assert [r.status for r in opened.results] == [r.status for r in Run.open(original).results]


def test_an_ended_run_reads_back(original: Path, run: Path) -> None:
    assert text(ended(run)) == text(original)


# --- what is refused --------------------------------------------------------------------------


def test_lines_that_contradict_each_other_are_refused_by_their_numbers(run: Path) -> None:
    lines = lines_of(run)
    other = changed(lines[4], path_length_m=0.25)
    write(run, [*lines, lines[4], other])
    sentence = refusal(run)
    assert f"episodes.jsonl:5 and :{len(lines) + 2} contradict each other" in sentence
    assert (
        f"about the episode {PLANNED[4].episode_id}, whose 'path_length_m' is 1.0 in one"
        in sentence
    )


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"schema_version": "2.0"}, "has schema version 2.0, and this vlabench reads"),
        ({"schema_version": "2.0", "task": None}, "has schema version 2.0"),
        ({"run_id": "other"}, "is of the run 'other' and not of 'run'"),
        ({"env_fingerprint": "moon"}, "is of the world 'moon' and not of 'world'"),
        ({"contract_fingerprint": "other"}, "is of another contract"),
        ({"episode_id": "0" * 16}, "is of the episode '0000000000000000', which is not in the"),
        ({"task": "chain"}, "says of the episode"),
        ({"index": 77}, "says of the episode"),
        ({"control_id": "0" * 16}, "says of the episode"),
        ({"success": False}, "says 'status' 'success' and 'success' false"),
        ({"status": "failure"}, "says 'status' 'failure' and 'success' true"),
        ({"status": "solved"}, "is not what this version of vlabench writes"),
        ({"time_to_success_s": None}, "has a time to success and no success, or the reverse"),
        ({"compliance": True}, "has 'compliance' and is no diagnostic, or the reverse"),
        ({"progress": 0.5}, "has a 'progress' of 0.5, which its stages do not give"),
        ({"progress": 1.5}, "is not what this version of vlabench writes"),
        ({"progress": "1.0"}, "is not what this version of vlabench writes"),
        ({"chain_length": 7}, "has a 'chain_length' of 7 in 1 stages"),
        ({"n_collisions": -1}, "is not what this version of vlabench writes"),
        ({"stages": None}, "is not what this version of vlabench writes"),
    ],
)
def test_a_line_that_is_not_the_runs_is_refused_by_its_number(
    fields: dict[str, Json], said: str, run: Path
) -> None:
    lines = lines_of(run)
    assert json.loads(lines[3])["task"] == "chain"
    assert json.loads(lines[6])["task"] == "stack"
    write(run, [*lines[:6], changed(lines[6], **fields), *lines[7:]])
    sentence = refusal(run)
    assert "episodes.jsonl:7" in sentence
    assert said in sentence


@pytest.mark.parametrize(
    "line",
    [b"\n", b"{}garbage\n", b"\x00" * 40 + b"\n", b'{"a": NaN}\n', b"\xff\xfe\n", b'{"half": \n'],
)
def test_a_damaged_line_in_the_middle_is_refused_by_its_number(line: bytes, run: Path) -> None:
    lines = lines_of(run)
    write(run, [*lines[:6], line, *lines[6:]])
    assert "episodes.jsonl:7: this line is no JSON" in refusal(run)


@pytest.mark.parametrize("line", [b"[]\n", b"{}\n", b'"text"\n', b"7\n", b"null\n"])
def test_a_line_of_something_else_is_refused_by_its_number(line: bytes, run: Path) -> None:
    lines = lines_of(run)
    write(run, [*lines[:6], line, *lines[6:]])
    assert "episodes.jsonl:7 is not what this version of vlabench writes" in refusal(run)


Damage = Callable[[Lines], Lines]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda lines: lines[:-1], "has 59 of the 60 episodes that run.json counts"),
        (lambda lines: [*lines[:-1], lines[-1][:40]], "has 59 of the 60 episodes"),
        (lambda lines: [], "has 0 of the 60 episodes"),
        (lambda lines: lines[::-1], "was changed after the run ended"),
        (lambda lines: lines + lines[:1], "was changed after the run ended"),
        (lambda lines: [*lines, b'{"half'], "was changed after the run ended"),
        (lambda lines: [changed(lines[0], wall_s=7.0), *lines[1:]], "was changed after"),
        (lambda lines: [changed(lines[0], n_drops=7), *lines[1:]], "was changed after"),
    ],
)
def test_an_ended_run_is_what_it_was_or_refused(damage: Damage, said: str, run: Path) -> None:
    ended(run)
    write(run, damage(lines_of(run)))
    assert said in refusal(run)


def test_the_command_line_says_it_in_one_sentence(run: Path) -> None:
    from typer import Typer

    from vlabench.cli.leaderboard import leaderboard_command

    app = Typer()
    app.command()(leaderboard_command)
    write(run, [*lines_of(run)[:6], b"{}\n"])
    result = CliRunner().invoke(app, [str(run), "--out", str(run / "board.csv")])
    assert isinstance(result.exception, UsageError)
    assert not (run / "board.csv").exists()


# --- the manifest -----------------------------------------------------------------------------


def test_a_manifest_is_read_in_every_layout(run: Path, tmp_path: Path) -> None:
    path, other = run / "manifest.json", tmp_path / "other.json"
    manifest = read_manifest(path)
    index = read_index(path, manifest.hash)
    assert [e.episode_id for e in index.episodes] == list(manifest.by_id)
    assert index.episodes == ManifestIndex.of(manifest).episodes
    assert canonical_json(manifest.to_json()) == path.read_text().replace("\n", "")
    write_json(other, manifest.to_json())
    assert read_index(other, manifest.hash).episodes == index.episodes
    other.write_text(canonical_json(manifest.to_json()))
    assert read_index(other, manifest.hash).episodes == index.episodes
    assert read_index(path, manifest.hash) is index
    write_manifest(other, manifest)
    assert read_index(other, manifest.hash) is index


def edited(manifest: str) -> str:
    return manifest.replace('"horizon":100', '"horizon":999', 1)


def shortened(manifest: str) -> str:
    first, _, *rest = manifest.splitlines(keepends=True)
    return "".join([first, *rest])


@pytest.mark.parametrize("change", [edited, shortened])
def test_another_manifest_is_refused(change: Callable[[str], str], run: Path) -> None:
    path = run / "manifest.json"
    path.write_text(change(path.read_text()))
    with pytest.raises(UsageError, match=r"holds the manifest [0-9a-f]{16}, and run\.json speaks"):
        Run.open(run)


@pytest.mark.parametrize("keep", [0, 1, 200, -2])
def test_a_torn_manifest_is_refused(keep: int, run: Path) -> None:
    path = run / "manifest.json"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UsageError, match=r"Cannot read .*manifest\.json"):
        Run.open(run)


def test_a_manifest_that_is_gone_is_told(run: Path) -> None:
    (run / "manifest.json").unlink()
    with pytest.raises(UsageError, match=r"Cannot read .*manifest\.json"):
        Run.open(run)
