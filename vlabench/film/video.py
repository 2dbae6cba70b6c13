"""Writes frames as H.264 in an MP4 that browsers play from its first byte on."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

QUALITY = "21"
"""x264's constant rate factor: 18 looks like the original, 28 is small."""

_BT709 = 1


class VideoFile:
    """One film on its way to the disk; use it as a context manager.

    Frames are encoded by one thread, in 4:2:0 and BT.709, which is what browsers take for granted;
    the index is put in front, so that a page can begin to play before all is loaded.

    Args:
        path: The file.
        size: Width and height in pixels, both even.
        hz: Frames a second.
    """

    def __init__(self, path: Path, size: tuple[int, int], hz: float) -> None:
        self._path, self._size, self._hz = path, size, hz
        self._container: Any = None

    def __enter__(self) -> Self:
        import av

        self._container = av.open(
            str(self._path), "w", format="mp4", options={"movflags": "+faststart"}
        )
        rate = Fraction(self._hz).limit_denominator(1000)
        stream = self._container.add_stream("libx264", rate=rate)
        stream.width, stream.height = self._size
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": QUALITY, "preset": "veryfast", "threads": "1"}
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        self._stream = stream
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._container.mux(self._stream.encode())
        finally:
            self._container.close()

    def add(self, frame: npt.NDArray[np.uint8]) -> None:
        """Writes one frame, ``(H, W, 3)`` RGB."""
        import av

        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        picture = picture.reformat(format="yuv420p", dst_colorspace="ITU709")
        self._container.mux(self._stream.encode(picture))
