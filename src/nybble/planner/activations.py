"""What training keeps of a token between forward and backward, and what it needs besides."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nybble.planner.shape import Shape

# A stock model's layer keeps this much per token, in units of the hidden and of the MLP width (at
# Llama-3.2-3B's width 90 KB in bf16, the figure measured on an H200), and its input alone.
STOCK, STOCK_INPUT = (7.0, 3.0), 1.0
# Logits, their log-softmax and their gradient, each fp32 [scored tokens, vocabulary].
LOGIT_BYTES = 12
# Layers whose kept parts are on the device when they wait in the host's memory.
ON_THE_WAY = 3


@dataclass(frozen=True)
class Activations:
    """Bytes per token: of a layer kept whole, lean, or as its input alone; and once, at work.

    `attention`: of a recomputed layer's attention, where that is kept beside its input.
    """

    full: int
    lean: int
    input: int
    attention: int
    work: int

    def per_token(
        self, layers: int, recomputed: int, lean: int, offload: bool, attention: int = 0
    ) -> int:
        """Of all `layers`, when so many are recomputed, of which `attention` keep that, and so
        many of the rest are lean.

        With `offload`, what recomputed layers keep is here only while it comes and goes.
        """
        whole = layers - recomputed - lean
        most = ON_THE_WAY if offload else layers
        kept = min(recomputed, most) * self.input + min(attention, most) * self.attention
        kept += whole * self.full + lean * self.lean
        return kept + self.work + (self.full if recomputed else 0)


def engine_activations(shape: Shape, width: int) -> Activations:
    """Of the engine, elements being `width` bytes wide: the tensors of `engine.layer.Activations`.

    Lean layers lack the inputs of q/k/v, gate/up and down, which norms and SwiGLU make again.
    """
    attention = 3 * shape.query_width + 2 * shape.kv_width
    lean = 2 * shape.hidden + attention + 2 * shape.mlp
    full = lean + 2 * shape.hidden + shape.mlp
    work = 3 * shape.hidden + 2 * shape.mlp
    kept = 2 * shape.query_width + 2 * shape.kv_width
    parts = (full, lean, shape.hidden, kept, work)
    return Activations(*(part * width for part in parts))


def stock_activations(config: Mapping[str, Any], width: int) -> Activations:
    """Of a stock model's own forward, with the logits of scored tokens."""
    hidden, mlp = int(config.get("hidden_size") or 0), int(config.get("intermediate_size") or 0)
    full = round((STOCK[0] * hidden + STOCK[1] * mlp) * width)
    logits = int(config.get("vocab_size") or 0) * LOGIT_BYTES
    return Activations(full, full, round(STOCK_INPUT * hidden * width), 0, logits)
