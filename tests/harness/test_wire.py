"""Values on the wire: golden bytes, round trips, and what is refused."""

from __future__ import annotations

import typing
from dataclasses import fields, is_dataclass, replace

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from vlabench import types
from vlabench.contract import specs, wire
from vlabench.contract.fields import reader_of
from vlabench.contract.negotiate import negotiate
from vlabench.contract.specs import (
    ActionSpec,
    CameraSpec,
    Ensembling,
    PolicySpec,
    PromptSpec,
    StateField,
)
from vlabench.contract.wire import WireError, decode, encode, from_wire, to_wire
from vlabench.testing import EXAMPLE_ENV, example_observation
from vlabench.types import ActionChunk, EpisodeStart, PrivilegedState

GOLDEN_ARRAY = bytes.fromhex(
    "83"  # a map of three
    "ab5f5f6e6461727261795f5f" "a33c6632"  # "__ndarray__": "<f2"
    "a57368617065" "920201"  # "shape": [2, 1]
    "a464617461" "c404003c00c0"  # "data": 1.0 and -2.0
)  # fmt: skip
GOLDEN_CHUNK = bytes.fromhex(
    "84"
    "a7616374696f6e73"  # "actions"
    "83ab5f5f6e6461727261795f5fa33c6638a57368617065920101a464617461c408000000000000e03f"
    "a8696e6665725f6d73" "cb3ff8000000000000"  # "infer_ms": 1.5
    "aa62617463685f73697a65" "02"  # "batch_size": 2
    "a6657874726173" "81a97465726d696e617465c3"  # "extras": {"terminate": true}
)  # fmt: skip

SPEC = PolicySpec(
    name="many",
    cameras=(
        CameraSpec("exterior/0", 256, 256, resized=(224, 224), jpeg_quality=95, key="image"),
        CameraSpec("wrist/0", 64, 64, history=2, layout="chw", dtype="float32"),
    ),
    proprio=("ee_position",),
    state=(
        StateField("ee_position", offset=(0.0, 0.1, 0.0)),
        StateField("gripper_opening", as_="fingers", scale=0.08),
    ),
    prompt=PromptSpec("do {instruction}", case="lower"),
    action=ActionSpec(max_translation_m=0.05, gripper_threshold=0.5),
    ensembling=Ensembling(0.1),
    control_hz=20.0,
    needs=("last_action",),
    max_batch=4,
)

numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False)
arrays = st.sampled_from([np.dtype(name) for name in wire.DTYPES]).flatmap(
    lambda dtype: nps.arrays(dtype, nps.array_shapes(min_dims=0, max_dims=4, min_side=0))
)
keys = st.text().filter(lambda key: key != wire.MARK)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
)


def example(privileged=True):
    policy = PolicySpec("p", (CameraSpec("exterior/0", 4, 6),), privileged=privileged)
    pipeline = negotiate(replace(policy, proprio=EXAMPLE_ENV.proprio), EXAMPLE_ENV)
    return pipeline.to_policy(example_observation(pipeline, "e", 3))


def same(one, other):
    """Equal down to the types, the order of maps, and the bits of arrays."""
    assert type(one) is type(other)
    if isinstance(one, np.ndarray):
        assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    elif is_dataclass(one):
        for field in fields(one):
            same(getattr(one, field.name), getattr(other, field.name))
    elif isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            same(one[key], other[key])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for left, right in zip(one, other, strict=True):
            same(left, right)
    else:
        assert one == other


def through(kind, noun):
    return from_wire(kind, decode(encode(to_wire(noun))))


def test_the_golden_bytes_of_an_array():
    array = np.array([[1.0], [-2.0]], dtype=np.float16)
    assert encode(array) == GOLDEN_ARRAY
    assert encode(array.astype(">f2")) == GOLDEN_ARRAY
    same(decode(GOLDEN_ARRAY), array)


def test_the_golden_bytes_of_a_chunk():
    chunk = ActionChunk(np.array([[0.5]]), 1.5, 2, {"terminate": True})
    assert encode(wire.chunk_to_wire(chunk)) == GOLDEN_CHUNK
    same(wire.chunk_from_wire(decode(GOLDEN_CHUNK)), chunk)


@given(values)
def test_values_survive(value):
    same(decode(encode(value)), value)


