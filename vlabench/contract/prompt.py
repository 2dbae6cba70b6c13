"""An instruction, worded as a policy was trained to hear it."""

from __future__ import annotations

from vlabench.contract.specs import PromptSpec

PLACE = "{instruction}"
"""Where the instruction goes in a template."""


def worded(instruction: str, prompt: PromptSpec) -> str:
    """`instruction` as `prompt` has it; the template is text, and nothing else in it is special."""
    said = instruction.strip().removesuffix(".") if prompt.strip_period else instruction
    match prompt.case:
        case "lower":
            said = said.lower()
        case "upper":
            said = said.upper()
        case "as-is":
            pass
    return prompt.template.replace(PLACE, said)


def describe(prompt: PromptSpec) -> str:
    """What is done to an instruction, in a few words."""
    done = [] if prompt.case == "as-is" else [f"in {prompt.case} case"]
    if prompt.strip_period:
        done.append("without its full stop")
    if prompt.template != PLACE:
        done.append(f"as {prompt.template!r}")
    return ", ".join(done) or "as it is"
