"""SyN by antspyx, which is no dependency: a yardstick for the registrations and templates of the zoo.

Source: Avants et al., Symmetric diffeomorphic image registration with cross-correlation, Medical Image Analysis 12
(2008).
"""

from collections.abc import Sequence
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import SimpleITK as sitk

from shared.engine.datasets import opened_files
from shared.errors import InputError
from shared.images.cases import Case
from shared.images.file import ImageFile
from shared.images.reading import read_image
from shared.spatial.itk import read_field
from shared.tasks.registration.registered import Registered
from shared.tasks.registration.templates.groupwise import on_grid_of
from shared.tasks.registration.transforms import image_for_itk

KIND = "SyN"  # an affine stage, then SyN with mutual information: antspyx's default


def register(**images: Any) -> Registered:
    """Register a pair as a bundle's `predict` does: "moving", "fixed" and their label maps, paths or `ImageFile`s.

    Slices are taken to lie in one plane. Raises InputError where antspyx is missing.
    """
    files: dict[str, Any] = opened_files(images)
    moving, fixed = (as_ants(image_for_itk(files[key])) for key in ("moving", "fixed"))
    with TemporaryDirectory() as folder:
        found = ants().registration(fixed, moving, type_of_transform=KIND, outprefix=f"{folder}/")
        path = ants().apply_transforms(fixed, moving, found["fwdtransforms"], compose=f"{folder}/composed")
        return Registered("pair", field=read_field(path), **files)


def build(subjects: Sequence[Case], rounds: int) -> ImageFile:
    """antspyx's groupwise template of images, on the grid of the first. Raises InputError as `register` does."""
    files = [read_image(subject["image"]) for subject in subjects]
    images = [as_ants(image_for_itk(file)) for file in files]
    template = ants().build_template(image_list=images, iterations=rounds, type_of_transform=KIND)
    return on_grid_of(files[0], template.numpy())


def as_ants(image: sitk.Image) -> Any:
    """A gray ITK image as antspyx has it."""
    dims = image.GetDimension()
    return ants().from_numpy(
        sitk.GetArrayFromImage(image).T.astype(np.float32), origin=image.GetOrigin(), spacing=image.GetSpacing(),
        direction=np.reshape(image.GetDirection(), (dims, dims)),
    )  # fmt: skip


def ants() -> Any:
    """The module. Raises InputError where it is missing."""
    try:
        import ants as module
    except ImportError as error:
        raise InputError("syn", expected="the package antspyx", got="none", fix="pip install antspyx") from error
    return module
