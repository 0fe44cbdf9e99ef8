"""How a registration network with a guide is run over a pair: once, and on from there on the pair at hand."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from monai.inferers import Inferer
from monai.utils import convert_to_tensor
from torch import Tensor

from shared.engine.inferers import AutocastInferer
from shared.nets.voxelmorph import VoxelMorph
from shared.tasks.registration.contrasts import in_one_contrast, tissue_correlation
from shared.tasks.registration.inferer import steps_for
from shared.tasks.registration.optimising import CoarseToFine, Level

AUTO = "auto"
LIKE = 0.5  # of `tissue_correlation`, from which contrasts count as alike
USUAL_STEPS = 8
COARSE_STEPS = 2  # for each step at full resolution, at half of it before, where one costs an eighth
SMOOTHER = 2.0  # fields of "mind" than of "ncc" where "auto" takes it, whose descriptors tell less of small movements


class GuidedInferer(Inferer):
    """Give the displacement (B, D, *S) of pairs (B, 2, *S), in voxels: the network's, then refined by gradient descent.

    A third channel of a pair is 1 where the moving image is, and 0 elsewhere, which counts for nothing in refinement.
    refine_steps: of Adam, at the images' full resolution after `COARSE_STEPS` times as many at half of it; None takes
    `USUAL_STEPS` where the network is one of torch, and none where another runtime has it, which has no gradients.
    learning_rate: in voxels of the velocity's grid, half the images'. similarity: see `similarity_named`; "auto" is
    "ncc" where the guide finds that tissues have one order of brightness in both images, else "mind" together with NCC
    of what both look like in one contrast (see `in_one_contrast`); a step costs more then, so that half of those at
    full resolution are taken at half of it. tissues: positions among the guide's classes of what is no fluid.
    tissue_of: the number of each class's tissue, from 0, the background. window: of NCC, in voxels of the images.
    smoothness: weight of the velocity's diffusion. with_inverse: give (B, 2 D, *S), from fixed to moving and back.
    """

    def __init__(
        self,
        *,
        similarity: str,
        tissues: Sequence[int],
        tissue_of: Sequence[int],
        window: int,
        smoothness: float,
        refine_steps: int | None = None,
        learning_rate: float = 0.25,
        with_inverse: bool = False,
        bfloat16: bool = False,
    ) -> None:
        self.similarity = similarity
        self.tissues = tissues
        self.tissue_of = tissue_of
        self.window = window
        self.smoothness = smoothness
        self.refine_steps = refine_steps
        self.learning_rate = learning_rate
        self.with_inverse = with_inverse
        self.autocast = AutocastInferer(bfloat16)

    def __call__(self, inputs: Tensor, network: Callable[..., Tensor], *args: object, **kwargs: object) -> Tensor:
        if len(inputs) > 1:
            return torch.cat([self(one, network) for one in inputs.split(1)])
        plain = convert_to_tensor(inputs)  # a MetaTensor would triple the time of a step
        pair = plain[:, :2]
        steps = steps_for(network, self.refine_steps, usual=USUAL_STEPS)
        if not isinstance(network, VoxelMorph):
            return self.autocast(pair, network)
        found: dict[str, Tensor] = self.autocast(pair, network.guided)  # type: ignore[assignment]
        velocity = found["velocity"].float()
        if steps:
            velocity = self._refined(plain, velocity, _maps(found["guide"]), network, steps)
        ways = [velocity, -velocity] if self.with_inverse else [velocity]
        return torch.cat([network.displacement(way, pair.shape[2:]) for way in ways], dim=1)

    def _refined(self, pair: Tensor, velocity: Tensor, maps: Tensor, network: VoxelMorph, steps: int) -> Tensor:
        similarity, smoothness = self.similarity, self.smoothness
        coarse, fine = COARSE_STEPS * steps, steps
        if similarity == AUTO:
            similarity = "ncc"
            if tissue_correlation(pair[:, :2], maps, self.tissues) <= LIKE:
                similarity, smoothness = "mind", SMOOTHER * smoothness
                alike = in_one_contrast(pair[:, :2], self._tissues(pair[:, :2], maps, network))
                if alike is not None:
                    pair = torch.cat([pair[:, :1], alike[:, :1], pair[:, 1:2], alike[:, 1:], pair[:, 2:]], dim=1)
                    coarse, fine = coarse + fine, fine // 2
        half = Level(2, 4, (self.window + 1) // 2 | 1, coarse, self.learning_rate)
        levels = [half, Level(1, 2, self.window, fine, self.learning_rate)]
        refining = CoarseToFine(
            {"2": levels, "3": levels}, similarity=similarity, smoothness=smoothness, squarings=network.steps
        )
        return refining.refined(pair, velocity)

    def _tissues(self, pair: Tensor, maps: Tensor, network: VoxelMorph) -> Tensor:
        """Of `maps` (2, K, *S') and those that the guide has of the mirrored images, the probabilities of tissues."""
        mirrored = _maps(self.autocast(pair.flip(2), network.segmented)).flip(2)
        tissues = F.one_hot(torch.tensor(self.tissue_of, device=maps.device)).to(maps)
        return torch.tensordot((maps + mirrored) / 2, tissues, dims=([1], [0])).movedim(-1, 1)


def _maps(logits: Tensor) -> Tensor:
    """(2, K, *S'), the probabilities of each image of a pair, of a guide's logits (1, 2 K, *S')."""
    return torch.cat([each.float().softmax(dim=1) for each in logits.chunk(2, dim=1)])
