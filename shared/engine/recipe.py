"""What the configs of every task have in common, as plain dictionaries: the start, and a run over a folder of cases.

A config is a list of groups, dictionaries that stand apart in its file. It refers to nothing before it is defined.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

Part = dict[str, Any]
Config = list[Part]

# MONAI gives a config no other way to the folder that it lies in than the workflow that evaluates it.
WORKFLOWS = (
    "$[w for f in inspect.stack(0) if isinstance(w := f.frame.f_locals.get('self'), monai.bundle.ConfigWorkflow)]"
)
BUNDLE_ROOT = "$str(@workflows[0].config_root_path.parent) if @workflows else '.'"
CODE_PATH = (
    "$[sys.path.append(p) for p in (@bundle_root, @bundle_root + '/../..')"
    " if os.path.isdir(p + '/shared') and p not in sys.path]"
)
DEVICE = "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')"
MODEL = "$@bundle_root + '/models/model.pt'"
ASKED_FOR = ("network_def", "preprocessing", "inferer", "postprocessing")  # by other programs, without `initialize`
UNREFERRED = {"imports", "code_path", "start"}  # entries of every config that nothing refers to
DRAWING = {"pictures": True}  # an option of inference and evaluation
RUNTIME = {"runtime": "torch", "providers": []}  # options of a network that may run elsewhere than in torch
RUNTIME_PATHS = {"onnx": "", "engine_cache": "$@bundle_root + '/engines'"}
PIXELS = {"diameter": "", "pixel_size": ""}  # options of how large a microscope's objects and pixels are
SPLIT_BY = {"fraction": "@validation_fraction", "seed": "@seed"}
KEPT_BACK = {"validation_fraction": 0.15, "seed": 0}  # options of which cases are not trained on
SPLIT = {"part": "all"} | KEPT_BACK  # and of which part is scored


def component(target: str, **arguments: object) -> Part:
    """What MONAI makes by calling `target`: the name of one of its classes, or a dotted path."""
    return {"_target_": target} | arguments


def function(target: str, **arguments: object) -> Part:
    """`target` itself, to be called later, with `arguments` given already."""
    return {"_target_": target, "_mode_": "callable"} | arguments


def with_start(group: Part) -> Part:
    """`group`, in which what other programs ask for, without having run `initialize`, finds the package `shared`."""
    return {key: _requiring_start(value) if key in ASKED_FOR else value for key, value in group.items()}


def _requiring_start(part: Part) -> Part:
    needed = "'shared." in str(part)  # the target itself, or one within
    return {"_target_": part["_target_"], "_requires_": ["@start"]} | part if needed else part


def needed(group: Part, parts: Config) -> Part:
    """Of `group` what `parts`, or what every config starts with, refers to."""
    text = json.dumps([*parts, paths(""), start()])
    used = UNREFERRED | set(re.findall(r"@(\w+)", text))
    return {key: value for key, value in group.items() if key in used}


def magnified(known: Part) -> Part:
    """By how much images are enlarged for a network that has `known` objects of a size."""
    return {"magnification": component("shared.images.magnifying.Magnification", **known, diameter="@diameter")}


def compose(*transforms: object) -> Part:
    return component("Compose", transforms=list(transforms))


def found(kind: str) -> Part:
    """The images of a folder, of a kind: "raster" or "volume"."""
    return component("shared.images.cases.survey", dataset_dir="@dataset_dir", output_dir="@output_dir", kinds=[kind])


def paths(output_dir: str, **more: str) -> Part:
    """Where the bundle lies, what it reads and writes; `more` may refer to @bundle_root."""
    imports = ["$import inspect", "$import os", "$import sys"]
    found = {"imports": imports, "workflows": WORKFLOWS, "bundle_root": BUNDLE_ROOT}
    return found | {"dataset_dir": "$@bundle_root + '/sample_data'", "output_dir": output_dir} | more


def start(**more: str | bool) -> Part:
    """Find the package `shared`, and check what was asked for before anything runs."""
    started = {"_target_": "shared.bundle.start", "_requires_": ["@code_path"], "bundle_root": "@bundle_root"}
    return {"code_path": CODE_PATH, "start": started | {"device": "@device"} | more}


def run(*expressions: str) -> Part:
    """What is done in the end; `initialize` comes before anything else is asked for."""
    return {"initialize": ["$@start"], "run": list(expressions), "finalize": [component("shared.bundle.end")]}


def with_channels(network: Part) -> Part:
    """`network`, which takes as many channels as the option says and gives one for each class."""
    return network | {"in_channels": "@channels", "out_channels": "$len(@class_names)"}


def on_device(spatial_dims: int, called: str = "network") -> str:
    """The network on its device, in the memory format in which convolutions are fastest."""
    layout = {2: "channels_last", 3: "channels_last_3d"}[spatial_dims]
    return f"$@{called}_def.to(@device, memory_format=torch.{layout})"


def in_runtime(network: str, onnx_forms: Part) -> Part:
    """The entries of a network that runs in torch or, in one of its ONNX forms, elsewhere."""
    arguments = {key: f"@{key}" for key in ("bundle_root", "device", "providers", "engine_cache")}
    made = component(
        "shared.export.runtime.in_runtime", network=network, runtime="@runtime", forms="@onnx_forms", path="@onnx",
        **arguments,
    )  # fmt: skip
    return {"onnx_forms": onnx_forms, "network": made}


def writing(task: Part) -> Part:
    """The report of an inference, whose results `task` writes."""
    return _report(task, resume="@resume")


def scoring(task: Part) -> Part:
    """The report of an evaluation, whose results `task` scores."""
    return _report(task, table="metrics.csv", keep=False)


def _report(task: Part, **options: str | bool) -> Part:
    arguments = {"cases": "@cases", "task": task, "output_dir": "@output_dir"} | options
    return component("shared.engine.report.CaseReport", **arguments)


def case_dataset(data: str = "$@report.pending", transform: str = "@preprocessing") -> Part:
    return component("shared.engine.datasets.CaseDataset", data=data, transform=transform)


def case_loader(dataset: str = "@dataset", num_workers: str = "@num_workers") -> Part:
    collate = function("shared.engine.datasets.collate_case")
    return component("DataLoader", dataset=dataset, batch_size=1, collate_fn=collate, num_workers=num_workers)


def over_cases(
    *,
    description: str,
    options: Part,
    places: Part,
    network: Part,
    preprocessing: Sequence[object],
    cases: Part,
    report: Part,
    inference: Part,
    weights_of: str = "@network",
    family: bool = False,
    evaluator: Mapping[str, object] | None = None,
) -> Config:
    """A config that runs over the cases of a folder.

    network, inference: groups; the latter of "inferer", "postprocessing" and what they need, and of a "dataloader"
    other than the usual one. family: see `shared.bundle.start`. evaluator: arguments other than the usual ones.
    """
    loader = {} if "dataloader" in inference else {"dataloader": case_loader()}
    weights = component("shared.engine.cases.WeightsLoader", network=weights_of, path="@weights")
    usual = {"device": "@device", "val_data_loader": "@dataloader", "network": "@network", "inferer": "@inferer"}
    usual |= {"postprocessing": "@postprocessing", "val_handlers": "@handlers"}
    engine = component("shared.engine.cases.CaseEvaluator", **usual | dict(evaluator or {}))
    return [
        {"_desc_": description},
        options,
        places | start(backend="gloo", **({"family": True} if family else {})),
        with_start(network),
        with_start({"preprocessing": compose(*preprocessing)}),
        {"cases": cases, "report": report, "dataset": case_dataset()} | loader,
        with_start(inference) | {"handlers": [weights, "@report"], "evaluator": engine},
        run("$@report.begin() and @evaluator.run()", "$@report.finish(@network)"),
    ]
