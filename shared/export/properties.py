"""What an ONNX file says of itself: how images come to it and what becomes of its outputs, without the bundle."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from monai.bundle import ConfigParser

from shared.engine.forms import Form

STEPS = ("preprocessing", "inferer", "postprocessing")


def described(config: Mapping[str, Any], metadata: Mapping[str, Any], form: Form) -> dict[str, str]:
    """Properties of the file of `form`, as JSON: the classes, the steps around the network, and each output.

    config: of an inference, its options worked out. metadata: what the bundle says of its network.
    """
    parser = ConfigParser(dict(config))
    steps = {name: _resolved(parser, name, config[name]) for name in STEPS if name in config}
    for name, step in steps.items():
        if isinstance(step, dict) and "transforms" in step:
            steps[name] = step["transforms"]
    properties = {"classes": config.get("class_names", []), **steps, "outputs": _outputs(metadata, form)}
    return {name: json.dumps(value, default=str) for name, value in properties.items()}  # a device by its name


def _resolved(parser: ConfigParser, place: str, value: Any) -> Any:
    """A part of the config, found at `place`, with the values of the options that it refers to.

    A reference to another component, such as that which a step inverts, becomes its name.
    """
    if isinstance(value, Mapping):
        return {key: _resolved(parser, f"{place}::{key}", item) for key, item in value.items() if key != "_requires_"}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_resolved(parser, f"{place}::{index}", item) for index, item in enumerate(value)]
    if not isinstance(value, str) or not value.startswith(("@", "$")):
        return value
    if value.startswith("@") and isinstance(parser.get(value[1:].replace("::", "#").split("#")[0]), dict):
        return value[1:]
    return parser.get_parsed_content(place)


def _outputs(metadata: Mapping[str, Any], form: Form) -> dict[str, Any]:
    """What each output is, by name: of the network's own, what metadata.json says of its channels."""
    outputs = metadata["network_data_format"].get("outputs", {})
    return {name: form.meanings.get(name) or outputs.get("pred", {}).get("channel_def", {}) for name in form.outputs}
