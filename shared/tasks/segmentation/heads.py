"""A network of crops run over a whole head: on a crop around each hippocampus."""

from collections.abc import Callable
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.data import MetaTensor
from monai.inferers import Inferer
from monai.utils import convert_to_tensor
from torch import Tensor

from shared.errors import InputError
from shared.tasks.segmentation.grids import Box, box_of
from shared.tasks.segmentation.locating import Locator, scaled_to_one
from shared.tasks.segmentation.posteriors import keep_what_is_near

Run = Callable[[np.ndarray], np.ndarray]  # from a crop (*B) to class probabilities (C, *B)
MODES = ("auto", "never", "always")
SIDES = ("left", "right")
LEAST_HEAD_MM = 100.0  # along each axis
FIRST_MM = (38.0, 54.0, 38.0)  # to the right, front and top: about the crops that the network learned from
MARGIN_MM = 6.0  # around the structure: theirs are 3 to 13, on average 6
NEAR_MM = 2.0  # of the largest part of a crop, where its soft border ends
LEAST_SHARE = 1 / 4  # of the volume that the locator sees; the crops of FLAIR heads had a fifth at most


class HeadInferer(Inferer):
    """Run crops as `inferer` does, and of a head a crop around each hippocampus that `locator` finds.

    inputs: (1, 1, *S), axes to the right, front and top, voxels by its affine, of 1 mm where it has none.
    locate: "auto" takes for a head what measures over `LEAST_HEAD_MM` along each axis, "always" everything, "never"
    nothing. Raises InputError for another word, and where no hippocampi are found in a head.
    Returns what `inferer` does of a crop. Of a head, for each side, class probabilities on its crop, (1, C, *B), as
    "left" and "right", and where these begin in S as "left_start" and "right_start", (1, 3).
    """

    def __init__(self, inferer: Inferer, *, locator: Locator, locate: str = "auto") -> None:
        if locate not in MODES:
            raise InputError("--locate", expected=f"one of {', '.join(MODES)}", got=locate, fix="correct the option")
        self.inferer = inferer
        self.locator = locator
        self.locate = locate

    def __call__(self, inputs: Tensor, network: Callable[..., Any], *args: object, **kwargs: object) -> Any:
        spacing = _spacing_of(inputs)
        extent = np.multiply(inputs.shape[2:], spacing)
        if self.locate == "never" or (self.locate == "auto" and extent.min() <= LEAST_HEAD_MM):
            return self.inferer(inputs, network, *args, **kwargs)
        if len(inputs) != 1:
            raise ValueError(f"expected one head at a time, got {len(inputs)}")
        plain = convert_to_tensor(inputs, track_meta=False)
        volume = plain[0, 0].cpu().numpy()
        places = self.locator(volume, spacing.tolist())
        if places is None:
            raise _not_found(inputs, extent, "no hippocampi that could be found")

        def run(crop: np.ndarray) -> np.ndarray:
            logits = self.inferer(torch.from_numpy(crop)[None, None].to(plain.device), network, *args, **kwargs)
            return logits[0].float().softmax(dim=0).cpu().numpy()

        found: dict[str, Tensor] = {}
        for side, centre, located_mm3 in zip(SIDES, places.centres, places.volumes_mm3):
            around, probabilities = segment_around(centre, volume, spacing, run, mirrored=side == "right")
            if probabilities[1:].sum() * spacing.prod() < LEAST_SHARE * located_mm3:
                raise _not_found(inputs, extent, f"a {side} hippocampus that is hardly outlined, as in other contrasts")
            found[side] = torch.from_numpy(probabilities)[None]
            found[f"{side}_start"] = torch.tensor([[s.start for s in around]])
        return found


def segment_around(
    centre: np.ndarray, volume: np.ndarray, spacing: np.ndarray, run: Run, *, mirrored: bool
) -> tuple[Box, np.ndarray]:
    """The crop of `volume` (*S) that lies around the structure at about `centre` as crops lie around theirs, and its
    probabilities (C, *B), of which the largest part is left.

    run, mirrored: see `segment_crop`. The place is that of the answer in a first crop, of `FIRST_MM`.
    """
    half = np.divide(FIRST_MM, 2) / spacing
    around = _within(volume, centre - half, centre + half)
    for _ in range(2):
        probabilities = segment_crop(volume[around], run, mirrored=mirrored)
        keep_what_is_near(probabilities, within=NEAR_MM, spacing=spacing.tolist())
        answer, before = box_of(probabilities.argmax(axis=0) > 0), around
        if answer is None:
            break
        ends = [[s.start + a.start, s.start + a.stop] for s, a in zip(around, answer)]
        low, high = np.transpose(ends)
        around = _within(volume, low - MARGIN_MM / spacing, high + MARGIN_MM / spacing)
    return before, probabilities


def segment_crop(crop: np.ndarray, run: Run, *, mirrored: bool) -> np.ndarray:
    """Probabilities (C, *B) by `run` of a crop (*B) in the intensities that the network learned from.

    mirrored: exchange left and right before and after: the scans that the network learned from lie as left ones.
    """
    scaled = scaled_to_one(crop)
    normal = (scaled - scaled.mean()) / max(float(scaled.std()), 1e-6)
    if not mirrored:
        return run(normal)
    return np.ascontiguousarray(run(np.ascontiguousarray(normal[::-1]))[:, ::-1])


def _within(volume: np.ndarray, low: np.ndarray, high: np.ndarray) -> Box:
    """The box from `low` to `high`, in voxels, as far as `volume` (*S) goes."""
    ends = zip(np.rint(low).astype(int).tolist(), np.rint(high).astype(int).tolist(), volume.shape)
    return tuple(slice(max(a, 0), min(b, n)) for a, b, n in ends)


def _spacing_of(inputs: Tensor) -> np.ndarray:
    """(3,), mm."""
    if not isinstance(inputs, MetaTensor):
        return np.ones(3)
    return nib.affines.voxel_sizes(np.asarray(inputs.affine, dtype=float).reshape(-1, 4, 4)[0])


def _not_found(inputs: Tensor, extent: np.ndarray, got: str) -> InputError:
    name = inputs.meta.get("filename_or_obj", "image") if isinstance(inputs, MetaTensor) else "image"
    return InputError(
        name[0] if isinstance(name, list) else name,
        expected="a T1-weighted head, or a crop around one hippocampus",
        got=f"{' × '.join(f'{side:.0f}' for side in extent)} mm with {got}",
        fix="crop the image, and give --locate never if the crop is as large as a head",
    )
