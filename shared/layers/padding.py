"""Images of any size on the grids that networks of several resolutions need."""

import torch
import torch.nn.functional as F
from torch import Tensor


def pad_to_multiple(x: Tensor, multiple: int, *, mode: str = "replicate") -> Tensor:
    """Continue (B, C, *S) at the far border until each size of S divides by `multiple`; mode: that of torch's `pad`.

    Written so that an export, for which sizes are symbols, sees a multiple: 16 * ((s + 15) // 16) halves evenly, while
    s + (-s % 16) would cost it minutes of algebra.
    """
    missing = [(s + multiple - 1) // multiple * multiple - s for s in x.shape[2:]]
    recorded = torch.compiler.is_exporting() or torch.jit.is_tracing()  # then it pads whatever the size
    if not (recorded or any(missing)):
        return x
    return F.pad(x, [side for after in reversed(missing) for side in (0, after)], mode=mode)
