"""A card says what a checkpoint's numbers mean, and where each fact comes from."""

from __future__ import annotations

from importlib.resources import files

import pytest
import yaml

from vlabench.contract.specs import ActionSpec, CameraSpec
from vlabench.errors import UsageError
from vlabench.policies.card import SOURCED, packaged_card, read_card

CARD = files("vlabench.policies") / "cards" / "openvla.yaml"


def test_openvlas_card_declares_liberos_conventions():
    card = packaged_card("openvla")
    spec = card.spec()
    assert spec.cameras == (CameraSpec("exterior/0", 256, 256, True, 95, (224, 224), 0.9),)
    assert spec.action == ActionSpec(
        gripper_open=1.0,
        gripper_close=0.0,
        gripper_threshold=0.5,
        max_translation_m=0.05,
        max_rotation_rad=0.5,
    )
    assert (spec.control_hz, spec.chunk_length, spec.executed, spec.max_batch) == (20.0, 1, 1, 1)
    assert set(card.sources) == set(SOURCED)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda card: card.update(contrl_hz=20), "'control_hz'"),
        (lambda card: card.pop("executed"), "'executed' is missing"),
        (lambda card: card["cameras"][0].pop("mirrored"), "'mirrored' is missing"),
        (lambda card: card["action"].update(frame="tool"), "'tool'"),
        (lambda card: card.update(executed="1"), "'1'"),
        (lambda card: card.update(deterministic="true"), "'true'"),
        (lambda card: card["action"].update(gripper_open=float("nan")), "nan"),
        (lambda card: card["sources"].pop("control_hz"), "where control_hz comes from"),
        (lambda card: card["sources"].update(stateful=" "), "where stateful comes from"),
        (lambda card: card["sources"].update(colour="red"), "'colour'"),
    ],
)
def test_a_card_is_read_strictly(tmp_path, change, part):
    card = yaml.safe_load(CARD.read_text(encoding="utf-8"))
    change(card)
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(card))
    with pytest.raises(UsageError) as caught:
        read_card(path)
    assert part in str(caught.value)
    assert "mine.yaml:" in str(caught.value)
