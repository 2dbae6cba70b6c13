"""Films of real runs of a fake world: that browsers can play them, and what they say."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import ClassVar

import av
import numpy as np
import pytest
from harness_fakes import FakeEnvironment, FakeWorld

import vlabench
from vlabench.cli import main
from vlabench.contract.specs import CameraSpec, PolicySpec
from vlabench.errors import UsageError
from vlabench.film import Style, chosen, film
from vlabench.film.painting import COLORS, Marks, Sheet, Telling, window
from vlabench.film.shooting import Shot, ending, shoot
from vlabench.film.style import look, views_of
from vlabench.film.texts import LONGEST, fitted, font, printable, wrapped
from vlabench.film.video import VideoFile
from vlabench.film.window import replay_in_window
from vlabench.store import Run
from vlabench.trace import save_trace
from vlabench.types import EpisodeRecord

SMALL = Style(size=96)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("filmed")
    suite = folder / "suite.yaml"
    suite.write_text(
        "name: films\nversion: 1\ndescription: To be filmed.\nseed: 3\nepisodes: 3\n"
        "tasks: [place-on]\ncells:\n  - {axis: lighting, levels: [L1]}\n"
    )
    return vlabench.evaluate(
        "harness_fakes:FakePolicy",
        str(suite),
        world="harness_fakes:FakeWorld",
        runner="serial",
        out=folder / "run",
    )


def frames_of(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        (stream,) = container.streams
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def call(*words: str) -> int | str | None:
    with pytest.raises(SystemExit) as caught:
        main(list(words))
    return caught.value.code


# --- a film ------------------------------------------------------------------------------------


def test_a_film_plays_from_its_first_byte_on_and_has_every_step(run: Run) -> None:
    (one, *_) = film(run, [run.records[0].episode_id], style=SMALL, runner="serial")
    assert one.path is not None
    data = one.path.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    frames, record = frames_of(one.path), run.records[0]
    assert len(frames) == 1 + record.steps + 12  # the start, each step, and the end for 1.2 s
    told = json.loads(one.path.with_suffix(".json").read_text())
    assert frames[0].shape == (told["height"], told["width"], 3)
    assert all(edge % 2 == 0 for edge in frames[0].shape[:2])
    assert told["stages"] == [{"name": s.name, "step": s.step} for s in record.stages]
    assert (told["left_at"], told["steps"], told["hz"]) == (None, record.steps, 10.0)
    from PIL import Image

    assert Image.open(one.path.with_suffix(".jpg")).width == 320


def test_what_is_there_is_not_filmed_again_unless_it_is_to_look_otherwise(run: Run) -> None:
    names = [record.episode_id for record in run.records[:2]]
    first = film(run, names, style=Style(size=100), runner="serial")
    assert all(one.made and one.verified for one in first)
    again = film(run, names, style=Style(size=100), runner="serial")
    assert [one.made for one in again] == [False, False]
    assert [one.path for one in again] == [one.path for one in first]
    (other,) = film(run, names[:1], style=SMALL, runner="serial")
    assert other.made
    told = run.path / "videos" / f"{names[1]}.json"
    told.write_text(told.read_text()[:40])
    assert film(run, names[1:], style=Style(size=100), runner="serial")[0].made


def test_a_film_of_a_changed_trace_says_where_it_left(run: Run, tmp_path: Path) -> None:
    name = run.records[1].episode_id
    path, trace = run.path / "traces" / f"{name}.npz", run.trace(name)
    bent = trace.actions.copy()
    bent[1] *= 0.5
    save_trace(path, replace(trace, actions=bent))
    try:
        footage = shoot(Shot.of(run, name, SMALL))
        assert footage.timeline["left_at"] == 2
        assert not footage.replay.verified
    finally:
        save_trace(path, trace)


def test_one_film_that_fails_costs_no_other(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [record.episode_id for record in run.records]
    real = VideoFile.__enter__

    def broken(self: VideoFile) -> VideoFile:
        calls.append(self)
        if len(calls) == 2:
            raise OSError("no space left\non the device")
        return real(self)

    calls: list[VideoFile] = []
    monkeypatch.setattr(VideoFile, "__enter__", broken)
    films = film(run, names, style=Style(size=104), runner="serial")
    assert [bool(one.error) for one in films] == [False, True, *[False] * (len(names) - 2)]
    assert "no space left on the device" in films[1].error
    assert not (run.path / "videos" / f"{names[1]}.json").exists() or films[1].path is None


@pytest.mark.slow
def test_films_are_the_same_from_many_workers(run: Run) -> None:
    names = [record.episode_id for record in run.records]
    seen: list[str] = []
    films = film(run, names, style=Style(size=98), filed=lambda one: seen.append(one.episode_id))
    assert [one.episode_id for one in films] == names
    assert sorted(seen) == sorted(names)
    assert all(one.made and one.verified and not one.error for one in films)
    told = json.loads((run.path / "videos" / f"{names[0]}.json").read_text())
    alone = shoot(Shot.of(run, names[0], Style(size=98)))
    assert told == json.loads(json.dumps(alone.timeline))


def test_which_episodes_are_filmed(run: Run) -> None:
    assert chosen(run, "none") == []
    everything = [record.episode_id for record in run.records]
    assert chosen(run, "all") == everything
    failures = [record.episode_id for record in run.records if not record.success]
    assert chosen(run, "failures") == failures
    assert 0 < len(failures) < len(everything)
    assert chosen(run, "all", 2) == everything[:2]


# --- the commands ------------------------------------------------------------------------------


def test_replay_films_and_verifies(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, path = run.records[0].episode_id, tmp_path / "one.mp4"
    words = ("replay", str(run.path), name, "--size", "96")
    assert call(*words, "--video", str(path)) == 0
    printed = capsys.readouterr().out
    assert f"film: {path}" in printed
    assert "Verified:" in printed
    assert frames_of(path)
    assert call(*words, "--camera", "exterior/0") == 0
    assert f"film: {run.path / 'videos' / name}.mp4" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--size", "9"), "cannot be 9 pixels"),
        (("--camera", "exterior/9"), "exterior/9"),
        (("--interactive",), "no window"),
        (("--video", "RUN/episodes.jsonl"), "belongs to the run"),
    ],
)
def test_what_cannot_be_filmed_is_told_in_one_sentence(
    words: tuple[str, ...], complaint: str, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [word.replace("RUN", str(run.path)) for word in words]
    assert call("replay", str(run.path), run.records[0].episode_id, *given) == 2
    told = capsys.readouterr().err
    assert complaint in told
    assert len(told.strip().splitlines()) == 1


def evaluating(run: Run, out: Path, *more: str) -> int | str | None:
    words = ("eval", "--policy", "harness_fakes:FakePolicy", "--world", "harness_fakes:FakeWorld")
    suite = str(run.path.parent / "suite.yaml")
    rest = ("--suite", suite, "--out", str(out), "--runner", "serial")
    return call(*words, *rest, *more)


def test_eval_films_the_failures_after_the_run(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert evaluating(run, out, "--video", "failures") == 0
    printed = capsys.readouterr().out
    failures = [record.episode_id for record in Run.open(out).records if not record.success]
    assert f"{len(failures)} films in {out / 'videos'}" in printed
    assert f"{len(failures)}/{len(failures)} films" in printed
    found = sorted(path.stem for path in (out / "videos").glob("*.mp4"))
    assert found == sorted(failures)
    assert printed.index("95 % interval") < printed.index(" films in ")  # the table comes first


def test_a_run_outlives_its_films(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: VideoFile) -> VideoFile:
        raise RuntimeError("no encoder here")

    monkeypatch.setattr(VideoFile, "__enter__", broken)
    assert evaluating(run, tmp_path / "run", "--video", "all") == 0
    printed = capsys.readouterr()
    assert "0 films" in printed.out
    assert "was not filmed: RuntimeError: no encoder here" in printed.err
    assert "and 3 more like these" in printed.err
    assert Run.open(tmp_path / "run").valid
    assert evaluating(run, tmp_path / "other", "--video", "some") == 2
    assert "--video is 'some'; give failures, all or none." in capsys.readouterr().err


class Windowed(FakeWorld):
    """A world with a window, which somebody closes after `looks` looks."""

    looks = 5
    opened: ClassVar[list[int]] = []

    def make(self, *, inspect: bool = False, controller: str = "") -> WindowedEnvironment:
        return WindowedEnvironment(self)


class WindowedEnvironment(FakeEnvironment):
    @contextmanager
    def window(self) -> Iterator[Callable[[], bool]]:
        assert self.steps == 0  # it belongs to the scene that has begun
        Windowed.opened.append(0)

        def show() -> bool:
            Windowed.opened[-1] += 1
            return Windowed.opened[-1] <= Windowed.looks

        yield show


def test_a_window_shows_the_replay_at_its_own_rate_until_it_is_closed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vlabench.replaying.make_world", lambda name: Windowed())
    longest = max(run.records, key=lambda record: record.steps)
    began = time.monotonic()
    result = replay_in_window(run, longest.episode_id)
    assert result.verified
    assert result.steps == longest.steps
    assert Windowed.opened[-1] > Windowed.looks
    assert time.monotonic() - began > 0.1 * (min(longest.steps, Windowed.looks) - 1)


def test_a_full_disk_costs_films_and_no_run(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Here the place of the folder is taken."""
    assert evaluating(run, tmp_path / "run") == 0
    (tmp_path / "run" / "videos").write_text("no folder")
    capsys.readouterr()
    assert evaluating(run, tmp_path / "run", "--video", "all") == 0
    told = capsys.readouterr().err
    assert "The run is kept, but not all was filmed: Cannot write" in told


