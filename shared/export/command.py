"""Export a bundle's trained network to a checked ONNX file, and hold it against torch.

A bundle's forms are those that its configs list as onnx_forms; the first is what `--runtime onnx` runs.
"""

import argparse
import logging
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from shared.engine.tables import format_table
from shared.errors import InputError, report_input_errors_in_one_line, system_faults
from shared.places import ROOT, all_bundles

if TYPE_CHECKING:  # these take seconds to import: not for --help
    from monai.bundle import ConfigWorkflow
    from torch import nn

    from shared.export.files import Row


def bundle_folder(name: str) -> Path:
    """The bundle called so: a folder, one of the checkout, or that of the archive that this package came in."""
    known = {path.name: path for path in (*all_bundles(), ROOT) if (path / "configs" / "inference.json").is_file()}
    folder = known.get(name, Path(name))
    if not (folder / "configs" / "inference.json").is_file():
        fix = f"choose one of {', '.join(known)}" if known else "give the path of its folder"
        raise InputError(name, expected="a bundle", got="no configs/inference.json in it", fix=fix)
    return folder.resolve()


def quantised(
    workflow: "ConfigWorkflow", network: "nn.Module", write: "Callable[..., list[Row]]", output: Path
) -> "list[Row]":
    """Write `output` in 8 bits, with ranges from the workflow's images; give the rows of its original in float32."""
    from shared.export.quantising import quantise, shown_images

    if next(network.parameters(), None) is None:
        raise InputError("--precision", expected="fp32", got="int8", fix="there is no network to quantise")
    inferer = workflow.parser.get_parsed_content("inferer")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "model.onnx"
        rows = write(source)  # which loads the weights
        images = shown_images(network, inferer, (item["image"] for item in workflow.dataset if "error" not in item))
        quantise(source, output, images)
    print(f"8 bits, ranges from {len(images)} images; evaluate.json --runtime onnx shows what they cost")
    return rows


def main() -> None:
    report_input_errors_in_one_line()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", help="its name or folder")
    parser.add_argument(
        "--precision", default="fp32", help="fp32, fp16 or int8: of weights and layers; inputs are float32"
    )
    parser.add_argument("--calibrate", type=Path, help="folder of images that int8 takes ranges from, else the samples")
    parser.add_argument("--form", default="", help="one of the bundle's onnx_forms")
    parser.add_argument("--network", default="", metavar="NAME", help="that train.json was given as --network")
    parser.add_argument("--weights", type=Path, help="models/model.pt of the bundle if left out")
    parser.add_argument("--output", type=Path, help="if left out, models/model[_FORM][_PRECISION].onnx in the bundle")
    parser.add_argument("--size", type=int, nargs="+", default=[], help="sides of the image that it is traced with")
    with system_faults("this command"):
        export(parser.parse_args())


def export(arguments: argparse.Namespace) -> None:
    """Write and compare what is asked for, and print tables of it."""
    logging.disable(logging.INFO)  # MONAI's, of every config that it reads
    bundle = bundle_folder(arguments.bundle)

    import onnx
    from monai.bundle import create_workflow

    from shared.export.bundles import export_bundle
    from shared.export.support import TARGETS, blockers, op_support

    workflow = create_workflow(
        config_file=str(bundle / "configs" / "inference.json"), workflow_type="infer", bundle_root=str(bundle),
        device="cpu", **({"dataset_dir": str(arguments.calibrate)} if arguments.calibrate else {}),
        **({"network": arguments.network} if arguments.network else {}),
    )  # fmt: skip
    network, forms = (workflow.parser.get_parsed_content(name) for name in ("network_def", "onnx_forms"))
    usual = (next(iter(forms)), "fp32")  # a name leaves these out
    parts = [part for part in (arguments.form, arguments.precision) if part and part not in usual]
    output = arguments.output or bundle / "models" / f"{'_'.join(['model', *parts])}.onnx"
    write = partial(
        export_bundle, bundle, network, arguments.weights or bundle / "models" / "model.pt", forms,
        form=arguments.form, size=arguments.size,
    )  # fmt: skip
    if arguments.precision == "int8":
        rows = quantised(workflow, network, write, output)
    else:
        rows = write(output, precision=arguments.precision)
    print(format_table(rows, ["input", "difference"]), "\n")
    model = onnx.load(output)
    ops = op_support(model)
    if conditional := [row for row in ops if any(row[target] != "yes" for target in TARGETS)]:
        print(format_table(conditional, ["op", "inputs", "count", *TARGETS], most=len(ops)), "\n")
    for target, ops_left in blockers(model).items():
        print(f"{target}: {'the whole file' if not ops_left else 'all but ' + ', '.join(ops_left)}")
    print(f"{output}: {output.stat().st_size / 2**20:.1f} MiB")
