"""Registration of pairs by optimisation alone: NODEO as it was published, and a faster way to the same end."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from shared.errors import InputError
from shared.layers.smoothing import Smoothing
from shared.nets.nodeo import NodeoVelocity
from shared.nets.voxelmorph import VoxelMorph
from shared.spatial.flows import flow
from shared.spatial.warping import integrate, resize, resize_displacement, voxel_coordinates, warp
from shared.tasks.registration.fields import diffusion, folding
from shared.tasks.registration.similarity import Similarity, similarity_named, visible


def preset(name: str, presets: Mapping[str, nn.Module]) -> nn.Module:
    """The one of `presets` that is called `name`. Raises InputError for another name."""
    if name not in presets:
        raise InputError("--preset", expected=f"one of {', '.join(presets)}", got=repr(name), fix="choose one of these")
    return presets[name]


class Level(NamedTuple):
    """How a velocity is refined: images shrunk by `image_stride`, a vector in `velocity_stride` voxels.

    window: of NCC, in voxels of the shrunk images. Adam takes `steps` steps at most, of `learning_rate` voxels of
    the velocity's grid.
    """

    image_stride: int
    velocity_stride: int
    window: int
    steps: int
    learning_rate: float


class CoarseToFine(nn.Module):
    """Displacements (B, D, *S) of pairs (B, 2, *S), in voxels, by optimising a velocity field for each, level by level.

    A third channel of a pair is 1 where the moving image is, and 0 elsewhere, where nothing counts but smoothness.
    The flow is NODEO's, of a velocity that depends on the place alone; it is solved by scaling and squaring.
    levels: for "2" and "3" dimensions, rows of what a `Level` has, in its order or by name.
    similarity: what images are compared by; see `similarity_named`.
    smoothness, folds, magnitude: weights of the velocity's diffusion, of what det J lacks to 0, and of its square.
    patience: a level ends after so many steps without a better loss by `tolerance`.
    start: a network trained on many pairs, with whose velocity the first level begins; it spares the coarse levels.
    Source: Wu et al., NODEO, CVPR 2022, for the loss; Arsigny et al., MICCAI 2006, for the solver.
    """

    def __init__(
        self,
        levels: Mapping[str, Sequence[Sequence[float] | Mapping[str, float]]],
        *,
        similarity: str = "ncc",
        smoothness: float = 0.4,
        folds: float = 0.0,
        magnitude: float = 0.0,
        squarings: int = 5,
        patience: int = 10,
        tolerance: float = 1e-4,
        start: VoxelMorph | None = None,
    ) -> None:
        super().__init__()
        self.start = start
        self.levels = {dims: [_as_level(row) for row in rows] for dims, rows in levels.items()}
        self.similarity = similarity
        self.smoothness = smoothness
        self.folds = folds
        self.magnitude = magnitude
        self.squarings = squarings
        self.patience = patience
        self.tolerance = tolerance

    def forward(self, pair: Tensor) -> Tensor:
        size = pair.shape[2:]
        if str(len(size)) not in self.levels:
            raise InputError(
                "pair", expected=f"{' or '.join(self.levels)} dimensions, as this preset has levels for",
                got=len(size), fix="choose another --preset",
            )  # fmt: skip
        velocity = pair.new_zeros(len(pair), len(size), *[2] * len(size))
        if self.start is not None:
            velocity = self.start.velocity(pair[:, :2])
        return self._displacement(self.refined(pair, velocity), size)

    def refined(self, pair: Tensor, velocity: Tensor) -> Tensor:
        """A velocity (B, D, *S') of `pair`, of any resolution, as the levels better it, on the grid of the last.

        Each image of the pair may have N channels, (B, 2 N, *S) or with the extent (B, 2 N + 1, *S); see `Similarity`.
        """
        size = pair.shape[2:]
        features = features_of(pair, similarity_named(self.similarity))  # at full resolution, where they show the most
        for level in self.levels[str(len(size))]:
            images = resize(features, [max(2, s // level.image_stride) for s in size])
            start = resize_displacement(velocity, [max(2, s // level.velocity_stride) for s in size]).detach()
            unlikeness = unlikeness_of(images, similarity_named(self.similarity, window=level.window))
            loss = partial(self._loss, unlikeness=unlikeness, size=images.shape[2:])
            if images.shape[1] % 2:  # what a network makes of a part may be worse than nothing
                start = lowest(loss, start, torch.zeros_like(start))
            velocity = start.requires_grad_()
            descend(
                partial(loss, velocity), [velocity], steps=level.steps, learning_rate=level.learning_rate,
                patience=self.patience, tolerance=self.tolerance,
            )  # fmt: skip
        return velocity.detach()

    def _displacement(self, velocity: Tensor, size: Sequence[int]) -> Tensor:
        return resize_displacement(integrate(velocity, steps=self.squarings), size)

    def _loss(self, velocity: Tensor, unlikeness: Callable[[Tensor], Tensor], size: Sequence[int]) -> Tensor:
        displacement = self._displacement(velocity, size)
        loss = unlikeness(displacement)
        loss = loss + self.smoothness * diffusion(velocity) + self.magnitude * velocity.square().mean()
        return loss + self.folds * folding(displacement) if self.folds else loss


def features_of(pair: Tensor, similarity: Similarity) -> Tensor:
    """What is compared of a pair (B, 2 N, *S), (B, 2 C, *S), and of one more channel what the moving features show."""
    images = pair.shape[1] // 2 * 2
    return torch.cat([similarity.of_pair(pair[:, :images]), similarity.seen(pair[:, images:])], dim=1)


def unlikeness_of(features: Tensor, similarity: Similarity) -> Callable[[Tensor], Tensor]:
    """How unlike a pair is, by `features_of` it, under a displacement (B, D, *S) of its moving image."""
    channels, extents = divmod(features.shape[1], 2)
    moving, fixed, inside = features.split([channels, channels, extents], dim=1)

    def unlikeness(displacement: Tensor) -> Tensor:
        masked = {"inside": visible(inside, displacement)} if extents else {}
        return similarity.compare(warp(moving, displacement), fixed, **masked)

    return unlikeness


def _as_level(row: Any) -> Level:
    return Level(**row) if isinstance(row, Mapping) else Level(*row)


class Nodeo(nn.Module):
    """Displacements (B, D, *S) of pairs (B, 2, *S), in voxels, each by a network of its own, as NODEO was published.

    A third channel of a pair is as of `CoarseToFine`.
    The defaults are those of the paper and its code: one Euler step, weights λ₁ `folds`, λ₂ `magnitude` and λ₃
    `gradient`, an averaging window of 15 voxels, NCC in windows of 21, 300 steps of Adam.
    similarity: see `similarity_named`. solver, steps_of_flow, adjoint: see `flow`. smoothing: "average", "gaussian" or
    "none". field_stride: the flow is that of a grid coarser by this, and brought to the images' resolution. network:
    more arguments of NodeoVelocity.
    Source: Wu et al., NODEO, CVPR 2022, sec. 3 and 4.1, and its reference code.
    """

    def __init__(
        self,
        *,
        folds: float = 2.5,
        magnitude: float = 5e-5,
        gradient: float = 0.05,
        similarity: str = "ncc",
        window: int = 21,
        smoothing: str = "average",
        smoothing_width: int = 15,
        smoothing_passes: int = 1,
        solver: str = "euler",
        steps_of_flow: int = 1,
        adjoint: bool = False,
        field_stride: int = 1,
        steps: int = 300,
        learning_rate: float = 0.005,
        network: Mapping[str, Any] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.weights = {"folds": folds, "magnitude": magnitude, "gradient": gradient}
        self.similarity = similarity
        self.window = window
        self.smoothing = Smoothing(smoothing, smoothing_width, smoothing_passes)
        self.solving: dict[str, Any] = {"solver": solver, "steps": steps_of_flow, "adjoint": adjoint}
        self.field_stride = field_stride
        self.steps = steps
        self.learning_rate = learning_rate
        self.network = dict(network or {})
        self.seed = seed

    def forward(self, pair: Tensor) -> Tensor:
        return torch.cat([self._register(one) for one in pair.split(1)])

    def _register(self, pair: Tensor) -> Tensor:
        size = pair.shape[2:]
        coarse = [max(2, s // self.field_stride) for s in size]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = NodeoVelocity(len(size), coarse, smoothing=self.smoothing, **self.network).to(pair.device)
        start = torch.stack(voxel_coordinates(pair.new_zeros(1, len(size), *coarse)), dim=1)
        start = start.expand(1, len(size), *coarse).contiguous()

        similarity = similarity_named(self.similarity, window=self.window)
        unlikeness = unlikeness_of(features_of(pair, similarity), similarity)

        def displacement() -> Tensor:
            return resize_displacement(flow(network, start, **self.solving) - start, size)

        def loss() -> Tensor:
            field = displacement()
            folds = folding(field, margin=0.5, power=2)
            gradient = diffusion(field) * len(size)
            magnitude = field.square().sum(dim=1).mean()
            terms = {"folds": folds, "magnitude": magnitude, "gradient": gradient}
            return unlikeness(field) + sum(self.weights[name] * term for name, term in terms.items())

        descend(loss, network.parameters(), steps=self.steps, learning_rate=self.learning_rate, amsgrad=True)
        with torch.no_grad():
            return displacement()


@torch.no_grad()
def lowest(loss: Callable[[Tensor], Tensor], *candidates: Tensor) -> Tensor:
    """The one of `candidates` whose loss is the lowest, the first of equal ones."""
    return min(candidates, key=lambda candidate: float(loss(candidate)))


@torch.enable_grad()
def descend(
    loss: Callable[[], Tensor],
    parameters: Iterable[Tensor],
    *,
    steps: int,
    learning_rate: float,
    patience: int | None = None,
    tolerance: float = 0.0,
    amsgrad: bool = False,
) -> int:
    """Take at most `steps` steps of Adam; fewer where `patience` of them do not better the loss by `tolerance`.

    With `patience` the parameters are then those of the lowest loss. Returns the number of steps taken.
    """
    parameters = list(parameters)
    optimizer = torch.optim.Adam(parameters, lr=learning_rate, amsgrad=amsgrad)
    best, since, kept, taken = float("inf"), 0, [p.detach().clone() for p in parameters], 0
    while taken < steps and (patience is None or since < patience):
        optimizer.zero_grad()
        value = loss()
        value.backward()
        since += 1
        if patience is not None and float(value.detach()) < best - tolerance:
            best, since, kept = float(value.detach()), 0, [p.detach().clone() for p in parameters]
        optimizer.step()
        taken += 1
    with torch.no_grad():
        if patience is not None and float(loss()) > best:
            for parameter, earlier in zip(parameters, kept):
                parameter.copy_(earlier)
    return taken