def stored(run: Run, folder: Path, cameras: list[dict[str, object]], without: str = "") -> Path:
    """A copy of `run` whose policy declared these cameras, and not `without` in its action."""
    copy = folder / "older"
    shutil.copytree(run.path, copy, ignore=shutil.ignore_patterns("videos"))
    info = json.loads((copy / "run.json").read_text())
    info["policy"]["spec"]["cameras"] = cameras
    info["policy"]["spec"]["action"].pop(without, None)
    (copy / "run.json").write_text(json.dumps(info))
    return copy


def test_a_run_from_before_a_field_is_filmed(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = stored(run, tmp_path, [{"role": "exterior/0", "height": 8, "width": 40}], "offset")
    name = run.records[0].episode_id
    assert call("replay", str(old), name, "--size", "96") == 0
    assert not capsys.readouterr().err
    assert frames_of(old / "videos" / f"{name}.mp4")
    # and it is seen as a policy of today with the same camera is
    shot = Shot.of(Run.open(old), name, SMALL)
    complete = [asdict(CameraSpec("exterior/0", 8, 40))]
    assert shoot(shot).mp4 == shoot(replace(shot, spec={**shot.spec, "cameras": complete})).mp4
    assert shoot(shot).mp4 != shoot(replace(shot, spec={**shot.spec, "cameras": []})).mp4


def test_cameras_of_another_time_are_left_out_and_that_is_told(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    camera = {"role": "exterior/0", "height": 8, "width": 12, "telepathy": True}
    new = stored(run, tmp_path, [camera])
    name = run.records[0].episode_id
    assert call("replay", str(new), name, "--size", "96") == 0
    told = capsys.readouterr().err
    assert "cannot read" in told
    assert "'telepathy'" in told
    assert told.strip().endswith("filmed without what the policy saw")
    assert len(told.strip().splitlines()) == 1
    names = [record.episode_id for record in run.records[:2]]
    films = film(Run.open(new), names, style=Style(size=98), runner="serial")
    assert [(one.error, "telepathy" in one.note) for one in films] == [("", True)] * 2
    shot = Shot.of(Run.open(new), name, Style(96, ("policy",)))
    with pytest.raises(UsageError, match=r"cannot read.*another --camera than policy"):
        shoot(shot)
    aside = shoot(replace(shot, style=Style(96, ("exterior/0",))))
    assert aside.replay.verified
    assert not aside.note


# --- what is seen ------------------------------------------------------------------------------


def test_a_panel_shows_what_the_policy_saw(run: Run) -> None:
    """Turned, cropped, in floats and with its channels first: undone for people, and no more."""
    camera = CameraSpec("exterior/0", 8, 8, resized=(4, 6), layout="chw", dtype="float32")
    policy = PolicySpec("p", cameras=(camera,))
    environment = FakeWorld().make()
    environment.start(run.manifest.episodes[0])
    views = views_of(SMALL, FakeWorld().spec(), policy)
    assert [view.of_policy for view in views] == [False, True]
    assert views[1].width_over_height == 1.5
    main, seen = look(environment, views, "harness_fakes:FakePolicy")
    assert main.shape == (96, 128, 3)
    assert (seen.shape, seen.dtype) == ((4, 6, 3), np.uint8)
    assert np.array_equal(seen[0, 0], main[0, 0])
    _, hidden = look(environment, views, "blind:harness_fakes:FakePolicy")
    assert not np.array_equal(hidden, seen)
    assert len(np.unique(hidden)) == 1


def test_as_the_policy_saw_it_needs_a_policy_that_looks() -> None:
    with pytest.raises(UsageError, match="does not look"):
        views_of(Style(cameras=("policy",)), FakeWorld().spec(), PolicySpec("p"))


def telling(**more: object) -> Telling:
    plain = Telling("title", "put it there", "", 3, 10, 0.3, (("half", 2), ("whole", None)))
    return replace(plain, **more)


@pytest.mark.parametrize("shapes", [(4 / 3,), (4 / 3, 1.0), (4 / 3, 1.0, 1.5, 0.7), (1.0, 3.0)])
@pytest.mark.parametrize("size", [97, 480])
def test_no_panel_covers_another(shapes: tuple[float, ...], size: int) -> None:
    sheet = Sheet(size, shapes, ["label"] * len(shapes))
    taken = np.zeros((sheet.height, sheet.width), dtype=int)
    for x, y, width, height in sheet.boxes:
        assert x >= 0
        assert x + width <= sheet.width
        assert y + height <= sheet.height
        taken[y : y + height, x : x + width] += 1
    assert taken.max() == 1
    pictures = [np.full((30, 40, 3), 200, np.uint8)] * len(shapes)
    assert sheet.paint(pictures, telling(), Marks()).shape == (sheet.height, sheet.width, 3)


HOSTILE = [
    "<script>alert(1)</script> \"quoted\" 'too' & more",
    "x" * 10_000,
    "word " * 5_000,
    "שים את הספל על הצלחת",
    "ضع الكوب على الطبق",
    "🤖🦾 拿起杯子",
    "line\none\ttwo\x00\x1b[31mred\u202eturned",
    "",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_can_be_painted(text: str) -> None:
    sheet = Sheet(160, (4 / 3,), [text], [text], speaks=True)
    told = telling(title=text, instruction=text, said=text, stages=((text, None),), warning=text)
    frame = sheet.paint([np.zeros((12, 16, 3), np.uint8)], told, Marks())
    assert frame.shape == (sheet.height, sheet.width, 3)
    shown = printable(text)
    assert len(shown) <= LONGEST + 1
    assert all(char.isprintable() for char in shown)


def test_long_text_ends_in_an_ellipsis_within_its_width() -> None:
    face = font(14)
    for text in ("word " * 50, "x" * 400):
        assert face.getlength(fitted(text, face, 200)) <= 200
        lines = wrapped(text, face, 200, 2)
        assert len(lines) <= 2
        assert all(face.getlength(line) <= 200 for line in lines)
        assert lines[-1].endswith("…")
    assert fitted("short", face, 200) == "short"
    assert wrapped("two words", face, 200, 2) == ["two words"]


def test_of_many_stages_the_one_that_is_next_is_shown() -> None:
    widths = [100.0] * 9
    assert window(widths, 0, 1000) == (0, 9)
    for current in range(9):
        first, last = window(widths, current, 350)
        assert first <= current < last
        assert last - first == 3
    assert window([500.0], 0, 350) == (0, 1)
    assert window([], 0, 350) == (0, 0)


def test_marks_and_outcome_are_drawn() -> None:
    sheet = Sheet(240, (4 / 3,), ["front"])
    picture = [np.zeros((24, 32, 3), np.uint8)]
    plain = sheet.paint(picture, telling(), Marks())
    marked = sheet.paint(picture, telling(), Marks([(1, 2)], [3], [2]))
    assert (plain != marked).any()
    bad = sheet.paint(picture, telling(outcome="FAILURE: dropped", kind="bad"), Marks())
    x, y, *_ = sheet.boxes[0]
    assert tuple(bad[y, x]) == COLORS["bad"]
    assert tuple(plain[y, x]) == (0, 0, 0)


def test_endings(run: Run) -> None:
    record: EpisodeRecord = next(r for r in run.records if not r.success)
    assert ending(record, "missed_grasp") == ("FAILURE: missed grasp", "bad")
    assert ending(record, None) == ("FAILURE", "bad")
    assert ending(replace(record, compliance=True), None) == ("COMPLIED", "good")
    broken = replace(record, status="policy_error", error="NaN")
    assert ending(broken, None) == ("POLICY ERROR: NaN", "bad")
    won = next(r for r in run.records if r.success)
    assert ending(won, None)[1] == "good"