@given(arrays)
def test_arrays_survive_bit_by_bit_nan_included(array):
    back = decode(encode({"a": [array]}))["a"][0]
    same(back, array)
    assert back.flags.writeable


def test_arrays_in_any_order_of_memory_survive():
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    for view in (array[:, ::-1], array.T, array[..., 1], np.asfortranarray(array)):
        np.testing.assert_array_equal(decode(encode(view)), view)


def test_scalars_of_numpy_become_plain_numbers():
    same(decode(encode([np.float32(0.5), np.int64(3), np.bool_(True)])), [0.5, 3, True])


@pytest.mark.parametrize("privileged", [True, False])
def test_an_observation_survives_with_all_that_the_simulator_knows(privileged):
    seen = replace(example(privileged), state=np.array([0.1, np.nan]), last_action=np.zeros(7))
    same(wire.observation_from_wire(decode(encode(wire.observation_to_wire(seen)))), seen)
    assert isinstance(seen.privileged, PrivilegedState) is privileged


def test_declarations_and_starts_survive():
    same(wire.policy_spec_from_wire(decode(encode(wire.policy_spec_to_wire(SPEC)))), SPEC)
    same(wire.env_spec_from_wire(decode(encode(wire.env_spec_to_wire(EXAMPLE_ENV)))), EXAMPLE_ENV)
    start = EpisodeStart("e", 2**63 - 1, "lift", EXAMPLE_ENV)
    same(wire.start_from_wire(decode(encode(wire.start_to_wire(start)))), start)


def test_whole_numbers_stay_whole_so_that_hashes_stay_equal():
    spec = PolicySpec("p", action=ActionSpec(gripper_open=1, gripper_close=0))
    assert repr(through(PolicySpec, spec)) == repr(spec)


def test_every_declaration_has_a_form_on_the_wire():
    for module, names in (
        (specs, ("PolicySpec", "EnvSpec")),
        (types, ("Observation", "ActionChunk", "EpisodeStart", "PrivilegedState")),
    ):
        for name in names:
            assert callable(reader_of(getattr(module, name)))
    with pytest.raises(TypeError, match="no form"):
        reader_of(typing.Callable)


@pytest.mark.parametrize(
    ("value", "part"),
    [
        (np.array([object()]), "type object"),
        (np.zeros(2, dtype=np.complex128), "type complex128"),
        (np.zeros(2, dtype=[("x", "f4")]), "type [('x', '<f4')]"),
        (np.zeros(2, dtype="V4"), "type |V4"),
        (np.array(["text"]), "type <U4"),
        (np.zeros(2, dtype="M8[s]"), "type datetime64[s]"),
        (np.zeros(2, dtype=np.longdouble), "at most 8 bytes"),
        (np.complex128(1j), "complex128 cannot travel"),
        (1j, "complex cannot travel"),
        ({1, 2}, "set cannot travel"),
        (print, "cannot travel"),
        ({1: 2}, "key 1"),
        ({wire.MARK: 2}, wire.MARK),
        (2**64, "smaller numbers"),
    ],
)
def test_what_cannot_travel_is_refused_before_it_is_sent(value, part):
    with pytest.raises(WireError) as caught:
        encode({"inside": [value]})
    assert part in str(caught.value)


def array_map(dtype="<f4", shape=(2,), data=b"\0" * 8, **more):
    return {wire.MARK: dtype, "shape": shape, "data": data, **more}


@pytest.mark.parametrize(
    ("sent", "part"),
    [
        (array_map("|O"), "type '|O'"),
        (array_map("|V4"), "type '|V4'"),
        (array_map("<c8", (1,)), "type '<c8'"),
        (array_map(">f4"), "type '>f4'"),
        (array_map("float32"), "type 'float32'"),
        (array_map(3), "type 3"),
        (array_map(data=b"\0" * 7), "7 bytes, where 8"),
        (array_map(data=b"\0" * 12), "12 bytes, where 8"),
        (array_map(shape=(2**30, 2**30)), "8 bytes, where"),
        (array_map(shape=(-1,)), "shape [-1]"),
        (array_map(shape=(2.0,)), "shape [2.0]"),
        (array_map(shape=(True, 2)), "shape [True, 2]"),
        (array_map(shape=2), "shape 2"),
        (array_map(shape=(1,) * 70, data=b"\0" * 4), "shape"),
        (array_map(data="text"), "data are a str"),
        (array_map(more=1), "'more'"),
        ({wire.MARK: "<f4"}, "keys"),
        ({1: 2}, "key 1"),
        ({b"bytes": 2}, "key b'bytes'"),
        (msgpack.Timestamp(1), "Timestamp"),
        (msgpack.ExtType(5, b"code"), "ExtType"),
    ],
)
def test_what_should_not_have_been_sent_is_refused(sent, part):
    with pytest.raises(WireError) as caught:
        decode(msgpack.packb({"inside": [sent]}))
    assert part in str(caught.value)


