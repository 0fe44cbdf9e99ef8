"""Exporting the network of a bundle, trained, in one of the forms that its configs list."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from torch import nn

from shared.engine.forms import Form, settings_sha256
from shared.engine.weights import load_weights, weight_file
from shared.errors import InputError
from shared.export.files import Row, example_images, write_onnx
from shared.export.properties import described
from shared.files import read_json, sha256_of
from shared.options import resolved_config

PRECISIONS = ("fp32", "fp16")


def export_bundle(
    bundle_root: Path,
    network: nn.Module,
    weights: str | Path,
    forms: Mapping[str, Callable[[nn.Module], Form]],
    path: Path,
    *,
    form: str = "",
    precision: str = "fp32",
    size: Sequence[int] = (),
) -> list[Row]:
    """Write `network` with `weights` to `path` as the `form` of `forms`, the first if not named; see `write_onnx`.

    size: sides of the images that it is traced and compared with, in place of those in metadata.json.
    Raises InputError for an unknown form or precision, and where it is off.
    """
    for option, value, known in (("--form", form or next(iter(forms)), forms), ("--precision", precision, PRECISIONS)):
        if value not in known:
            raise InputError(option, expected=f"one of {', '.join(known)}", got=value, fix="choose one of these")
    form = form or next(iter(forms))
    metadata = read_json(bundle_root / "configs" / "metadata.json")
    config = resolved_config()  # with the options of the run that asks for it, if there is one
    config = config or read_json(bundle_root / "configs" / "inference.json")
    image = metadata["network_data_format"]["inputs"]["image"]
    if next(network.parameters(), None) is not None:  # an optimisation has none
        load_weights(network, weights)
    module = forms[form](network.cpu())
    sides = list(size or image["spatial_shape"])
    fits = len(sides) == len(image["spatial_shape"]) if module.is_whole else len(sides) in (2, 3)
    if not fits or min(sides) < 1:
        raise InputError(
            "--size", expected=f"a positive number an axis, like {image['spatial_shape']}", got=sides, fix="correct it"
        )
    # Traced with sides that are different and no multiples of a stride: what is then computed holds for all.
    sizes = [(2, *(s + 13 + 4 * axis for axis, s in enumerate(sides))), (1, *sides)]
    examples = module.examples(example_images(image["num_channels"], sizes))
    properties = {
        "bundle": bundle_root.resolve().name,
        "version": metadata["version"],
        "weights_sha256": sha256_of(weight_file(weights)),
        "settings_sha256": settings_sha256(network),
        "form": form,
        **described(config, metadata, module),
    }
    return write_onnx(module, examples, path, precision=precision, properties=properties)
