"""Arrays that somebody else wrote: what their bytes say is checked before memory is given to it.

A few bytes can say that gigabytes follow: a shape of ``[2000000000, "text"]``, a type of no bytes,
an array file whose header promises more than there is, a zip archive of zeros. So a shape is a list
of whole numbers, a type is one of numbers or text, and the bytes are exactly as many as both of
them say. Nothing here reads a pickle.
"""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy_format

NUMBERS = "biuf"
"""Kinds of types: booleans, whole numbers and floats."""

NUMBERS_AND_TEXT = "biufSU"

LARGEST_MEMBER = 256 * 2**20
"""Bytes of one array of a ``.npz`` file, unless told otherwise."""

_COMPRESSION = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How ``numpy.savez`` and ``numpy.savez_compressed`` pack an array."""

_NPY: Any = npy_format  # its functions have no types
_LONGEST_AXIS = 2**31
_MOST_AXES = 32

Array: TypeAlias = npt.NDArray[Any]


def array_of(data: object, dtype: object, shape: object, kinds: str = NUMBERS) -> Array:
    """The array of this type and shape whose numbers, in C order, are `data`; it owns them.

    Raises:
        ValueError: If the type is not of `kinds`, the shape is none, or `data` are no bytes or not
            as many as are due.
    """
    kind, sizes = _dtype(dtype, kinds), shape_of(shape)
    if not isinstance(data, bytes | bytearray | memoryview):
        raise ValueError(f"an array's data are a {type(data).__name__}, not bytes")
    due = math.prod(sizes) * kind.itemsize
    if len(data) != due:
        raise ValueError(
            f"an array {kind} {list(sizes)} has {len(data)} bytes, where {due} are due"
        )
    return np.ndarray(sizes, kind, buffer=data).copy()


def shape_of(shape: object) -> tuple[int, ...]:
    """`shape` as the lengths of the axes of an array.

    Raises:
        ValueError: If it is anything else than a short list of whole numbers.
    """
    if not isinstance(shape, list | tuple) or len(shape) > _MOST_AXES:
        raise ValueError("an array's shape is no short list")
    for size in shape:
        if type(size) is not int or not 0 <= size < _LONGEST_AXIS:
            raise ValueError("an array's shape has something else than lengths in it")
    return tuple(shape)


def read_npy(data: bytes, kinds: str = NUMBERS_AND_TEXT) -> Array:
    """The array in the bytes of a ``.npy`` file, as ``numpy.save`` writes them.

    Raises:
        ValueError: If it is no such file, holds more or less than its header says, or a type that
            is not of `kinds`; an array of Python's objects, which would be a pickle, is none.
    """
    file = io.BytesIO(data)
    version = _NPY.read_magic(file)
    readers = {(1, 0): _NPY.read_array_header_1_0, (2, 0): _NPY.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"a .npy file of version {version} is not read")
    try:
        shape, fortran, dtype = readers[version](file)
    except Exception as error:  # it is parsed as Python: tokenize.TokenError, MemoryError, ...
        raise ValueError(f"its header is none of a .npy file ({type(error).__name__})") from error
    found = array_of(data[file.tell() :], dtype.str, shape, kinds)
    return found.reshape(shape[::-1]).T if fortran else found


def read_npz(
    path: Path, names: Collection[str], *, kinds: str = NUMBERS, limit: int = LARGEST_MEMBER
) -> dict[str, Array]:
    """The arrays called `names` in the ``.npz`` file at `path`; others are not looked at.

    Args:
        path: The file.
        names: What it must hold.
        kinds: Of types that are allowed.
        limit: Bytes that one array may have once it is unpacked.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is no such file, lacks a name, or has an array that is too large or no
            array of numbers.
    """
    found = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for name in names:
                member = archive.getinfo(f"{name}.npy")
                if member.compress_type not in _COMPRESSION:
                    raise ValueError(f"{name!r} is packed in a way that NumPy does not write")
                if member.file_size > limit:
                    raise ValueError(f"{name!r} would be {member.file_size} bytes, over {limit}")
                with archive.open(member) as file:
                    found[name] = read_npy(file.read(limit + 1), kinds)
    except KeyError as error:
        raise ValueError(f"there is no array {error.args[0]}") from error
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise ValueError(f"it is no .npz file: {error}") from error
    except zlib.error as error:
        raise ValueError(f"it is damaged: {error}") from error
    return found


def _dtype(dtype: object, kinds: str) -> np.dtype[Any]:
    try:
        found = np.dtype(str(dtype))
    except TypeError as error:
        raise ValueError(f"an array has the type {dtype!r}, which is none") from error
    if found.kind not in kinds or not found.itemsize:
        raise ValueError(f"an array has the type {dtype!r}; send numbers")
    return found
