"""Images of any size on the grids that networks of several resolutions need."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def pad_to_multiple(x: Tensor, multiple: int | Sequence[int], *, mode: str = "replicate") -> Tensor:
    """Continue (B, C, *S) at the far border until each size of S divides by `multiple`; mode: that of torch's `pad`.

    multiple: of all axes, or one an axis.
    Written so that an export, for which sizes are symbols, sees a multiple: 16 * ((s + 15) // 16) halves evenly, while
    s + (-s % 16) would cost it minutes of algebra.
    """
    multiples = [multiple] * (x.ndim - 2) if isinstance(multiple, int) else multiple
    missing = [(s + m - 1) // m * m - s for s, m in zip(x.shape[2:], multiples)]
    recorded = torch.compiler.is_exporting() or torch.jit.is_tracing()  # then it pads whatever the size
    if not (recorded or any(missing)):
        return x
    return F.pad(x, [side for after in reversed(missing) for side in (0, after)], mode=mode)
