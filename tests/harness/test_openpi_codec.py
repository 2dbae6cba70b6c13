"""openpi's form of values, byte by byte as its own msgpack_numpy.py writes them."""

from __future__ import annotations

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from vlabench.contract.openpi_codec import pack, unpack
from vlabench.contract.wire import WireError

GOLDEN = (
    b"\x83\xa6prompt\xa4lift"
    b"\xa5state\x84\xc4\x0b__ndarray__\xc3\xc4\x04data\xc4\x08\x00\x00\x80?\x00\x00\x00\xc0"
    b"\xc4\x05dtype\xa3<f4\xc4\x05shape\x91\x02"
    b"\xa4gain\x83\xc4\r__npgeneric__\xc3\xc4\x04data\xcb?\xe0\x00\x00\x00\x00\x00\x00"
    b"\xc4\x05dtype\xa3<f4"
)

arrays = st.sampled_from([np.dtype(n) for n in ("|u1", "<i4", "<f4", "<f8", "|b1", ">f4")]).flatmap(
    lambda dtype: nps.arrays(dtype, nps.array_shapes(min_dims=0, max_dims=4, min_side=0))
)


def test_the_golden_bytes():
    value = {"prompt": "lift", "state": np.array([1, -2], np.float32), "gain": np.float32(0.5)}
    assert pack(value) == GOLDEN
    back = unpack(GOLDEN)
    assert list(back) == ["prompt", "state", "gain"]
    assert (back["prompt"], back["gain"]) == ("lift", 0.5)
    assert type(back["gain"]) is np.float32
    assert back["state"].dtype == np.float32
    np.testing.assert_array_equal(back["state"], [1, -2])


@given(arrays)
def test_arrays_survive_bit_by_bit(array):
    back = unpack(pack({"a": [array]}))["a"][0]
    assert (back.dtype, back.shape, back.tobytes()) == (array.dtype, array.shape, array.tobytes())


@pytest.mark.parametrize(
    "value",
    [
        np.array([object()]),
        np.zeros(2, "V4"),
        np.zeros(2, [("x", "f4")]),
        np.zeros(2, np.complex64),
        np.complex64(1),
        {1, 2},
        2**64,
    ],
)
def test_what_cannot_travel_is_refused_before_it_is_sent(value):
    with pytest.raises(WireError, match="openpi"):
        pack({"inside": value})


def array_map(dtype="<f4", shape=(2,), data=b"\0" * 8):
    return {b"__ndarray__": True, b"data": data, b"dtype": dtype, b"shape": shape}


@pytest.mark.parametrize(
    "sent",
    [
        array_map("|O"),
        array_map("|V4"),
        array_map("<c8", (1,)),
        array_map("nonsense"),
        array_map("<M8[s]", (1,)),
        array_map(data=b"\0" * 7),
        array_map(data=b"\0" * 12),
        array_map(shape=(-1, -2)),
        array_map(shape="two"),
        array_map(shape=(2**40, 2**40)),
        {b"__ndarray__": True},
        {b"__npgeneric__": True, b"data": 1, b"dtype": "|O"},
        {b"__npgeneric__": True, b"data": "one", b"dtype": "<f4"},
    ],
)
def test_what_should_not_have_been_sent_is_refused(sent):
    with pytest.raises(WireError):
        unpack(msgpack.packb({"inside": [sent]}))


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x92\x01", b"\x01\x02", b"\xa2\xff\xff"])
def test_bytes_that_are_no_frame_are_refused(data):
    with pytest.raises(WireError, match="openpi"):
        unpack(data)


def test_a_frame_has_a_limit():
    with pytest.raises(WireError, match="the limit is 50"):
        unpack(pack(b"\0" * 100), 50)
