"""A template built without learning: images registered to their mean, again and again, which is kept in the middle.

Source: Guimond et al., Average brain models, CVIU 77 (2000); Avants et al., NeuroImage 49 (2010). Differs: the whole
mean displacement is taken back at once, and the mean is not sharpened.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from shared.images.cases import Case
from shared.images.file import ImageFile
from shared.images.reading import read_image
from shared.spatial.frames import between
from shared.spatial.inverting import inverse_field
from shared.spatial.itk import displacement_to_itk, from_itk, resample, to_itk
from shared.tasks.registration.alignment import align_in_place
from shared.tasks.registration.registered import Registered
from shared.tasks.registration.templates.group import Group
from shared.tasks.registration.transforms import image_for_itk
from shared.tasks.registration.views import scaled


def rounds_of(
    subjects: Sequence[Case], register: Callable[..., Registered], start: ImageFile, *, count: int
) -> Iterator[tuple[Group, ImageFile]]:
    """`count` rounds: the images registered to the template so far, which begins as `start`, and the next template.

    register: as a bundle's `predict` does, of `moving`, a path, and `fixed`. What it raises is raised.
    """
    template = start
    for _ in range(count):
        group = Group(template)
        for subject in subjects:
            group.add(register(moving=subject["image"], fixed=template))
        template = centred(group)
        yield group, template


def mean_of_aligned(subjects: Sequence[Case], alignment: str) -> ImageFile:
    """The mean of images, each scaled from 0 to 1, on the grid of the first, to which `alignment` lays them.

    alignment: one of ALIGNMENTS; "none" trusts the images' own coordinates.
    """
    first = read_image(subjects[0]["image"])
    grid, total = image_for_itk(first), np.zeros(())
    for subject in subjects:
        file = read_image(subject["image"])
        moving = image_for_itk(file)
        aligned = resample(moving, grid, align_in_place(moving, grid, between(first, file), alignment))
        total = total + scaled(from_itk(aligned)[0].numpy())
    return on_grid_of(first, total / len(subjects))


def centred(group: Group) -> ImageFile:
    """The mean image of a group, moved so that the displacements from it to the images cancel out."""
    grid, mean = to_itk(group.template), sitk.GetImageFromArray(np.ascontiguousarray(group.maps["mean"].T))
    mean.CopyInformation(grid)
    back = inverse_field(displacement_to_itk(group.mean_field, grid), grid)
    moved = resample(mean, grid, sitk.DisplacementFieldTransform(back))
    return on_grid_of(group.template, from_itk(moved)[0].numpy())


def on_grid_of(file: ImageFile, values: np.ndarray) -> ImageFile:
    """An image of `values`, (*S), S = (x, y[, z]), on the grid of `file`; the inverse of `template_values`."""
    stored = values.T if file.is_raster else values.reshape(file.shape)
    return replace(file, path=Path("template"), values=stored[None].astype(np.float32))
