"""The networks that are compared by score and time, as what `--network_def` takes."""

from shared.engine.recipe import Part, component, with_channels, with_start
from shared.family import FAMILY, network_called

LEVELS = {2: (1, 2, 4, 8, 16), 3: (1, 2, 4, 8)}  # filters of each level, in those of the first
# Of MultiResUNet: the shipped widths, and those that have the FLOPs of MONAI's BasicUNet as the benchmarks take it.
MULTIRES = {
    2: ((16, 32, 64, 128, 256), (10, 20, 40, 80, 160)),
    3: ((16, 40, 96, 192), (10, 24, 54, 108)),
}


def candidates(spatial_dims: int) -> dict[str, Part]:
    """Name -> network_def of a bundle's configs, over images of any size; names end with the filters at full size."""
    wide, narrow = (_ours("multiresunet.MultiResUNet", spatial_dims, filters) for filters in MULTIRES[spatial_dims])
    return {
        "MultiResUNet 16": wide,
        "MultiResUNet 10": narrow,
        **{f"U-Net {n}": _ours("unet.UNet", spatial_dims, [n * k for k in LEVELS[spatial_dims]]) for n in (16, 8)},
        **{f"SegResNet {n}": _residual_encoder(spatial_dims, n) for n in (16, 8)},
    }


def family(spatial_dims: int, filters: int = 16) -> dict[str, Part]:
    """Name, as `--network` takes it, -> network_def; all with as many `filters` at full size."""
    own = with_channels({"spatial_dims": spatial_dims, "filters": [filters * k for k in LEVELS[spatial_dims]]})
    return {name: _startable(network_called(name, own)) for name in FAMILY}


def _ours(target: str, spatial_dims: int, filters: tuple[int, ...] | list[int]) -> Part:
    return _startable(with_channels(component(f"shared.nets.{target}", spatial_dims=spatial_dims, filters=[*filters])))


def _residual_encoder(spatial_dims: int, filters: int) -> Part:
    """MONAI's residual encoder with a light decoder; batch norm, as the others have."""
    network = component("SegResNet", spatial_dims=spatial_dims, init_filters=filters, norm="batch")
    return _startable(component("shared.nets.any_size.AnySize", network=with_channels(network), multiple=8))


def _startable(network: Part) -> Part:
    part: Part = with_start({"network_def": network})["network_def"]
    return part
