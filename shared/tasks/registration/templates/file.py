"""The template as a file has it: an image with a grid, made of a network's weights, for given attributes."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from shared.engine.datasets import opened_file
from shared.engine.weights import load_weights
from shared.errors import InputError
from shared.images.file import ImageFile
from shared.nets.template import TemplateMorph
from shared.spatial.warping import warp
from shared.tasks.registration.templates.attributes import Columns, encode

NAME = Path("template")  # what messages call it


class TemplateFile:
    """The template of `network` with the weights of a file, for `attributes`; those that are not given are the mean.

    columns: how attributes become numbers, see `encode`. label: the path of a label map of the template for no
    attributes, which is moved with it, or "".
    Everything is read and computed when it is first asked for; raises InputError as `load_weights` and `encode` do.
    """

    def __init__(
        self,
        network: TemplateMorph,
        weights: str | Path,
        *,
        columns: Columns,
        attributes: Mapping[str, Any],
        label: str | Path = "",
    ) -> None:
        self.network = network
        self.weights = weights
        self.columns = columns
        self.attributes = attributes
        self.label = label

    def of(self, attributes: Mapping[str, Any]) -> "TemplateFile":
        """The same template for other attributes."""
        return TemplateFile(self.network, self.weights, columns=self.columns, attributes=attributes, label=self.label)

    @cached_property
    def codes(self) -> Tensor:
        """(K,)."""
        return encode(self.columns, self.attributes, "--attributes")

    @cached_property
    def image(self) -> ImageFile:
        """The template, from 0 to 1, on its own grid."""
        velocity = self._velocity
        with torch.no_grad():
            template = self.network.moved_template(velocity, 1)
        return image_file(template[0].detach().cpu().numpy(), self.network.affine.cpu().numpy())

    @cached_property
    def files(self) -> dict[str, ImageFile]:
        """The template as "fixed", and, if it has labels, these as "fixed_label"."""
        return {"fixed": self.image, **({"fixed_label": self._moved_label()} if self.label else {})}

    @cached_property
    def _velocity(self) -> Tensor | None:
        """What moves the template to that of the attributes, (1, D, *S/2)."""
        codes = self.codes  # wrong ones are reported before anything is loaded
        load_weights(self.network, self.weights)
        with torch.no_grad():
            return self.network.shape_velocity(codes[None].to(self.network.template)) if codes.any() else None

    def _moved_label(self) -> ImageFile:
        label, velocity = opened_file(self.label, as_ids=True), self._velocity
        if label.shape != self.image.shape:
            raise InputError(
                label.path, expected=f"the template's shape, {self.image.shape}", got=label.shape,
                fix="give the label.nii.gz of a group of images registered to it",
            )  # fmt: skip
        if velocity is None:
            return label
        ids = torch.as_tensor(label.values[0].reshape(self.network.template.shape[2:]).astype(np.float32))
        with torch.no_grad():
            displacement = self.network.shape_displacement(velocity).cpu()
        moved = warp(ids[None, None], displacement, mode="nearest")[0].numpy().astype(np.int32)
        return replace(label, values=moved.reshape(label.values.shape))


def image_file(values: np.ndarray, affine: np.ndarray) -> ImageFile:
    """An image (1, *S), S = (x, y[, z]), with the `affine` of a network's template; a slice is stored as a volume."""
    if not affine.any():
        return ImageFile(NAME, values.swapaxes(1, 2), np.eye(4), is_raster=True)
    return ImageFile(NAME, values.reshape((*values.shape, 1)[:4]), affine.astype(float))
