"""What a policy sees of an image: every converter, one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image as Pillow

from vlabench.contract.images import (
    CentreCrop,
    ChannelsFirst,
    Floats01,
    HalfTurn,
    JpegRoundTrip,
    Mirror,
    Resize,
    as_pictures,
    image_steps,
)
from vlabench.contract.specs import CameraSpec

IMAGES = arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)))
FILTERS = {
    "nearest": Pillow.Resampling.NEAREST,
    "bilinear": Pillow.Resampling.BILINEAR,
    "bicubic": Pillow.Resampling.BICUBIC,
    "lanczos": Pillow.Resampling.LANCZOS,
    "area": Pillow.Resampling.BOX,
}


@given(arrays.arrays(np.uint8, (6, 5, 3)))
def test_image_converters_give_images_and_leave_theirs_alone(image):
    before = image.copy()
    for convert in (
        HalfTurn(),
        Mirror(),
        JpegRoundTrip(90),
        Resize(6, 5),
        CentreCrop(0.5),
        CentreCrop(1.0),
    ):
        converted = convert(image)
        assert converted.shape == image.shape
        assert converted.dtype == np.uint8
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(Mirror()(Mirror()(image)), image)
    np.testing.assert_array_equal(CentreCrop(1.0)(image), image)


def test_centre_crop_keeps_the_share_of_the_area_and_the_corners_of_the_crop():
    ramp = np.broadcast_to(np.arange(201, dtype=np.uint8)[None, :, None], (201, 201, 3))
    cropped = CentreCrop(0.25)(ramp)
    assert cropped[0, 0, 0] == 50
    assert cropped[100, 100, 0] == 100
    assert cropped[200, 200, 0] == 150
    np.testing.assert_array_equal(cropped[0], cropped[-1])


def test_jpeg_changes_an_image_a_little():
    noise = np.random.default_rng(0).integers(256, size=(32, 32, 3), dtype=np.uint8)
    smooth = Resize(32, 32)(Resize(4, 4)(noise))
    difference = JpegRoundTrip(95)(smooth).astype(int) - smooth
    assert 0 < np.abs(difference).max() < 24


@given(IMAGES)
def test_turning_twice_and_mirroring_twice_gives_the_image_back(image):
    for convert in (HalfTurn(), Mirror()):
        np.testing.assert_array_equal(convert(convert(image)), image)
    np.testing.assert_array_equal(HalfTurn()(image), Mirror()(image[::-1]))


@given(IMAGES)
def test_floats_and_channels_can_be_turned_back(image):
    camera = CameraSpec("wrist/0", *image.shape[:2], layout="chw", dtype="float32")
    shown = image
    for step in image_steps(camera):
        shown = step(shown)
    assert (shown.shape, shown.dtype) == ((3, *image.shape[:2]), np.float32)
    assert 0 <= shown.min() <= shown.max() <= 1
    (picture,) = as_pictures(shown, camera)
    np.testing.assert_array_equal(picture, image)
    several = CameraSpec("wrist/0", *image.shape[:2], history=2, layout="chw", dtype="float32")
    first, second = as_pictures(np.stack([shown, 0 * shown]), several)
    np.testing.assert_array_equal(first, image)
    assert not second.any()


@pytest.mark.parametrize("name", FILTERS)
def test_resampling_is_pillows(name):
    image = np.random.default_rng(0).integers(256, size=(9, 14, 3), dtype=np.uint8)
    expected = np.array(Pillow.fromarray(image).resize((5, 7), FILTERS[name]))
    np.testing.assert_array_equal(Resize(7, 5, name)(image), expected)


def test_area_takes_the_mean_of_whole_blocks():
    image = np.zeros((2, 4, 3), np.uint8)
    image[:, :2] = [[[0] * 3, [100] * 3], [[200] * 3, [100] * 3]]
    np.testing.assert_array_equal(Resize(1, 2, "area")(image)[0, :, 0], [100, 0])


@pytest.mark.parametrize(
    ("size", "top", "left", "height", "width"),
    [
        ((480, 640), 28, 0, 168, 224),
        ((640, 480), 0, 28, 224, 168),
        ((100, 150), 37, 0, 149, 224),
        ((3, 224), 110, 0, 3, 224),
    ],
)
def test_padding_keeps_the_shape_in_the_middle_of_black(size, top, left, height, width):
    padded = Resize(224, 224, "bilinear", "pad")(np.full((*size, 3), 255, np.uint8))
    expected = np.zeros((224, 224, 3), np.uint8)
    expected[top : top + height, left : left + width] = 255
    np.testing.assert_array_equal(padded, expected)


@given(IMAGES)
def test_padding_to_the_size_that_it_has_changes_nothing(image):
    height, width = image.shape[:2]
    padded = Resize(height, width, "bilinear", "pad")(image)
    np.testing.assert_array_equal(padded, image)
    assert padded is not image


def test_the_inside_of_a_padded_image_is_the_resampled_one():
    image = np.random.default_rng(1).integers(256, size=(12, 20, 3), dtype=np.uint8)
    padded = Resize(8, 10, "bilinear", "pad")(image)
    np.testing.assert_array_equal(padded[1:7], Resize(6, 10, "bilinear")(image))
    assert not padded[[0, 7]].any()


def test_the_steps_come_in_the_order_of_the_declaration():
    camera = CameraSpec(
        "wrist/0",
        8,
        8,
        rotated=True,
        mirrored=True,
        jpeg_quality=90,
        resized=(4, 6),
        resize_filter="area",
        resize_fit="pad",
        crop_area=0.5,
        layout="chw",
        dtype="float32",
    )
    assert image_steps(camera) == (
        HalfTurn(),
        Mirror(),
        JpegRoundTrip(90),
        Resize(4, 6, "area", "pad"),
        CentreCrop(0.5),
        Floats01(),
        ChannelsFirst(),
    )
    assert image_steps(CameraSpec("wrist/0", 8, 8)) == ()
