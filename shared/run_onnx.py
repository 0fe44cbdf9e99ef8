"""A bundle's inference on one image or a folder by onnxruntime alone, without importing torch: the same files.

It needs the ONNX file beside the weights, and serves detection and instance segmentation.
"""

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from shared.engine.report import CaseReport
from shared.errors import InputError, input_error_behind, report_input_errors_in_one_line, system_faults, unforeseen
from shared.export.command import bundle_folder
from shared.export.sessions import start_session
from shared.files import read_json, sha256_of
from shared.images.cases import Case, survey
from shared.images.reading import read_image

# Modules that do what a bundle with such an inferer does; the others resample and tile by MONAI, which needs torch.
SERVED = {
    "shared.tasks.detection.inferer.LetterboxInferer": "shared.tasks.detection.plain",
    "shared.tasks.instances.inferer.TiledInstances": "shared.tasks.instances.plain",
}


def main() -> None:
    report_input_errors_in_one_line()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", help="its name or folder")
    parser.add_argument("image", help="an image, or a folder of images")
    parser.add_argument("--output_dir", default="outputs", help="the folder that results are written to")
    with system_faults("this command"):
        arguments = parser.parse_args()
        infer(bundle_folder(arguments.bundle), arguments.image, arguments.output_dir)


def infer(bundle: Path, image: str, output_dir: str) -> None:
    """Write what the bundle's inference.json writes of these images, and print its table.

    Raises InputError where the bundle is not served, its ONNX file is missing or of other weights, or a case failed.
    """
    config = read_json(bundle / "configs" / "inference.json")
    steps = steps_of(bundle, config)
    weights = bundle / "models" / "model.pt"
    run = opened(bundle, weights, form=next(iter(config["onnx_forms"])))
    settings = {**config, "runtime": "onnx", "weights": sha256_of(weights)}
    cases = survey(image, output_dir, kinds=config["cases"]["kinds"])
    report = CaseReport(cases, steps.writer(config, output_dir), output_dir=output_dir, settings=settings)
    report.begin()
    for case in tqdm(report.pending, unit="case", delay=2, disable=None):
        report.start_case()
        report.end_case(result_of(case, config, steps, run))
    report.finish()


def steps_of(bundle: Path, config: Mapping[str, Any]) -> Any:
    """The module with the steps of a bundle. Raises InputError where they are not to be had without torch."""
    name = SERVED.get(config["inferer"]["_target_"])
    steps = import_module(name) if name else None
    transforms = tuple(part["_target_"] for part in config["preprocessing"]["transforms"])
    if steps is None or transforms != steps.PREPROCESSING:
        raise InputError(
            bundle.name, expected="a detection or an instance segmentation of pictures, as the zoo's are",
            got="one whose steps need torch", fix="run its inference.json with --runtime onnx",
        )  # fmt: skip
    return steps


def opened(bundle: Path, weights: Path, *, form: str) -> Callable[[np.ndarray], Sequence[np.ndarray]]:
    """The network of the ONNX file beside the weights: from an image (1, C, *S) to the outputs of the file.

    Raises InputError where there is none of these weights and of this version of the bundle.
    """
    path = weights.with_suffix(".onnx")
    fix = f"run `python scripts/export_onnx.py {bundle.name}` once, which needs torch"
    if not path.is_file():
        raise InputError(path, expected=f"the ONNX file of {weights.name}", got="none", fix=fix)
    session = start_session(path, threads=int(os.environ.get("OMP_NUM_THREADS", 0)), engine_cache=path.parent)
    version = read_json(bundle / "configs" / "metadata.json")["version"]
    wanted = {"weights_sha256": sha256_of(weights), "version": version, "form": form}
    if not wanted.items() <= session.get_modelmeta().custom_metadata_map.items():
        raise InputError(path, expected=f"the ONNX file of {weights.name}", got="one of others", fix=fix)
    return lambda image: session.run(None, {"image": image})


def result_of(case: Case, config: Mapping[str, Any], steps: Any, run: Callable[..., Any]) -> dict[str, Any]:
    """What the writer is given of a case: "files" and what was found, or the "error" that it ended with."""
    try:
        file = read_image(case["image"], in_bytes=True).with_pixel_size(config["pixel_size"])
        found = steps.find(file, config, run)
        return {"case": case["case"], "files": {"image": file.with_channels(config["channel"])}, **found}
    except Exception as error:  # whatever is wrong with one case, the others are done
        return {"case": case["case"], "error": input_error_behind(error) or unforeseen(case["case"], error)}


if __name__ == "__main__":
    main()
