"""Whether images are nearer to the template of their attributes than to the one for all."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from shared.door import OpenBundle, open_bundle
from shared.images.cases import Case
from shared.nets.template import TemplateMorph
from shared.spatial.warping import warp
from shared.tasks.registration.ncc import ncc_loss
from shared.tasks.registration.templates.attributes import AttributeTable
from shared.tasks.registration.templates.centring import length, mean_displacement

WHICH = ("own", "all")  # templates: of the image's attributes, and of their means


@dataclass(frozen=True)
class Nearness:
    """How near images are to templates, by the network of a bundle of the kind of brain_mr_template_registration.

    options: of its inference.json, such as weights.
    """

    bundle: Path
    table: AttributeTable
    window: int = 15  # of NCC, in voxels
    options: Mapping[str, Any] | None = None

    @cached_property
    def _bundle(self) -> OpenBundle:
        return open_bundle(self.bundle, **(self.options or {}))

    def rows(self, subjects: Sequence[Case]) -> list[dict[str, Any]]:
        """A row an image: for the "own" template and that for "all", the NCC with it before and after registration,
        and the mean length of the displacement, in voxels.
        """
        network, read = self._read(subjects)
        return [self._row(case, image, network) for case, image in read]

    def mean_displacement(self, subjects: Sequence[Case]) -> float:
        """How far the template for all is from the middle of the subjects, in voxels.

        That is the mean length over voxels of their mean displacement.
        """
        network, read = self._read(subjects)
        return length(mean_displacement(network, (image for _, image in read)))

    def _read(self, subjects: Sequence[Case]) -> tuple[TemplateMorph, Iterator[tuple[str, Tensor]]]:
        """The network, whose weights are loaded where the first image is read, and each case with its image."""
        network, preprocessing = self._bundle.part("network_def").eval(), self._bundle.part("preprocessing")
        read = ((subject["case"], preprocessing({"moving": subject["image"]})) for subject in subjects)
        return network, ((case, data["image"][None, :1].as_tensor()) for case, data in read)

    def _row(self, case: str, image: Tensor, network: TemplateMorph) -> dict[str, Any]:
        codes = self.table.codes_of(case)[None]
        row: dict[str, Any] = {"case": case}
        for which, used in zip(WHICH, (codes, torch.zeros_like(codes))):
            with torch.no_grad():
                row |= {f"{name}_{which}": value for name, value in self._figures(network, image, used).items()}
        return row

    def _figures(self, network: TemplateMorph, image: Tensor, codes: Tensor) -> dict[str, float]:
        template = network.template_of(codes)
        displacement = network(torch.cat([image, template], dim=1))
        return {
            "ncc_before": -float(ncc_loss(image, template, window=self.window)),
            "ncc_after": -float(ncc_loss(warp(image, displacement), template, window=self.window)),
            "displacement": float(displacement.norm(dim=1).mean()),
        }


def means(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row a figure: its mean for either template, and the share of images for which the own one is the better."""
    table = []
    for name, sign in (("ncc_before", 1), ("ncc_after", 1), ("displacement", -1)):
        own, every = (np.array([row[f"{name}_{which}"] for row in rows]) for which in WHICH)
        nearer = float((sign * (own - every) > 0).mean())
        table.append({"figure": name, "own": own.mean(), "all": every.mean(), "own nearer": nearer})
    return table
