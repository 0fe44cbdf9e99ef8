"""The blocks of a card that are generated: run commands, options, how to export, versions."""

import json
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from shared.engine.recipe import DEVICE, Config, Part
from shared.errors import InputError
from shared.zoo.model_info import is_cut
from shared.zoo.option_texts import meanings

NEEDED = ("commands", "options", "versions")  # in every card; "export" where a whole network can be exported
RUN = "python -m monai.bundle run --config_file"
TORCHRUN = "torchrun --nproc_per_node N -m monai.bundle run --config_file"
WORKINGS = {"imports", "workflows", "bundle_root", "code_path", "start"}  # among the places of a config, not for users
BELOW = re.compile(r"\$@bundle_root \+ '/(?P<path>[^']+)'")  # a path in the bundle's folder


@dataclass(frozen=True)
class Words:
    """Of a task. evaluated: what evaluation needs; forms: what the ONNX forms give.

    single: arguments of one more run of inference, and what it does. explained: whether bundles have explain.json.
    predicted: the arguments of `predict`, as an example; "": an image.
    """

    evaluated: str
    forms: Mapping[str, str]
    single: tuple[str, str] | None = None
    explained: bool = True
    predicted: str = ""


WORDS = {
    "segmentation": Words("needs labels", {"raw": "image to logits"}),
    "detection": Words(
        "needs boxes",
        {"raw": "what the network gives", "suppressed": "boxes, scores, labels and their number, each object once"},
    ),
    "instances": Words(
        "needs labels",
        {
            "op": "image to boxes, scores, labels, masks and their number, with NonMaxSuppression, for onnxruntime",
            "plain": "the same of plain operations, for TensorRT",
        },
    ),
    "registration": Words(
        "a table of scores",
        {
            "field": "the displacement, its integration in the graph",
            "warp": "also the moved image, by GridSample",
            "gather": "the same without GridSample, which TensorRT has for volumes from 11.2.1 on",
        },
        single=("--moving A.nii.gz --fixed B.nii.gz --output_dir DIR", "one pair"),
        explained=False,
        predicted='moving="a.nii.gz", fixed="b.nii.gz"',
    ),
}


def card_blocks(
    name: str, inference: Config, special: Mapping[str, str], metadata: Mapping[str, object]
) -> dict[str, str]:
    """The blocks of the card of the bundle `name` by their names, from its inference.json and metadata.json.

    special: the meanings of options that no other bundle has, or that mean something else here.
    Raises InputError where an option has no meaning.
    """
    content: Part = {key: value for group in inference for key, value in group.items()}
    task = content["report"]["task"]["_target_"].split(".")[2]
    choices = {key: value for group in inference[1:3] for key, value in group.items() if key not in WORKINGS}
    if content["start"].get("family"):
        choices["network"] = content["network"]
    words = WORDS[task]
    if task == "registration" and "fixed" not in choices:  # every image to one template
        words = replace(words, single=None, predicted='moving="a.nii.gz"')
    return {
        "commands": _commands(name, words, words.predicted or _predicted(content["network_def"].get("spatial_dims"))),
        "options": _options(name, choices, content, meanings(task) | dict(special), special),
        "export": _export(name, list(content["onnx_forms"]), words),
        "versions": _versions(name, metadata),
    }


def _predicted(spatial_dims: int | None) -> str:
    """The arguments of `predict`, as an example."""
    return '"scan.nii.gz"' if spatial_dims == 3 else '"image.png"'


def _commands(name: str, words: Words, predicted: str) -> str:
    inference = f"{RUN} configs/inference.json"
    lines = [
        (inference, "the samples"),
        (f"{inference} --dataset_dir DIR --output_dir DIR", ""),
        *([(f"{inference} {words.single[0]}", words.single[1])] if words.single else []),
        (f"{RUN} configs/evaluate.json --dataset_dir DIR", words.evaluated),
        *([(f"{RUN} configs/explain.json --dataset_dir DIR", "what answers depend on")] if words.explained else []),
        (f"{RUN} configs/train.json --dataset_dir DIR --output_dir DIR --finetune_from pretrained", ""),
        (f"{TORCHRUN} configs/inference.json --dataset_dir DIR", "cases shared out over N"),
        (f"{TORCHRUN} \"['configs/train.json','configs/multi_gpu_train.json']\"", ""),
    ]
    width = max(len(line) for line, note in lines if note)
    shell = "\n".join(f"{line.ljust(width)}  # {note}" if note else line for line, note in lines)
    return f"""From this bundle's folder, or with `--config_file PATH/configs/inference.json` from elsewhere:
```
{shell}
```
From Python, without writing files unless asked for:
```python
from monai_bundle_zoo import open_bundle  # in an archive's folder: from shared.bundle, and "." for the name

result = open_bundle("{name}").predict({predicted})
result.save("DIR")  # what the command line writes
```"""


def _options(name: str, choices: Part, content: Part, meaning: Mapping[str, str], special: Mapping[str, str]) -> str:
    """A table of `choices` and then of what else is `special`, such as an option within a component of `content`."""
    rows = []
    for option in dict.fromkeys([*choices, *special]):
        if option not in meaning:
            raise InputError(
                f"--{option}", expected=f"what this option of {name} means", got="nothing",
                fix="write it into OPTIONS of recipe.py, or into shared/zoo/option_texts.py",
            )  # fmt: skip
        rows.append(f"| `--{option}` | {_default(_found(content, option))} | {meaning[option]} |")
    return "\n".join(["| option | default | meaning |", "| --- | --- | --- |", *rows])


def _found(content: Mapping[str, Any], option: str) -> object:
    for key in option.split("#"):
        if key not in content:
            raise InputError(f"--{option}", expected="an option of inference.json", got="none", fix="correct OPTIONS")
        content = content[key]
    return content


def _default(value: object) -> str:
    """As one would give it on the command line; where it says where, the path from there."""
    by_class = isinstance(value, dict) and all(isinstance(number, int | float) for number in value.values())
    if value is None or value == "" or (isinstance(value, dict) and not by_class):
        return ""
    if value == DEVICE:
        return "the GPU, if there is one"
    if isinstance(value, str):
        below = BELOW.fullmatch(value)
        return f"`{below['path'] if below else value}`"
    return str(value) if isinstance(value, bool) else f"`{json.dumps(value, ensure_ascii=False)}`"


def _export(name: str, forms: list[str], words: Words) -> str:
    described = [f"`{form}` ({words.forms[form]})" for form in forms]
    return textwrap.fill(
        f"**ONNX.** `python scripts/export_onnx.py {name} [--form F] [--precision fp16]`, in a checkout or in this"
        " bundle's archive, writes `models/model.onnx`: any batch and size, opset 20, checked against torch, with what"
        f" it is in its properties. Forms, the first of which `--runtime onnx` runs: {', '.join(described)}.",
        width=125,
    )


def _versions(name: str, metadata: Mapping[str, object]) -> str:
    made = {"MONAI": "monai_version", "PyTorch": "pytorch_version", "NumPy": "numpy_version"}
    names = ", ".join(f"{title} {metadata[key]}" for title, key in made.items())
    version = metadata["version"]
    text = f"Version {version}, made with {names}; `configs/metadata.json` has the rest."
    if is_cut(name):
        text += f"\nMONAI's `download` looks for versions by the name up to `_v`, so give it `--version {version}`."
    return text
