"""Servers and clients that send anything: it costs little, harms nothing, and is told."""

from __future__ import annotations

import io
import json
import re
import struct
import tracemalloc
import zlib
from collections.abc import Callable

import msgpack
import numpy as np
import pytest
from fake_remote import FakeRemote
from fake_rest import serving
from PIL import Image

from vlabench.arrays import read_npy
from vlabench.contract import openpi_codec, wire
from vlabench.contract.specs import CameraSpec, PolicySpec, PromptSpec
from vlabench.contract.unpacking import MOST_VALUES, TooMuchError, read_json
from vlabench.errors import ContractError, InfrastructureError
from vlabench.policies import groot_wire, vla_eval_frames
from vlabench.policies.http import JsonServer
from vlabench.policies.json_numpy import decode_array, unwrapped
from vlabench.policies.remote import Remote as RemotePolicy

MEBI = 2**20


def vla_eval(payload: object) -> bytes:
    return msgpack.packb({"type": "action", "payload": payload, "seq": 1, "timestamp": 0.0})


READERS: dict[str, tuple[Callable[[bytes], object], Callable[[object], bytes]]] = {
    "remote": (wire.decode, msgpack.packb),
    "openpi": (openpi_codec.unpack, msgpack.packb),
    "vla_eval": (vla_eval_frames.unpack, vla_eval),
    "groot": (groot_wire.decode, msgpack.packb),
}


def refused(reader: str, data: bytes, most: int = 64 * MEBI) -> str:
    """What is said of `data`, which must not have cost more memory than `most`."""
    tracemalloc.start()
    try:
        with pytest.raises((wire.WireError, ValueError)) as caught:
            READERS[reader][0](data)
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()
    return str(caught.value)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "head",
    [
        b"\xc6\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
    ],
    ids=["bytes", "text", "list", "map"],
)
def test_a_length_that_nothing_follows(reader: str, head: bytes) -> None:
    assert refused(reader, head + b"x")


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("depth", [40, 900, 10_000])
def test_nesting_has_an_end(reader: str, depth: int) -> None:
    inner = b"\x91" * depth + b"\xc0"
    data = vla_eval("@").replace(b"\xa1@", b"\x81\xa1a" + inner) if reader == "vla_eval" else inner
    assert refused(reader, data)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("small", [b"\x80", b"\x90"], ids=["maps", "lists"])
def test_many_small_things_are_not_unpacked(reader: str, small: bytes) -> None:
    """3 MB of empty maps would be 200 MB in memory."""
    lists = 12
    inner = MOST_VALUES // 4
    data = bytes([0x90 + lists]) + (b"\xdd" + struct.pack(">I", inner) + small * inner) * lists
    assert "more than" in refused(reader, data, 128 * MEBI)


SHAPES: list[object] = [
    [10**9, "a" * 50],
    [10**9, [0] * 50],
    [-1, -1],
    [2**62, 4],
    [1.0],
    [True],
    "ab",
    5,
    None,
    [1] * 100,
]


@pytest.mark.parametrize("shape", SHAPES, ids=[str(s)[:12] for s in SHAPES])
@pytest.mark.parametrize("reader", ["remote", "openpi", "vla_eval"])
def test_a_shape_is_a_list_of_lengths(reader: str, shape: object) -> None:
    """``[1000000000, "a..."]`` multiplied would be a text of 50 GB."""
    arrays: dict[str, dict[object, object]] = {
        "remote": {"__ndarray__": "<f4", "shape": shape, "data": b"1234"},
        "openpi": {b"__ndarray__": True, b"dtype": "<f4", b"shape": shape, b"data": b"1234"},
        "vla_eval": {"__ndarray__": True, "dtype": "<f4", "shape": shape, "data": b"1234"},
    }
    found = {"actions": arrays[reader]}
    assert refused(reader, READERS[reader][1](found), 4 * MEBI)
    assert decode_array({"__numpy__": "MTIzNA==", "dtype": "<f4", "shape": shape}) is None


