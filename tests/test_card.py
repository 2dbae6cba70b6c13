"""The benchmark card is what the code and the published data say now, and reads well."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from vlabench.envs.predicates import PREDICATES
from vlabench.envs.world import TabletopWorld
from vlabench.errors import UsageError
from vlabench.manifest import build_manifest
from vlabench.published import Certificate, Publication, Rejection, publish, read_publication
from vlabench.registry import AXES, TASKS
from vlabench.suite import load_suite
from vlabench.types import Change

DOCS = Path(__file__).parent.parent / "docs"
PAGE = DOCS / "benchmark.md"
MOST_BYTES = 3_000_000
STEPS = 41


@pytest.fixture(scope="module")
def card() -> Iterator[ModuleType]:
    """The generator, which is a script beside its sections."""
    sys.path.insert(0, str(DOCS))
    yield importlib.import_module("card")
    sys.path.remove(str(DOCS))


@pytest.fixture(scope="module")
def examples(card: ModuleType) -> ModuleType:
    return importlib.import_module("examples")


@pytest.fixture
def sources(card: ModuleType, tmp_path: Path):
    """A folder with two suites and no measurements."""
    for name in ("smoke", "train"):
        shutil.copy(DOCS.parent / "suites" / f"{name}.yaml", tmp_path)
    return card.Sources(tmp_path, tmp_path / "audit.json", tmp_path / "baselines.csv")


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


# --- the page that is there ---------------------------------------------------------------------


def test_the_page_is_up_to_date(card: ModuleType, page: str):
    assert page == card.text(card.Sources()), "make it anew with 'make card'"


def test_every_task_axis_and_predicate_has_its_place(page: str):
    headings = re.findall(r"^### `(.+)`$", page, flags=re.MULTILINE)
    assert sorted(headings) == sorted([*TASKS.names(), *AXES.names()])
    assert [name for name in PREDICATES if f"\n| `{name}` | " not in page] == []


def test_every_level_has_a_range(page: str):
    for name in AXES.names():
        part = page.partition(f"\n### `{name}`\n")[2].partition("\n##")[0]
        for level in AXES.load(name).levels:
            assert f"\n| {level} | " in part


def test_links_lead_somewhere(card: ModuleType, page: str):
    headings = re.findall(r"^#+ (.+)$", page, flags=re.MULTILINE)
    anchors = [card.anchor(heading) for heading in headings]
    assert len(anchors) == len(set(anchors))
    for target in re.findall(r"\]\(([^)]+)\)", page):
        if target.startswith("#"):
            assert target[1:] in anchors
        else:
            assert (DOCS / target).is_file()


def test_every_table_has_as_many_cells_in_each_row(page: str):
    tables = re.findall(r"(?:^\|.*\|\n)+", page, flags=re.MULTILINE)
    assert len(tables) > len(TASKS.names()) + len(AXES.names())
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1, table


def test_pictures_are_of_what_is_drawn_now(examples: ModuleType):
    wanted = {
        f"task-{name}.jpg": examples.fingerprint({"twin": examples.of_task(name)})
        for name in TASKS.names()
    }
    for name in filter(examples.can_be_seen, AXES.names()):
        wanted[f"axis-{name}.jpg"] = examples.fingerprint(examples.of_axis(name))
    drawn = json.loads((DOCS / "card" / "pictures.json").read_text())
    assert drawn == wanted, "draw them anew with 'docs/sheets.py card'"


def test_pictures_are_there_and_small(examples: ModuleType, page: str):
    pictures = sorted((DOCS / "card").glob("*.jpg"))
    shown = {target for _, target in re.findall(r"!\[(.+)\]\((.+)\)", page)}
    assert shown == {f"card/{path.name}" for path in pictures}
    assert sum(path.stat().st_size for path in pictures) < MOST_BYTES
    for path in pictures:
        with Image.open(path) as picture:
            assert picture.width > picture.height > 100


# --- the measurements ---------------------------------------------------------------------------


def certify(folder: Path, *, rejected: tuple[Rejection, ...] = ()) -> Publication:
    """Publishes the suite ``smoke`` in `folder`, as if the expert had solved it."""
    suite = load_suite(str(folder / "smoke.yaml"))
    manifest = build_manifest(suite, TabletopWorld())
    certified = {
        name: (episode, Certificate(STEPS, "aa", "bb", "cc", "dd"))
        for name, episode in manifest.by_id.items()
    }
    publication = Publication(
        suite="smoke",
        suite_version=suite.version,
        world_version=manifest.world_version,
        env_fingerprint=manifest.env_fingerprint,
        manifest_hash=manifest.hash,
        episodes=tuple(manifest.by_id),
        drawn=len(certified) + len(rejected),
        rejected=rejected,
        steps=STEPS * len(certified),
        wall_s=7200.0,
        versions={"mujoco": "1"},
    )
    publish(folder, [(publication, certified)])
    return publication


def test_what_is_not_measured_is_said(card: ModuleType, sources):
    text = card.text(sources)
    assert "No audit has been published yet." in text
    assert "No suite has been certified yet." in text
    assert "No baselines have been published yet." in text


def test_certificates_give_steps_and_hours(card: ModuleType, sources):
    certify(sources.suites)
    text = card.suites.section(sources)
    assert "| `smoke` | 410 | 3,080 | 1.0 | < 0.1 | < 0.1 | < 0.1 | < 0.1 |" in text
    text = card.tasks.section(sources)
    assert re.search(r"\[`stack`\]\(#stack\) \| 1 \| .* \| 220 \| 11 \| 41 \|", text)
    assert "Nothing was rejected." in card.suites.certificates(sources)


@pytest.mark.parametrize("name", ["horizon", "smoke", "long-horizon", "distractors"])
def test_sizes_are_those_of_the_manifest(card: ModuleType, name: str):
    suite = load_suite(name).narrowed(episodes=1)
    publication = read_publication(suite)
    rejected = frozenset() if publication is None else publication.rejected_keys
    episodes = build_manifest(suite, TabletopWorld(), rejected).episodes
    size = card.suites.size(suite)
    assert size.changed == sum(bool(episode.changes) for episode in episodes)
    assert size.changed + size.unchanged == len(episodes)
    assert size.limit == sum(episode.horizon for episode in episodes)


def test_the_ledger_is_shown(card: ModuleType, sources):
    change = (Change("lighting", "L2"),)
    rejections = [
        ("stack", 0, change, "not solved in 220 steps"),
        ("stack", 1, change, "not solved in 219 steps"),
        ("place-on", 0, (), "fault: it overlaps"),
    ]
    certify(
        sources.suites,
        rejected=tuple(Rejection(task, 0, k, of, why) for task, k, of, why in rejections),
    )
    text = card.suites.certificates(sources)
    assert "| `smoke` | 2 | 10 | 13 | 3 | 23.08 % |" in text
    assert "| lighting:L2 | 2 | `stack` × 2 | not solved in n steps |" in text
    assert "| unchanged | 1 | `place-on` | fault: it overlaps |" in text


def kind_of_states(
    states: int, errors: int, not_made: dict[str, int], discarded: dict[str, int]
) -> dict[str, object]:
    waste = {"not_made": not_made, "discarded": discarded}
    return {"states": states, "errors": errors, "applies": True, **waste}


def audited() -> dict[str, object]:
    return {
        "schema_version": "2.0",
        "world_version": "2",
        "seed": 30000,
        "states": 1200,
        "bound": 0.005,
        "least_of_a_kind": 15,
        "least_of_a_predicate": 30,
        "margins": {"lifted, metres": {"true from": 0.1, "false to": [0.0, 0.06]}},
        "tasks": {
            "stack": {
                "states": 1200,
                "positives": 400,
                "negatives": 800,
                "false_positives": 2,
                "false_negatives": 0,
                "false_positive_rate": 0.0025,
                "false_negative_rate": 0.0,
                "false_positive_interval": [0.0003, 0.009],
                "false_negative_interval": [0.0, 0.0092],
                "discarded": 31,
                "kinds": {
                    "held": kind_of_states(300, 2, {"no way": 4}, {"moved": 30}),
                    "put": kind_of_states(900, 0, {}, {"moved": 1}),
                    "roofed": {**kind_of_states(0, 0, {}, {}), "applies": False},
                },
                "on_the_way": {"not_made": {"no way": 1}, "discarded": {}},
                "predicates": {"on": {"positives": 400, "negatives": 800}},
                "looked_at": {
                    "states": 1100,
                    "agree": 1099,
                    "odd": [{"state": "3.1", "stage": "on", "kind": "put", "truth": False}],
                },
                "errors": [],
            }
        },
    }


def test_the_audit_gives_error_rates(card: ModuleType, sources):
    sources.audit.write_text(json.dumps(audited()))
    text = card.audit.section(sources)
    assert (
        "| [`stack`](#stack) | 1,200 | 0.25 % (2 of 800) | 0.03–0.90 % "
        "| 0.00 % (0 of 400) | 0.00–0.92 % | 1099 of 1100 | 31 |"
    ) in text
    assert "| held | 300 | 2 | 4 | 30 | – |" in text
    assert "| roofed | 0 | 0 | 0 | 0 | `stack` |" in text
    assert "Both end under 0.5 % in 0 of 1 task." in text
    assert "agrees in 1,099 of 1,100 states (not in: [`stack`](#stack) 1)" in text
    assert "| moved | 31 |" in text
    assert "| no way | 5 |" in text
    assert "| lifted, metres | true from: 0.1; false to: 0–0.06 |" in text


def test_an_audit_of_another_schema_is_refused(card: ModuleType, sources):
    sources.audit.write_text(json.dumps(audited() | {"schema_version": "1.0"}))
    with pytest.raises(UsageError, match="run 'vlabench audit' again"):
        card.audit.section(sources)


COLUMNS = [
    *("policy", "privileged", "suite", "suite_version", "kind", "axis", "level"),
    *("success_rate", "compliance"),
]


def test_baselines_show_what_needs_no_senses(card: ModuleType, sources):
    for name in ("lighting", "ci", "camera", "instruction-control"):
        shutil.copy(DOCS.parent / "suites" / f"{name}.yaml", sources.suites)
    rows = [
        "noop,False,lighting,2,overall,,,0.0,",
        "prior,True,lighting,2,overall,,,0.2125,",
        "expert,True,lighting,2,overall,,,0.9950,",
        "prior,True,lighting,2,nominal,,,0.1500,",
        "prior,True,lighting,2,level,lighting,L1,0.3000,",
        "prior,True,ci,1,level,lighting,L1,0.4000,",
        "expert,True,lighting,2,level,lighting,L1,0.9900,",
        "prior,True,lighting,2,level,lighting,L2,0.1000,",
        "noop,False,instruction-control,1,compliance,absent-object,L1,,1.0",
        "noop,False,camera,0,overall,,,0.0,",
    ]
    sources.baselines.write_text("\n".join([",".join(COLUMNS), *rows]) + "\n")
    text = card.baselines.section(sources)
    assert r"| suite | noop | prior\* | expert\* |" in text
    assert "| `lighting` | 0.0 | **21.2** | 99.5 |" in text
    assert "| `lighting`, lighting:L1 | **30.0** | 99.0 |" in text
    assert "| `ci`, lighting:L1 | **40.0** |" in text
    assert "lighting:L2" not in text
    assert "| `instruction-control`, absent-object:L1 | 100.0 |" in text
    assert "older version, and left out: camera." in text
    assert "| `camera`" not in text


def test_a_torn_table_of_baselines_is_refused(card: ModuleType, sources):
    sources.baselines.write_text("policy,suite\nnoop,lighting\n")
    with pytest.raises(UsageError, match=r"baselines\.csv"):
        card.baselines.section(sources)
