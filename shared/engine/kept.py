"""The memory that a network keeps for gradients, counted while it runs."""

import torch
from torch import Tensor


class Kept(torch.autograd.graph.saved_tensors_hooks):
    """Within it, what is kept for the way back is counted, each storage once, as the network's parameters are."""

    def __init__(self) -> None:
        self.storages: dict[int, int] = {}
        super().__init__(self._note, lambda tensor: tensor)

    def __enter__(self) -> "Kept":  # type: ignore[override]  # of torch's stub, which gives nothing
        super().__enter__()
        return self

    @property
    def bytes(self) -> int:
        return sum(self.storages.values())

    def _note(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        self.storages[storage._cdata] = storage.nbytes()
        return tensor.detach()  # or it would hold the way back that holds it