@pytest.mark.parametrize("dtype", ["|O", "O", "V4", "<c8", "S0", "<U0", "f4,f4", "M8[s]", "no"])
@pytest.mark.parametrize("reader", ["remote", "openpi", "vla_eval"])
def test_a_type_is_one_of_numbers(reader: str, dtype: str) -> None:
    """Objects would be pointers or pickles; a type of no bytes has any shape."""
    shape, data = ([2**31 - 1, 4], b"") if dtype[-1] == "0" else ([1], b"1234")
    arrays: dict[str, dict[object, object]] = {
        "remote": {"__ndarray__": dtype, "shape": shape, "data": data},
        "openpi": {b"__ndarray__": True, b"dtype": dtype, b"shape": shape, b"data": data},
        "vla_eval": {"__ndarray__": True, "dtype": dtype, "shape": shape, "data": data},
    }
    assert refused(reader, READERS[reader][1]({"actions": arrays[reader]}), 4 * MEBI)


def npy(descr: str, shape: str, data: bytes = b"") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


@pytest.mark.parametrize(
    "data",
    [
        npy("'<f4'", "(1000000000000,)"),
        npy("'|S0'", "(1000000000000,)"),
        npy("'|O'", "(1,)", b"\x80\x04]\x94."),
        npy("[('a', '<f4')]", "(1,)", b"1234"),
        npy("'<f4'", "(1,)", b"12345"),
        b"PK\x03\x04" + b"\0" * 100,
        b"\x80\x04]\x94.",
        b"",
    ],
)
def test_an_array_file_is_what_its_header_says(data: bytes) -> None:
    with pytest.raises(ValueError, match="a"):
        read_npy(data)
    frame = msgpack.packb({"__ndarray_class__": True, "as_npy": data})
    assert refused("groot", frame, 4 * MEBI)


def test_an_honest_array_file_is_read() -> None:
    for array in (np.arange(6.0).reshape(2, 3), np.asfortranarray(np.eye(3)), np.array(["lift"])):
        file = io.BytesIO()
        np.save(file, array, allow_pickle=False)
        assert np.array_equal(read_npy(file.getvalue()), array)


# --- pictures ---------------------------------------------------------------------------------


