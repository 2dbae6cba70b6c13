"""The processor that goes with `modeling_tiny`: two normalised copies of an image, and tokens."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from transformers.image_processing_utils import BatchFeature, ImageProcessingMixin
from transformers.processing_utils import ProcessorMixin


class TinyImageProcessor(ImageProcessingMixin):
    model_input_names: ClassVar[list[str]] = ["pixel_values"]

    def __init__(self, means=((0.5,) * 3,) * 2, stds=((0.5,) * 3,) * 2, **kwargs):
        self.means, self.stds = means, stds
        super().__init__(**kwargs)

    def __call__(self, images, return_tensors=None, **kwargs):
        shown = np.asarray(images.convert("RGB"), dtype=np.float32) / 255
        assert shown.shape == (224, 224, 3), "The image was not prepared."
        both = [(shown - m) / s for m, s in zip(self.means, self.stds, strict=True)]
        stacked = np.concatenate([one.transpose(2, 0, 1) for one in both]).astype(np.float32)
        return BatchFeature({"pixel_values": torch.from_numpy(stacked)[None]})


class TinyProcessor(ProcessorMixin):
    attributes: ClassVar[list[str]] = ["image_processor", "tokenizer"]
    image_processor_class = "AutoImageProcessor"
    tokenizer_class = "AutoTokenizer"

    def __init__(self, image_processor=None, tokenizer=None):
        super().__init__(image_processor, tokenizer)

    def __call__(self, text, images, return_tensors="pt"):
        pixels = self.image_processor(images)["pixel_values"]
        return BatchFeature(
            {**self.tokenizer(text, return_tensors=return_tensors), "pixel_values": pixels}
        )
