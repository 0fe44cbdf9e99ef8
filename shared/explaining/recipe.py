"""The config that explains a bundle's answers, from the one that gives them."""

from shared.engine import recipe as common
from shared.engine.recipe import Config, Part, component

EPSILONS = [0.0, 0.002, 0.005, 0.01, 0.02, 0.05]
PATCHES = {2: 8, 3: 5}  # along each axis: 64 in pictures, 125 in volumes


def explaining(inference: Config, reading: Part, *, spatial_dims: int) -> Config:
    """explain.json, from inference.json as `over_cases` makes it, with the options that it still needs.

    reading: the component that says what the network's output means. It runs in torch, which alone has gradients.
    """
    described, options, places, network, preprocessing, cases, inferring, _ = inference
    written = component(
        "shared.explaining.results.ExplanationWriter", output_dir="@output_dir", class_names="@class_names",
        epsilons="@epsilons",
    )  # fmt: skip
    report = component("shared.engine.report.CaseReport", cases="@cases", task=written, output_dir="@output_dir")
    evaluator = {key: value for key, value in inferring["evaluator"].items() if key != "postprocessing"}
    parts = [
        {"network_def": network["network_def"], "network": network["network"]["network"]},
        preprocessing,
        cases | {"report": report},
        {
            "inferer": inferring["inferer"],
            "explainer": _explainer(reading),
            "handlers": inferring["handlers"],
            "evaluator": evaluator | {"inferer": "@explainer"},
        },
        common.run("$@report.begin() and @evaluator.run()", "$@report.finish()"),
    ]
    choices = {"of_class": "", "samples": 8, "patches": PATCHES[spatial_dims], "epsilons": EPSILONS}
    return [
        {"_desc_": f"Explain: {described['_desc_']}"},
        choices | common.needed(options, parts),
        common.needed(places, parts) | {"output_dir": "outputs/explanation"},
        *parts,
    ]


def _explainer(reading: Part) -> Part:
    names = ("class_names", "of_class", "samples", "patches", "epsilons")
    return component(
        "shared.explaining.inferer.ExplainingInferer", inferer="@inferer", network="@network", reading=reading,
        **{name: f"@{name}" for name in names},
    )  # fmt: skip
