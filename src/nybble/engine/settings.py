"""How the engine trades memory for time, and how it says that it can't compute a model."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """How memory is traded for time; nothing here changes what is learnt.

    `recompute_layers`: so many, from the first on, keep their input alone. The others keep
    everything, or `lean_layers` after them all that norms and SwiGLU do not make again. So many
    `attention_layers` of the recomputed ones keep attention's part too.
    `keep_weights`: the dequantised weights stay. `offload`: what recomputed layers keep waits in
    the host's memory, and with `host_vocabulary` the embedding and the head do. `buffer_bytes`: of
    logits, or of dequantised weights, held at once.
    """

    recompute_layers: int = 0
    lean_layers: int = 0
    attention_layers: int = 0
    keep_weights: bool = False
    offload: bool = False
    host_vocabulary: bool = False
    buffer_bytes: int = 256 * 2**20


class Unsupported(Exception):  # noqa: N818  # says what the model is, not what went wrong
    """The engine does not compute such a model; the message says why."""
