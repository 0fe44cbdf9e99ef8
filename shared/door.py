"""Bundles from Python: in this process, without files where none are asked for."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.bundle import ConfigParser, create_workflow
from monai.data import MetaTensor

from shared.errors import InputError, input_error_behind
from shared.hub import hub_folder, is_hub_name
from shared.images.file import ImageFile
from shared.images.reading import without_ending
from shared.images.standard import with_standard
from shared.places import checkout

CONFIG = Path("configs", "inference.json")
Image = str | Path | ImageFile | np.ndarray | torch.Tensor  # arrays are (C, *S); a MetaTensor brings its affine


def open_bundle(bundle: str | Path, **options: Any) -> "OpenBundle":
    """The bundle of that folder or name, ready to predict.

    A name is looked for in the working directory, in bundles/ below it, and in the checkout that this code is of;
    OWNER/NAME, or OWNER/NAME@REVISION, then on the Hugging Face hub: see `hub_folder`.
    options: those of the bundle's inference.json, such as device="cpu" or runtime="onnx".
    Raises InputError where there is no such bundle.
    """
    for folder in (Path(bundle), Path("bundles", bundle), checkout() / "bundles" / bundle):
        if (folder / CONFIG).is_file():
            return OpenBundle(folder.resolve(), options)
    if isinstance(bundle, str) and is_hub_name(bundle) and not Path(bundle).parent.exists():
        return OpenBundle(hub_folder(bundle), options)
    raise InputError(
        bundle, expected=f"a folder with {CONFIG.as_posix()}", got="none here, in bundles/ or in the checkout",
        fix="give the path of the bundle, or download it",
    )  # fmt: skip


class OpenBundle:
    """A bundle whose network stays in memory from one image to the next.
    README.md has an example."""

    def __init__(self, root: Path, options: Mapping[str, Any]) -> None:
        self.root = root
        self.options = dict(options)
        self._parsers: dict[str, ConfigParser] = {}  # by options

    def predict(
        self,
        image: Image | None = None,
        *,
        moving: Image | None = None,
        fixed: Image | None = None,
        moving_label: Image | None = None,
        fixed_label: Image | None = None,
        case: str = "",
        **options: Any,
    ) -> Any:
        """What the bundle finds in an image, or how it registers a pair: the result of its task, such as `Segmented`.

        Its arrays lie on the grid of the image, or of the fixed one; `save(folder)` writes what the command line
        writes of a case. case: its name, by default that of the file. options: as of `open_bundle`, for this call.
        Raises InputError, of one line, where the image cannot be used.
        """
        given = {
            "image": image, "moving": moving, "fixed": fixed, "moving_label": moving_label, "fixed_label": fixed_label
        }  # fmt: skip
        images = {key: image_of(value) for key, value in given.items() if value is not None}
        try:
            collector, evaluator = self._started(options)
            collector.pending[0] = {"case": case or _name(*images.values()), **with_standard(images)}
            evaluator.run()
            if collector.error:
                raise collector.error
        except Exception as error:  # MONAI wraps what a config raises
            known = input_error_behind(error)
            if known is None:
                raise
            raise known from None
        return collector.outcome

    def part(self, name: str, **options: Any) -> Any:
        """A part of inference.json, such as its "network" or "inferer": the one that `predict` uses with such options.

        The weights are loaded by the first `predict`.
        """
        return self._parser(options).get_parsed_content(name)

    def _started(self, options: Mapping[str, Any]) -> tuple[Any, Any]:
        """The collector and the evaluator of inference.json with these options."""
        collector, evaluator = (self.part(name, **options) for name in ("report", "evaluator"))
        evaluator.logger.setLevel(logging.CRITICAL)  # what goes wrong is raised
        return collector, evaluator

    def _parser(self, options: Mapping[str, Any]) -> ConfigParser:
        """What makes the parts of inference.json with these options, each when it is first asked for."""
        options = {**self.options, **options}
        key = repr(sorted(options.items()))
        if key not in self._parsers:
            path = self.root / CONFIG
            task = ConfigParser.load_config_file(path)["report"]["task"]
            collector = {"_target_": "shared.engine.cases.CaseCollector", "task": task}
            workflow = create_workflow(
                config_file=str(path), workflow_type="infer", logging_file=None, bundle_root=str(self.root),
                report=collector, **options,
            )  # fmt: skip
            self._parsers[key] = workflow.parser
        return self._parsers[key]


def image_of(image: Image) -> str | ImageFile:
    """An image in memory as an `ImageFile`; a path stays as it is. An array of two dimensions is a raster image."""
    if isinstance(image, str | Path):
        return str(image)
    if isinstance(image, ImageFile):
        return image
    affine = np.asarray(image.affine, dtype=float) if isinstance(image, MetaTensor) else np.eye(4)
    values = np.array(image, dtype=np.float32)
    return ImageFile(Path("image"), values, affine, is_raster=values.ndim == 3)


def _name(*images: str | ImageFile) -> str:
    """What a case of these images is called, by the names of the image's or the pair's files."""
    paths = [image.path if isinstance(image, ImageFile) else Path(image) for image in images]
    return "_to_".join(without_ending(path).name for path in paths[:2])