@pytest.mark.parametrize(
    "data", [b"", b"\xc1", b"\x92\x01", b"\x01\x02", b"\xa2\xff\xff", b"\xdf\xff\xff\xff\xff"]
)
def test_bytes_that_are_no_frame_are_refused(data):
    with pytest.raises(WireError, match="no msgpack"):
        decode(data)


def test_a_key_may_stand_only_once():
    with pytest.raises(WireError, match="twice"):
        decode(b"\x82\xa1a\x01\xa1a\x02")


def test_a_frame_has_a_limit():
    data = encode(b"\0" * 100)
    assert decode(data, len(data)) == b"\0" * 100
    with pytest.raises(WireError, match=f"{len(data)} bytes; the limit is 50"):
        decode(data, 50)
    with pytest.raises(WireError, match="the limit is 50"):
        encode(b"\0" * 100, 50)


def test_deep_nesting_is_refused():
    value: list = []
    for _ in range(wire.MAX_DEPTH):
        value = [value]
    with pytest.raises(WireError, match="levels"):
        encode(value)
    with pytest.raises(WireError, match="levels"):
        decode(msgpack.packb(value))
    same(decode(encode(value[0])), value[0])
    with pytest.raises(WireError):
        decode(b"\x91" * 100_000 + b"\xc0")


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (("name",), 3, "PolicySpec.name is 3, where text is due."),
        (("max_batch",), True, "PolicySpec.max_batch is True, where a whole number is due."),
        (("max_batch",), 1.5, "PolicySpec.max_batch is 1.5, where a whole number is due."),
        (("privileged",), 1, "PolicySpec.privileged is 1, where true or false is due."),
        (("control_hz",), "5", "PolicySpec.control_hz is '5', where a number is due."),
        (
            ("action", "rotation"),
            "euler",
            "PolicySpec.action.rotation is 'euler', where one of axis_angle, euler_xyz, "
            "quaternion_xyzw, quaternion_wxyz, rot6d, matrix, none is due.",
        ),
        (
            ("cameras", 0, "resized"),
            [224],
            "PolicySpec.cameras.0.resized has 1 entries, where 2 are due.",
        ),
        (("cameras",), "no", "PolicySpec.cameras is 'no', where a list is due."),
        (("prompt",), [], "PolicySpec.prompt is list, where a map of named values is due."),
        (("action", "bound"), "x" * 90, None),
        (
            ("action", "gripper_opens"),
            1.0,
            "PolicySpec.action has the unknown field 'gripper_opens'; do you mean 'gripper_open'.",
        ),
    ],
)
def test_a_wrong_field_is_named(path, value, sentence):
    data = to_wire(SPEC)
    inner = data
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(WireError) as caught:
        from_wire(PolicySpec, data)
    assert str(caught.value) == sentence or (sentence is None and len(str(caught.value)) < 140)


def test_a_missing_field_is_named_even_if_it_has_a_default():
    data = to_wire(SPEC)
    del data["action"]["gripper_relative"]
    with pytest.raises(WireError, match=r"PolicySpec\.action has no field 'gripper_relative'"):
        from_wire(PolicySpec, data)


def test_arrays_of_an_observation_have_their_type():
    data = to_wire(example())
    data["proprio"]["ee_position"] = np.zeros(3, np.float32)
    with pytest.raises(WireError, match=r"Observation\.proprio\.ee_position is an array of float3"):
        from_wire(types.Observation, data)
    data["proprio"]["ee_position"] = [0.0, 0.0, 0.0]
    with pytest.raises(WireError, match=r"ee_position is list, where an array is due"):
        from_wire(types.Observation, data)


def test_actions_may_have_any_type_because_the_pipeline_judges_them():
    same(through(ActionChunk, chunk := ActionChunk(np.zeros((1, 7), np.int32))), chunk)
