"""How an answer is drawn from a model's distribution: every setting, and its range.

Needs no torch, so that a setting that cannot be is refused at once.
"""

import math
from dataclasses import dataclass, fields

from nybble.runs.errors import InputError


@dataclass(frozen=True)
class Sampling:
    """Settings of one generation; the defaults are greedy decoding.

    `temperature` divides the logits, 0 takes the most likely token always. `top_k` keeps the k most
    likely tokens (0: all), then `top_p` the fewest of them that together have that share (Holtzman
    et al. 2020). `repetition_penalty` weakens tokens that the prompt or the answer hold already
    (Keskar et al. 2019; 1: none). `min_new_tokens` holds off the stop token, never a stop string.
    `beams` over 1 is beam search, for temperature 0 alone. An answer ends before the first of the
    `stop` strings. Raises `InputError` naming the option that is out of range.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0
    min_new_tokens: int = 0
    max_new_tokens: int = 256
    beams: int = 1
    seed: int = 42
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._check("temperature", 0 <= self.temperature < math.inf, "0 (greedy) or more")
        self._check("top_p", 0 < self.top_p <= 1, "above 0 and at most 1 (all tokens)")
        self._check("top_k", self.top_k >= 0, "0 (all tokens) or more")
        self._check("repetition_penalty", 0 < self.repetition_penalty < math.inf,
                    "above 0; 1 is no penalty")  # fmt: skip
        self._check("max_new_tokens", self.max_new_tokens >= 1, "at least 1")
        self._check("min_new_tokens", 0 <= self.min_new_tokens <= self.max_new_tokens,
                    f"from 0 to max-new-tokens, {self.max_new_tokens}")  # fmt: skip
        self._check("beams", self.beams >= 1, "at least 1; 1 is no beam search")
        self._check("seed", self.seed >= 0, "0 or more")
        self._check("stop", all(self.stop), "a text of at least one character")
        self._check_together()

    @property
    def samples(self) -> bool:
        """Whether tokens are drawn by the seed, rather than the most likely taken."""
        return self.temperature > 0

    def _check(self, name: str, good: bool, range_: str) -> None:
        if not good:
            raise InputError(
                f"{option(name)} = {getattr(self, name)}: out of range.", f"It must be {range_}."
            )

    def _check_together(self) -> None:
        """Refuse what would have no effect, or two effects at odds."""
        if self.samples and self.beams > 1:
            raise InputError(
                f"--beams = {self.beams} with --temperature = {self.temperature}: beam search "
                "looks for the most likely answer and draws none.",
                "Leave one of the two out.",
            )
        defaults = {field.name: field.default for field in fields(self)}
        for name in ("top_p", "top_k"):
            value = getattr(self, name)
            if not self.samples and value != defaults[name]:
                raise InputError(
                    f"{option(name)} = {value} has no effect at --temperature = 0.",
                    "Give a temperature too, for example --temperature 0.7.",
                )


def option(name: str) -> str:
    """`--top-p` for `top_p`."""
    return "--" + name.replace("_", "-")
