"""Time a bundle's network beside what a user would pick instead, in one run, on its first sample.

Rounds alternate between the methods, so that whatever else the machine does meets all of them alike.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from monai.apps.detection.networks.retinanet_network import RetinaNet
from monai.bundle import create_workflow
from monai.networks.blocks.feature_pyramid_network import FeaturePyramidNetwork
from monai.networks.nets import BasicUNet, DynUNet, VoxelMorph, VoxelMorphUNet, resnet18
from scipy import ndimage
from skimage import feature, filters, measure, segmentation
from torch import Tensor, nn

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from shared.engines.weights import load_weights  # noqa: E402
from shared.viz.tables import format_table  # noqa: E402

Runs = dict[str, Callable[[], object]]  # by name: what is timed


def segmentation_runs(workflow: Any, image: Tensor) -> Runs:
    """The bundle's network, MONAI's BasicUNet with half its default widths, and nnU-Net's network by DynUNet."""
    ours = workflow.parser.get_parsed_content("network").eval()  # with the memory format that inference uses
    dims, channels, classes = image.ndim - 2, image.shape[1], ours(image).shape[1]
    basic = BasicUNet(dims, channels, classes, features=[16, 16, 32, 64, 128, 16])  # 1.4 M parameters in 3D
    dynamic = DynUNet(
        dims, channels, classes, kernel_size=[3] * 4, strides=[1, 2, 2, 2], upsample_kernel_size=[2] * 3,
        filters=[32, 64, 128, 256], res_block=False,
    )  # fmt: skip
    padded = pad(image, 16)  # as those need it
    return {
        f"ours: {type(ours).__name__}": partial(ours, image),
        "MONAI BasicUNet": partial(basic.eval(), padded),
        "MONAI DynUNet (nnU-Net)": partial(dynamic.eval(), padded),
    }


def registration_runs(workflow: Any, pair: Tensor) -> Runs:
    """The bundle's network, alone and with 50 steps of refinement, MONAI's VoxelMorph, and SimpleITK's demons."""
    network, inferer = (workflow.parser.get_parsed_content(key) for key in ("network", "inferer"))
    refining = type(inferer)(inferer.loss, refine_steps=50, learning_rate=inferer.learning_rate)
    widths = (16, 32, 32, 32, 32, 32)
    backbone = VoxelMorphUNet(pair.ndim - 2, 2, 32, widths, widths[::-1])
    monai = VoxelMorph(backbone, spatial_dims=pair.ndim - 2).eval()
    return {
        "ours: VoxelMorph": partial(inferer, pair, network.eval()),
        "ours, 50 refinement steps": partial(refining, pair, network),
        "MONAI VoxelMorph": partial(monai, *pad(pair, 32).split(1, dim=1)),
        **demons(pair),
    }


def detection_runs(workflow: Any, image: Tensor) -> Runs:
    """The bundle from an image in memory to its boxes, its network alone, and MONAI's RetinaNet with a ResNet-18."""
    names = ("network", "inferer", "postprocessing", "class_names")
    network, inferer, suppression, classes = (workflow.parser.get_parsed_content(name) for name in names)
    load_weights(network, workflow.parser.get_parsed_content("weights"))
    scale = inferer.input_size / max(image.shape[2:])
    shown = pad(nn.functional.interpolate(image, scale_factor=scale), 32)
    retina = RetinaNet(2, len(classes), 3, ResNetPyramid(image.shape[1]), size_divisible=32).eval()

    def detect() -> object:
        return suppression({"image": image[0], "pred": inferer(image, network.eval())[0]})

    return {
        "ours: letterboxing, YOLO, suppression": detect,
        "ours: YOLO alone": partial(network, shown),
        "MONAI RetinaNet, ResNet-18, alone": partial(retina, shown),
    }


class ResNetPyramid(nn.Module):
    """MONAI's ResNet-18 with MONAI's feature pyramid, at YOLO's strides 8 to 32; MONAI joins them by torchvision."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = resnet18(spatial_dims=2, n_input_channels=channels)
        self.pyramid = FeaturePyramidNetwork(2, [128, 256, 512], 256)
        self.out_channels = 256

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        body = self.body
        first = body.layer1(body.maxpool(body.act(body.bn1(body.conv1(image)))))
        fine = body.layer2(first)
        middle = body.layer3(fine)
        levels: dict[str, Tensor] = self.pyramid({"fine": fine, "middle": middle, "coarse": body.layer4(middle)})
        return levels


def instance_runs(workflow: Any, image: Tensor) -> Runs:
    """The bundle from an image in memory to its instances, and Otsu's threshold with a watershed of the distances."""
    network, inferer, weights = (workflow.parser.get_parsed_content(name) for name in ("network", "inferer", "weights"))
    load_weights(network, weights).eval()

    def watershed() -> object:
        gray = image[0].mean(dim=0).numpy()
        inside = gray > filters.threshold_otsu(gray)
        distance = ndimage.distance_transform_edt(inside)
        peaks = feature.peak_local_max(distance, min_distance=5, labels=measure.label(inside))
        markers = np.zeros(gray.shape, dtype=int)
        markers[tuple(peaks.T)] = range(1, len(peaks) + 1)
        return segmentation.watershed(-distance, markers, mask=inside)

    return {
        f"ours: {type(network).__name__}, tiles and masks": partial(inferer, image, network),
        "Otsu and watershed (scikit-image)": watershed,
    }


def pad(image: Tensor, multiple: int) -> Tensor:
    return nn.functional.pad(image, [p for s in reversed(image.shape[2:]) for p in (0, -s % multiple)])


def optimisation_runs(workflow: Any, pair: Tensor) -> Runs:
    """The bundle's fast preset, a twentieth of the paper's 300 steps, and SimpleITK's demons."""
    presets = workflow.parser.get_parsed_content("network_def#presets")
    published = presets["paper"]
    published.steps = published.steps // 20
    return {
        "ours: preset fast": partial(presets["fast"], pair),
        "ours: preset paper, 15 of 300 steps": partial(published, pair),
        **demons(pair),
    }


def demons(pair: Tensor) -> Runs:
    moving, fixed = (sitk.GetImageFromArray(image.numpy()) for image in pair[0])
    method = sitk.DiffeomorphicDemonsRegistrationFilter()
    method.SetNumberOfIterations(100)
    return {"SimpleITK diffeomorphic demons, 100 iterations": partial(method.Execute, fixed, moving)}


RUNS = {
    "_instance_segmentation": instance_runs,  # before what its name ends with, too
    "_segmentation": segmentation_runs,
    "_detection": detection_runs,
    "_voxelmorph_registration": registration_runs,
    "_nodeo_registration": optimisation_runs,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", help="name of a folder in bundles/")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(arguments.threads)
    config = ROOT / "bundles" / arguments.bundle / "configs" / "inference.json"
    workflow = create_workflow(config_file=str(config), workflow_type="infer", device="cpu")
    image = workflow.dataset[0]["image"].as_tensor()[None]
    with torch.no_grad():
        of_task = next(make for ending, make in RUNS.items() if arguments.bundle.endswith(ending))
        runs = of_task(workflow, image)
        times: dict[str, list[float]] = {name: [] for name in runs}
        for round_number in range(arguments.rounds + 2):
            for name, run in runs.items():
                run()  # what the method before it left in the caches is not its own
                started = time.perf_counter()
                run()
                if round_number >= 2:  # the first rounds warm up
                    times[name].append(1000 * (time.perf_counter() - started))
    first = statistics.median(next(iter(times.values())))
    rows = [
        {
            "method": name,
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
