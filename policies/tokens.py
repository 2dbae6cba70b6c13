"""Policies that say their actions in tokens, in the style of RT-1 and RT-2.

The model is any language model of transformers, with or without images, whose checkpoint is a
folder or ``owner/name`` on the hub; decoding is greedy. Everything else is the card's: the prompt,
with the model's own placeholder for an image in it, the vocabulary, the bins and the bounds, see
`TokenOptions`. No weights of RT-1 or RT-2 are published in this form; the packaged card has the
conventions of RT-2's paper, for checkpoints of one's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vlabench.errors import UsageError
from vlabench.policies.card import Card
from vlabench.policies.checkpoints import check_keys, inferring
from vlabench.policies.in_process import InProcess
from vlabench.policies.options import read_options
from vlabench.policies.tokens_vocabulary import TokenOptions, Vocabulary
from vlabench.types import ActionChunk, Json, Observation


@dataclass(eq=False, repr=False, kw_only=True)
class ActionTokens(InProcess):
    """Loads a model and reads its tokens as actions, one observation at a time.

    Args:
        checkpoint: A folder that ``save_pretrained`` of transformers wrote, or ``owner/name``.
        card: A packaged card's name, or a card file.
        revision: Of a checkpoint on the hub: its branch, tag or commit; of a folder, your name for
            its state.
        trust_remote_code: Whether Python code that comes with the checkpoint may run.
        device: ``cpu``, ``cuda`` or ``cuda:N``; a graphics card if there is one.
        dtype: Of the weights: ``bfloat16`` unless told, ``float16`` or ``float32``.

    Raises:
        UsageError: If the checkpoint cannot be found or loaded, or its card does not fit.
    """

    adapter = name = "action-tokens"

    @classmethod
    def _chosen(cls, args: Mapping[str, Json]) -> Card:
        card = super()._chosen(args)
        _checked_options(card)
        return card

    def _load(self) -> None:
        import transformers

        self._options = _checked_options(self._card)
        trusted = {"trust_remote_code": self._trusted}
        if self._options.model == "causal":
            self._processor: Any = None
            self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(
                self._folder, **trusted
            )
            kind = transformers.AutoModelForCausalLM
        else:
            self._processor = transformers.AutoProcessor.from_pretrained(self._folder, **trusted)
            self._tokenizer = self._processor.tokenizer
            named = (
                "AutoModelForImageTextToText",
                "AutoModelForVision2Seq",
            )  # the second until 4.45
            kind = next(
                getattr(transformers, name) for name in named if hasattr(transformers, name)
            )
        model, info = kind.from_pretrained(
            self._folder, torch_dtype=self._torch_dtype(), output_loading_info=True, **trusted
        )
        check_keys(
            self.name, self.checkpoint, info["missing_keys"], info["unexpected_keys"],
            [key for key, *_ in info["mismatched_keys"]],
        )  # fmt: skip
        self._model: Any = model.to(self.device).eval()
        self._vocabulary = Vocabulary(self.name, self._options, len(self._tokenizer))

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        """One answer after the other, so that none depends on how others are padded.

        Raises:
            PolicyError: If an answer is no action; the text has the token.
            InfrastructureError: If the memory does not suffice.
        """
        with inferring(self.name):
            return [self._answer(seen) for seen in observations]

    def _answer(self, seen: Observation) -> ActionChunk:
        tokens = self._generated(seen)
        if self._options.tokens == "text":
            said = self._tokenizer.decode(tokens, skip_special_tokens=True)
            bins = self._vocabulary.bins_in(said)
        else:
            words = [self._tokenizer.decode([token]) for token in tokens]
            bins = self._vocabulary.bins_of(tokens, words)
        numbers, done = self._vocabulary.action(bins)
        return ActionChunk(numbers[np.newaxis], extras={"terminate": True} if done else {})

    def _generated(self, seen: Observation) -> list[int]:
        """The tokens of the model's answer, up to its end."""
        import torch

        inputs = self._inputs(seen)
        allowed = self._vocabulary.tokens()
        limits: dict[str, Any] = (
            {"prefix_allowed_tokens_fn": lambda *_: allowed} if self._options.constrained else {}
        )
        with torch.inference_mode():
            generated = self._model.generate(
                **inputs,
                **limits,
                max_new_tokens=self._options.max_new_tokens or len(self._options.layout),
                do_sample=False,
                num_beams=1,
            )
        answer: list[int] = generated[0].tolist()
        asked: list[int] = inputs["input_ids"][0].tolist()
        if self._model.config.is_encoder_decoder:
            answer = answer[1:]  # the decoder's first token begins every answer
        elif answer[: len(asked)] == asked:
            answer = answer[len(asked) :]
        ends = {self._tokenizer.eos_token_id, self._tokenizer.pad_token_id} - set(allowed)
        end = next((place for place, token in enumerate(answer) if token in ends), len(answer))
        return answer[:end]

    def _inputs(self, seen: Observation) -> dict[str, Any]:
        if self._processor is None:
            inputs = self._tokenizer(seen.instruction, return_tensors="pt")
        else:
            from PIL import Image

            images = [Image.fromarray(seen.images[one.role]) for one in self._spec.cameras]
            inputs = self._processor(text=seen.instruction, images=images, return_tensors="pt")
        return {
            name: value.to(self.device, self._torch_dtype())
            if value.is_floating_point()
            else value.to(self.device)
            for name, value in inputs.items()
        }


def _checked_options(card: Card) -> TokenOptions:
    """The options of `card`, once they are known to fit its declaration.

    Raises:
        UsageError: If they do not.
    """
    options = read_options(card, TokenOptions)
    if len(options.low) != card.action.dimension - card.action.padding:
        raise UsageError(
            f"The card {card.name!r} has bounds for {len(options.low)} numbers and an action of "
            f"{card.action.dimension - card.action.padding}; give low, high and layout as many."
        )
    if card.chunk_length != 1:
        raise UsageError(
            f"The card {card.name!r} has chunk_length {card.chunk_length}; policy "
            "'action-tokens' reads one action an answer, so write 1."
        )
    if bool(card.cameras) != (options.model == "vision2seq"):
        raise UsageError(
            f"The card {card.name!r} has {len(card.cameras)} cameras and the model "
            f"{options.model}; a causal model has none, and a vision2seq one at least one."
        )
    return options