def bomb(width: int, height: int) -> bytes:
    """A PNG of some kB that is so large once it is decoded."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    packed = zlib.compressobj(9)
    rows = b"".join(packed.compress(b"\0" * (width + 1)) for _ in range(height)) + packed.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n"
    return start + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def picture(data: bytes, shape: object) -> dict[str, object]:
    return {"__image__": True, "format": "png", "data": data, "shape": shape}


def test_a_bomb_in_a_picture_is_not_decoded() -> None:
    data = bomb(10_000, 8_000)
    assert len(data) < 200_000
    for shape in ([4, 4, 1], [8_000, 10_000, 1]):
        assert refused("vla_eval", vla_eval({"a": picture(data, shape)}), 8 * MEBI)
    small = bomb(2_000, 1_000)
    many = vla_eval({str(number): picture(small, [1_000, 2_000, 1]) for number in range(40)})
    assert "too large" in refused("vla_eval", many, 128 * MEBI)


def test_an_honest_picture_is_read() -> None:
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    file = io.BytesIO()
    Image.fromarray(image).save(file, format="PNG")
    read = vla_eval_frames.unpack(vla_eval({"a": picture(file.getvalue(), [4, 4, 3])}))
    assert np.array_equal(read.payload["a"], image)


def test_only_png_and_jpeg_are_opened() -> None:
    file = io.BytesIO()
    Image.new("L", (4, 4)).save(file, format="TIFF")
    assert refused("vla_eval", vla_eval({"a": picture(file.getvalue(), [4, 4, 1])}))


# --- JSON over HTTP ---------------------------------------------------------------------------


def answered(answer: bytes, max_bytes: int = MEBI) -> str:
    with serving(answer) as fake:
        server = JsonServer(
            *("fake", fake.url, "/act"),
            connect_timeout_s=5,
            timeout_s=5,
            attempts=1,
            max_bytes=max_bytes,
        )
        with pytest.raises(InfrastructureError) as caught:
            server.post({})
    return str(caught.value)


def test_json_has_limits() -> None:
    assert "more than 1048576 bytes" in answered(b"[" + b"0," * MEBI + b"0]")
    assert "nested too deeply" in answered(b"[" * 100_000)
    assert "levels" in answered(b"[" * 100 + b"]" * 100)
    assert "no JSON" in answered(b"1" * 5_000)
    deep = json.dumps("[" * 500 + "]" * 500)
    assert unwrapped(json.loads(deep)) == "[" * 500 + "]" * 500
    with pytest.raises(TooMuchError):
        read_json("[" * 500 + "]" * 500)


@pytest.mark.parametrize("small", ["{},", "[],", "0,", '{"a":0},'])
@pytest.mark.parametrize("as_bytes", [False, True])
def test_values_of_json_are_counted_before_there_are_any(small: str, as_bytes: bool) -> None:
    """9 MB of empty maps would be 200 MB in memory."""
    text = f"[{small * 1_500_000}0]"
    data = text.encode() if as_bytes else text
    tracemalloc.start()
    try:
        with pytest.raises(TooMuchError, match="more than 1048576 values"):
            read_json(data)
        assert tracemalloc.get_traced_memory()[1] < MEBI
    finally:
        tracemalloc.stop()
    assert len(read_json(f"[{'0,' * 1_000_000}0]")) == 1_000_001


SCALARS: list[tuple[str, object]] = [
    ("<f8", [1.0, 2.0]),
    ("<f8", "1.5"),
    ("<f8", None),
    ("<f8", {"a": 1}),
    ("<i8", 1.5),
    ("<i8", "7" * 4000),
    ("<i8", True),
    ("|b1", 1),
    ("<U5", {"a": 1}),
    ("<U5", [1]),
    ("|S5", 10**9),
    ("|S5", "text"),
    ("<f4", {b"__ndarray__": True, b"dtype": "<f4", b"shape": [2], b"data": b"12345678"}),
]


@pytest.mark.parametrize(("dtype", "data"), SCALARS, ids=str)
def test_a_scalar_is_one_plain_value(dtype: str, data: object) -> None:
    """``numpy.bytes_(1000000000)`` would be a gigabyte, and ``numpy.str_`` takes anything."""
    frame = msgpack.packb({"gain": {b"__npgeneric__": True, b"data": data, b"dtype": dtype}})
    assert refused("openpi", frame, 4 * MEBI)


@pytest.mark.parametrize("value", [np.float32(0.5), np.int64(3), np.bool_(True)])
def test_an_honest_scalar_is_read(value: np.generic) -> None:
    found = openpi_codec.unpack(openpi_codec.pack({"gain": value}))["gain"]
    assert (type(found), found) == (type(value), value)


# --- declarations -----------------------------------------------------------------------------

TOO_LONG = {
    "name": PolicySpec("x" * 1001),
    "revision": PolicySpec("x", revision="bearer=" * 8000),
    "prompt.template": PolicySpec("x", prompt=PromptSpec("{instruction}" + " " * 1000)),
    "skills[1]": PolicySpec("x", skills=("grasp", "x" * 2000)),
    "cameras[0].role": PolicySpec("x", cameras=(CameraSpec("x" * 1001, 8, 8),)),
    "proprio": PolicySpec("x", proprio=("ee_position",) * 1001),
}


@pytest.mark.parametrize("field", TOO_LONG)
def test_a_server_declares_no_novel(field: str) -> None:
    with (
        FakeRemote(TOO_LONG[field]) as server,
        pytest.raises(ContractError, match=re.escape(f"PolicySpec.{field} has ")) as caught,
    ):
        RemotePolicy(server.url)
    assert len(str(caught.value)) < 300


def test_a_server_that_comes_back_declares_no_novel() -> None:
    with FakeRemote() as server:
        policy = RemotePolicy(server.url)
        server.spec = TOO_LONG["revision"]
        policy.close()
        with pytest.raises(InfrastructureError, match=r"PolicySpec\.revision has "):
            policy.reset([])
