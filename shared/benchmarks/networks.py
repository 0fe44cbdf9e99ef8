"""Peers that are MONAI's networks, with the weights that they start with: what they cost does not depend on them."""

from typing import NamedTuple

import torch.nn.functional as F
from monai.apps.detection.networks.retinanet_network import RetinaNet
from monai.networks.blocks.feature_pyramid_network import FeaturePyramidNetwork
from monai.networks.nets import BasicUNet, DynUNet, VoxelMorph, VoxelMorphUNet, resnet18
from torch import Tensor, nn

from shared.benchmarks.methods import Subject
from shared.benchmarks.tensors import image_of
from shared.layers.padding import pad_to_multiple


class Peer(NamedTuple):
    """A network, and the images (1, C, *S) that it takes of a subject."""

    network: nn.Module
    images: tuple[Tensor, ...]


def basic_unet(subject: Subject) -> Peer:
    """BasicUNet with half its default widths: 1.4 M parameters in 3D."""
    image = pad_to_multiple(image_of(subject), 16, mode="constant")
    network = BasicUNet(image.ndim - 2, image.shape[1], _classes(subject), features=[16, 16, 32, 64, 128, 16])
    return Peer(network.eval().to(subject.device), (image,))


def dyn_unet(subject: Subject) -> Peer:
    """nnU-Net's network."""
    image = pad_to_multiple(image_of(subject), 16, mode="constant")
    network = DynUNet(
        image.ndim - 2, image.shape[1], _classes(subject), kernel_size=[3] * 4, strides=[1, 2, 2, 2],
        upsample_kernel_size=[2] * 3, filters=[32, 64, 128, 256], res_block=False,
    )  # fmt: skip
    return Peer(network.eval().to(subject.device), (image,))


def voxelmorph(subject: Subject) -> Peer:
    """VoxelMorph with MONAI's U-Net, at the images' own resolution."""
    pair = pad_to_multiple(image_of(subject), 32, mode="constant")
    widths = (16, 32, 32, 32, 32, 32)
    backbone = VoxelMorphUNet(pair.ndim - 2, 2, 32, widths, widths[::-1])
    network = VoxelMorph(backbone, spatial_dims=pair.ndim - 2).eval().to(subject.device)
    return Peer(network, pair.split(1, dim=1))


def retina_net(subject: Subject) -> Peer:
    """RetinaNet on a ResNet-18, from the image at the size that the bundle shows to its own network."""
    image, config = image_of(subject), subject.config
    scale = config["input_size"] / (config["tile_size"] or config["inferer"]["usual_tile"])
    shown = F.interpolate(image, scale_factor=scale, mode="bilinear", antialias=True)
    shown = pad_to_multiple(shown, 32, mode="constant")
    network = RetinaNet(2, _classes(subject), 3, ResNetPyramid(image.shape[1]), size_divisible=32)
    return Peer(network.eval().to(subject.device), (shown,))


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


def _classes(subject: Subject) -> int:
    return len(subject.config["class_names"])
