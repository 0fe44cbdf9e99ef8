"""The config that segments images by atlases, from the one that registers pairs."""

from collections.abc import Sequence

from shared.engine import recipe as common
from shared.engine.recipe import Config, Part, component, function

SAMPLES = "$@bundle_root + '/sample_data'"
CHOICES = {"fusion": "weighted", "atlas_count": 0, "probabilities": False, "resume": False} | common.DRAWING


def segmenting_by_atlases(inference: Config, label_suffix: str, class_names: Sequence[str]) -> Config:
    """atlases.json, from inference.json as `over_cases` makes it, with the options that it still needs.

    Images are the cases, and the pairs of one are registered in turn where it is loaded, so that the loader's workers
    do several images at once. It runs in torch.
    """
    _, options, places, network, preprocessing, _, inferring, _ = inference
    methods = {key: value for key, value in network.items() if key != "onnx_forms"}
    parts = [
        methods | {"network": f"{network['network']['network']}.eval()"},
        preprocessing,
        _cases(),
        {key: inferring[key] for key in ("refine_loss", "inferer") if key in inferring}
        | _segmenting()
        | {"handlers": inferring["handlers"], "evaluator": _evaluator(inferring["evaluator"])},
        common.run("$@report.begin() and @evaluator.run()", "$@report.finish()"),
    ]
    labels = {"label_suffix": label_suffix, "class_names": list(class_names)}
    return [
        {"_desc_": "Segment images by atlases (images with label maps), each registered as inference does."},
        CHOICES | labels | {"workers": 0} | common.needed(options, parts),
        common.paths("outputs/atlases", weights=places["weights"], atlases=SAMPLES) | common.start(backend="gloo"),
        *parts,
    ]


def _cases() -> Part:
    found = {name: f"@{name}" for name in ("dataset_dir", "atlases", "label_suffix", "output_dir")}
    written = {name: f"@{name}" for name in ("output_dir", "class_names", "probabilities", "pictures")}
    return {
        "cases": component("shared.atlases.cases.find_targets", **found),
        "report": common.writing(component("shared.atlases.results.AtlasWriter", **written)),
    }


def _segmenting() -> Part:
    segmenting = component(
        "shared.atlases.carrying.SegmentByAtlasesd", reading="@preprocessing", registering="@registering",
        fusion="@fusion", count="@atlas_count",
    )  # fmt: skip
    return {
        "registering": component(
            "shared.tasks.registration.inferer.RegisterPaird", network="@network", inferer="@inferer", device="@device"
        ),
        "segmenting": segmenting,
        "dataset": common.case_dataset(transform="@segmenting"),
        "dataloader": common.case_loader(num_workers="@workers"),
    }


def _evaluator(of_inference: Part) -> Part:
    """That of inference, to which the loader gives what is segmented already."""
    kept = {key: value for key, value in of_inference.items() if key != "postprocessing"}
    prepared = function("shared.tasks.registration.inferer.prepare_registered")
    passing = {"network": "$torch.nn.Identity()", "inferer": component("SimpleInferer"), "prepare_batch": prepared}
    return kept | passing
