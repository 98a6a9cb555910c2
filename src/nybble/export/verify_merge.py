"""Whether a merged model says what the adapter on its base says.

Rounding the merged weights moves the logits a little, and how much is right depends on the model
and the dtype. So the merge is held against a control: the merged model again, with one weight in
twelve moved by one unit in the last place. That has the variance of rounding to nearest, 1/12 of a
squared unit. A faithful merge differs from the adapter about as much as from its control; one that
lost the adapter, or moved the base, by tens of times as much.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch import Tensor, nn

from nybble.evaluation import mean_interval
from nybble.generation.batches import Ids, in_batches
from nybble.generation.greedy import generate_answers, stop_ids
from nybble.generation.prefill import next_logits
from nybble.generation.sampling import Sampling

MOST_TIMES_ROUNDING = 5.0
SIGNIFICAND_BITS = {torch.float32: 24, torch.float16: 11, torch.bfloat16: 8}
MOVED_SHARE = 1 / 12


@dataclass(frozen=True)
class Said:
    """One model's greedy texts, and its next-token logits [prompts, vocabulary], fp32, on the CPU;
    the ids it stops at and its chat template."""

    texts: list[str]
    logits: Tensor
    stops: list[int]
    chat_template: str | None


@dataclass(frozen=True)
class Asking:
    """The prompts, as ids, and how they are answered."""

    prompts: Sequence[Ids]
    max_new_tokens: int
    batch_tokens: int


@dataclass(frozen=True)
class Agreement:
    """Merged model against adapter on `n` prompts; logits are those of the first answer token.

    `kl_nats` is KL(adapter || merged). `times_rounding` is the root mean square difference of the
    logits over the control's; `share_lost` is it over what the adapter itself changes.
    """

    n: int
    texts_equal: int
    max_logit_difference: float
    kl_nats: dict[str, float]
    max_kl_nats: float
    rms_logit_difference: float
    rms_rounding: float
    times_rounding: float
    most_times_rounding: float
    share_lost: float | None
    same_stops_and_template: bool

    @property
    def faithful(self) -> bool:
        return self.same_stops_and_template and self.times_rounding <= self.most_times_rounding

    def as_json(self) -> dict[str, Any]:
        return {"faithful": self.faithful, **asdict(self)}


def say(model: Any, tokenizer: Any, asking: Asking, dtype: torch.dtype) -> Said:
    """Greedy texts and next-token logits of `model`, computed in `dtype`."""
    texts = [""] * len(asking.prompts)
    with torch.autocast(model.device.type, dtype, enabled=dtype != torch.float32):
        sampling = Sampling(max_new_tokens=asking.max_new_tokens)
        generate_answers(model, tokenizer, asking.prompts, sampling, asking.batch_tokens,
                         texts.__setitem__)  # fmt: skip
        logits = next_token_logits(model, tokenizer, asking)
    return Said(texts, logits, stop_ids(model, tokenizer), tokenizer.chat_template)


@torch.no_grad()
def next_token_logits(model: Any, tokenizer: Any, asking: Asking) -> Tensor:
    """Logits [prompts, vocabulary] of what follows each prompt, fp32, on the CPU."""
    model.eval()
    rows: list[Tensor | None] = [None] * len(asking.prompts)
    pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id

    def read(places: list[int]) -> None:
        logits = next_logits(model, [asking.prompts[i] for i in places], pad)
        for place, row in zip(places, logits.cpu(), strict=True):
            rows[place] = row

    in_batches([len(prompt) for prompt in asking.prompts], asking.batch_tokens, 1, read)
    return torch.stack([row for row in rows if row is not None])


def load_merged(folder: Path, device: str, dtype: torch.dtype, remote_code: bool) -> Any:
    """The model in `folder`, by plain transformers."""
    return transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, device_map={"": device}, trust_remote_code=remote_code
    )


@torch.no_grad()
def move_last_place(model: nn.Module, names: Sequence[str], stored: torch.dtype) -> None:
    """Move one in twelve of the named weights by one unit in the last place of `stored`."""
    generator = torch.Generator().manual_seed(0)
    for name in names:
        weight = model.get_parameter(name)
        unit = last_place(weight.float(), stored)
        draw = torch.rand(weight.shape, generator=generator).to(weight.device)
        sign = (draw < MOVED_SHARE / 2).float() - (draw >= 1 - MOVED_SHARE / 2).float()
        weight.copy_(weight.float() + sign * unit)


def last_place(values: Tensor, stored: torch.dtype) -> Tensor:
    """The unit in the last place that each of `values` has in the dtype `stored`; 0 for a zero.

    NF4's code for zero stays a zero when rounded, and small float16 numbers have fewer bits.
    """
    bits = SIGNIFICAND_BITS[stored]
    units = torch.ldexp(torch.ones_like(values), torch.frexp(values).exponent - bits)
    smallest = torch.finfo(stored).smallest_normal * 2.0 ** (1 - bits)
    return units.clamp(min=smallest).masked_fill(values == 0, 0.0)


def agreement(adapter: Said, base_logits: Tensor, merged: Said, control: Tensor) -> Agreement:
    """`merged` against `adapter`; `base_logits` without any, `control` with rounding's variance."""
    difference = merged.logits - adapter.logits
    rms, rounding = _rms(difference), _rms(control - merged.logits)
    effect = _rms(base_logits - adapter.logits)
    ours, theirs = (said.logits.double().log_softmax(-1) for said in (adapter, merged))
    kl = (ours.exp() * (ours - theirs)).sum(-1).clamp(min=0).numpy().astype(np.float64)
    return Agreement(
        n=len(adapter.texts),
        texts_equal=sum(a == b for a, b in zip(adapter.texts, merged.texts, strict=True)),
        max_logit_difference=float(difference.abs().max()),
        kl_nats=mean_interval(kl).as_json(),
        max_kl_nats=float(kl.max()),
        rms_logit_difference=rms,
        rms_rounding=rounding,
        times_rounding=rms / rounding,
        most_times_rounding=MOST_TIMES_ROUNDING,
        share_lost=rms / effect if effect else None,
        same_stops_and_template=(adapter.stops, adapter.chat_template)
        == (merged.stops, merged.chat_template),
    )


def _rms(values: Tensor) -> float:
    return math.sqrt(float(values.double().square().mean()))
