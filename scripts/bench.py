"""Time a bundle's network beside the networks a user would pick instead, in one run, on its first sample.

Rounds alternate between the networks, so that whatever else the machine does meets all of them alike.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

import torch
from monai.bundle import create_workflow
from monai.networks.nets import BasicUNet, DynUNet
from torch import nn

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from shared.viz.tables import format_table  # noqa: E402


def peers(spatial_dims: int, in_channels: int, out_channels: int) -> dict[str, nn.Module]:
    """MONAI's BasicUNet with half its default widths (1.4 M parameters in 3D), and nnU-Net's network by DynUNet."""
    widths = (32, 32, 64, 128, 256, 32)
    return {
        "MONAI BasicUNet": BasicUNet(spatial_dims, in_channels, out_channels, features=[w // 2 for w in widths]),
        "MONAI DynUNet (nnU-Net)": DynUNet(
            spatial_dims, in_channels, out_channels, kernel_size=[3] * 4, strides=[1, 2, 2, 2],
            upsample_kernel_size=[2] * 3, filters=[32, 64, 128, 256], res_block=False,
        ),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", help="name of a folder in bundles/")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    config = ROOT / "bundles" / arguments.bundle / "configs" / "inference.json"
    workflow = create_workflow(config_file=str(config), workflow_type="infer", device="cpu")
    image = workflow.dataset[0]["image"].as_tensor()[None]
    stride = 16
    padded = nn.functional.pad(image, [p for s in reversed(image.shape[2:]) for p in (0, -s % stride)])
    ours = workflow.parser.get_parsed_content("network")  # with the memory format that inference uses
    ours.eval()
    networks = {f"ours: {type(ours).__name__}": ours, **peers(image.ndim - 2, image.shape[1], ours(image).shape[1])}
    times: dict[str, list[float]] = {name: [] for name in networks}
    with torch.inference_mode():
        for round_number in range(arguments.rounds + 2):
            for name, network in networks.items():
                given = image if network is ours else padded  # the peers take multiples of 16 only
                started = time.perf_counter()
                network.eval()(given)
                if round_number >= 2:  # the first rounds warm up
                    times[name].append(1000 * (time.perf_counter() - started))
    first = statistics.median(next(iter(times.values())))
    rows = [
        {
            "network": name,
            "parameters": sum(p.numel() for p in networks[name].parameters()),
            "median ms": statistics.median(values),
            "min ms": min(values),
            "ratio to ours": statistics.median(values) / first,
        }
        for name, values in times.items()
    ]
    print(f"{arguments.bundle}, input {tuple(image.shape)}, {arguments.threads} threads, {arguments.rounds} rounds")
    print(format_table(rows, list(rows[0])))


if __name__ == "__main__":
    main()
