"""Forms of registration: the displacement is `Form` itself; here is what also moves the image."""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from shared.engine.forms import Form
from shared.errors import InputError
from shared.spatial.warping import warp, warp_by_gathering


class Moved(Form):
    """A VoxelMorph from "image" (B, 2, *S), moving and fixed, to "displacement" (B, D, *S), voxels, and "moved".

    gather: warps, also those of the integration, gather voxels instead of using GridSample, whose volumes TensorRT has
    from 11.2.1 on.
    """

    outputs: ClassVar[tuple[str, ...]] = ("displacement", "moved")
    meanings: ClassVar[dict[str, str]] = {
        "displacement": "where each voxel of the fixed image is in the moving one, less its own place: voxels, by axis",
        "moved": "the moving image on the fixed one's grid",
    }

    def __init__(self, network: nn.Module, *, gather: bool = False) -> None:
        super().__init__(network)
        self.warp = warp_by_gathering if gather else warp
        self.network.warp = warp_by_gathering if gather else None  # type: ignore[assignment]

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        displacement = self.network(image)
        return displacement, self.warp(image[:, :1], displacement)


class Warp(Form):
    """The last step alone of a registration that is an optimisation: "image" (B, 1, *S) and "displacement" to "moved".

    Raises InputError for half precision: places of voxels need float32.
    """

    inputs: ClassVar[tuple[str, ...]] = ("image", "displacement")
    outputs: ClassVar[tuple[str, ...]] = ("moved",)
    meanings: ClassVar[dict[str, str]] = {"moved": "the image, sampled where each voxel is displaced to; outside it 0"}
    is_whole: ClassVar[bool] = False

    def __init__(self, network: nn.Module, *, gather: bool = False) -> None:
        super().__init__(nn.Identity())
        self.warp = warp_by_gathering if gather else warp

    def forward(self, image: Tensor, displacement: Tensor) -> Tensor:  # type: ignore[override]
        return self.warp(image, displacement)

    def examples(self, images: Sequence[Tensor]) -> list[tuple[Tensor, ...]]:
        """Pairs' moving images, and displacements of up to 10 voxels, also out of the image."""
        return [(x[:, :1], 10 * (2 * x[:, 1:] - 1).repeat(1, x.ndim - 2, *[1] * (x.ndim - 2))) for x in images]

    def in_half(self) -> Form:
        raise InputError("--precision", expected="fp32", got="fp16", fix="a warp computes in float32 alone")
