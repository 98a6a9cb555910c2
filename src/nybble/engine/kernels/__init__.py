"""The engine's elementwise operations as Triton kernels: the functions of `nybble.engine.plain`."""

from nybble.engine.kernels.copy import copy
from nybble.engine.kernels.cross_entropy import cross_entropy_
from nybble.engine.kernels.dequantize import dequantize
from nybble.engine.kernels.dropout import add_dropped_, drop
from nybble.engine.kernels.norm import add_rms_norm, rms_norm_backward
from nybble.engine.kernels.rotate import rotate
from nybble.engine.kernels.swiglu import swiglu, swiglu_backward_

__all__ = [
    "add_dropped_",
    "add_rms_norm",
    "copy",
    "cross_entropy_",
    "dequantize",
    "drop",
    "rms_norm_backward",
    "rotate",
    "swiglu",
    "swiglu_backward_",
]
