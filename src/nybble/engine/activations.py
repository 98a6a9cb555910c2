"""What a decoder layer's forward leaves for its backward, and where a pack's tokens stand."""

from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from nybble.engine.attention import Rows


@dataclass(frozen=True)
class Frame:
    """Of a pack: where its tokens stand. `keys` is None where nothing is dropped.

    `positions` [tokens], `cos` and `sin` [positions, head_dim / 2], `scored_at` [scored].
    """

    positions: Tensor
    keys: Tensor | None
    rows: Rows
    scored_at: Tensor
    cos: Tensor
    sin: Tensor


@dataclass(frozen=True)
class Heads:
    """Rotated queries and keys, values; and for families that norm them, what came before.

    `joined` [tokens, widths]: what q, k and v are views of, where they are.
    """

    q: Tensor
    k: Tensor
    v: Tensor
    unnormed: tuple[Tensor, Tensor, Tensor, Tensor] | None
    joined: Tensor | None


@dataclass
class Activations:
    """What a layer's backward reads, and lets go of as it goes.

    The inputs of groups are None where they are made again, or where no gradient needs them.
    """

    h1: Tensor
    inverse1: Tensor
    x_qkv: Tensor | None
    heads: Heads
    attention: Any
    x_o: Tensor
    whole_out: Tensor | None
    h2: Tensor
    inverse2: Tensor
    x_gate_up: Tensor | None
    gate_up: Tensor
    x_down: Tensor | None

    def lean(self) -> "Activations":
        """Without what norms and SwiGLU make again from the rest: a third less."""
        return replace(self, x_qkv=None, x_gate_up=None, x_down=None)


@dataclass(frozen=True)
class AttentionKept:
    """Of a layer's activations, attention's: joined heads, the input of o, and its own notes.

    Remaking the rest from them and h1 saves two of the layer's four groups and attention.
    """

    joined: Tensor
    x_o: Tensor
    notes: Any
