"""The configs of a detection in pictures, from what is special about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.engine import recipe as common
from shared.engine import training_recipe as learning
from shared.engine.recipe import Config, Part, component, compose, function
from shared.explaining.recipe import explaining
from shared.tasks.detection.thresholds import Threshold

SURE = {"min_score": "@min_score", "overlap": "@overlap", "most": "@most"}  # which boxes are left by suppression
READ = component(
    "shared.images.checking.ReadCased", keys="image", spatial_dims=2, channels="@channels", channel="@channel"
)
READ_SLIDES = {**READ, "pixel_size": "@pixel_size", "in_bytes": True}  # where nothing is trained
CLIPPED = component("shared.tasks.detection.cases.ClipObjectsd", keys="label")
SCALED = component("shared.images.scaling.ScaleByRanged", keys="image")
WHERE = {"dataset_dir": "@dataset_dir", "class_names": "@class_names"}
COLLATED = function("shared.tasks.detection.cases.collate_objects")
MOSAIC = "shared.tasks.detection.mosaic"
LETTERBOX = component(
    "shared.tasks.detection.inferer.LetterboxInferer", input_size="@input_size", tile_size="@tile_size",
    largest_whole="@largest_whole", overlap="@tile_overlap", most="@most", bfloat16="@bfloat16",
)  # fmt: skip
SUPPRESSED = component("shared.tasks.detection.inferer.Suppressd", keys="pred", **SURE)


@dataclass(frozen=True, kw_only=True)
class Detection:
    """What is special about a detection.

    descriptions: by config. network: its network_def without channels. finding: options of every config of how boxes
    are found in an image: the names in `LETTERBOX` and `SURE`. usual_tile: see `Letterbox`; pictures of training that
    are smaller are resized alike. threshold: see `by_class`.
    known: arguments of `Magnification`: the objects that the network knows. training_options: options of training
    alone. augmentation: the transforms of an image. loss: its arguments.
    """

    descriptions: Mapping[str, str]
    network: Part
    class_names: Sequence[str]
    finding: Part
    usual_tile: int
    threshold: Threshold
    known: Part
    training_options: Part
    augmentation: Sequence[Part]
    loss: Part
    channels: int = 3

    def configs(self) -> dict[str, Config]:
        return {
            "inference": self._inference(),
            "evaluate": self._evaluate(),
            "explain": self._explain(),
            "train": self._train(),
            "multi_gpu_train": learning.on_several_gpus("@heads"),
        }

    def _inference(self) -> Config:
        report = common.writing(self._task("Writer"))
        return self._over_cases(
            "inference",
            {"resume": False} | common.DRAWING,
            "outputs",
            [READ_SLIDES, SCALED],
            common.found("raster"),
            report,
        )

    def _evaluate(self) -> Config:
        cases = component(
            "shared.tasks.detection.cases.select_boxed", **WHERE, part="@part", **common.SPLIT_BY, fold="@fold"
        )
        return self._over_cases(
            "evaluate", common.SPLIT | common.DRAWING | {"fold": 0}, "outputs/evaluation",
            [READ_SLIDES, CLIPPED, SCALED], cases, common.scoring(self._task("Scorer")),
        )  # fmt: skip

    def _explain(self) -> Config:
        reading = component(
            "shared.tasks.detection.explained.DetectionReading", class_names="@class_names", threshold="@threshold",
            overlap="@overlap", most="@most",
        )  # fmt: skip
        return explaining(self._inference(), reading, spatial_dims=2)

    def _over_cases(
        self, name: str, options: Part, output_dir: str, transforms: Sequence[Part], cases: Part, report: Part
    ) -> Config:
        forms = {
            "raw": function("shared.engine.forms.Form"),
            "suppressed": function("shared.tasks.detection.onnx_forms.Suppressed", **SURE),
        }
        pixels = common.PIXELS | {"diameter": "auto"}
        found = pixels | self.finding | {"threshold": self.threshold, "bfloat16": True}
        inferer = self._letterbox() | common.magnified(self.known)
        return common.over_cases(
            description=self.descriptions[name],
            options=options | self._classes() | found | {"num_workers": 0, "device": common.DEVICE} | common.RUNTIME,
            places=common.paths(output_dir, weights=common.MODEL, **common.RUNTIME_PATHS),
            network={"network_def": common.with_channels(self.network)} | common.in_runtime(common.on_device(2), forms),
            preprocessing=transforms,
            cases=cases,
            report=report,
            inference={"inferer": inferer, "postprocessing": compose(SUPPRESSED)},
        )

    def _train(self) -> Config:
        heads = {"heads": component("shared.nets.yolo.YoloHeads", yolo="@initial_network")}
        cases = component("shared.tasks.detection.cases.boxed_cases", **WHERE, **common.SPLIT_BY, fold="@fold")
        options, seen = self._classes() | learning.begun() | {"fold": 0}, {"smallest_side": self.usual_tile}
        precision = component(
            "shared.tasks.detection.metrics.CocoPrecision",
            class_names="@class_names",
            output_transform=learning.PRED_AND_LABEL,
        )
        return learning.training(
            description=self.descriptions["train"],
            options=options | self.training_options | seen | self.finding | learning.computing(),
            networks=learning.networks(common.with_channels(self.network), common.on_device(2), learner=heads),
            cases={"split": learning.watched(cases)},
            preprocessing=[READ, CLIPPED, SCALED],
            loss=component("shared.tasks.detection.losses.DetectionLoss", **self.loss),
            validate=learning.validation(
                collate_fn=COLLATED,
                inferer=self._letterbox(),
                postprocessing=SUPPRESSED,
                key_metric={"ap": precision},
                additional_metrics={"ap50": precision | {"at": "ap50"}},
            ),
            train=learning.training_loop(self._training_data(), network="@heads", warmup_epochs="@warmup_epochs"),
        )

    def _training_data(self) -> Part:
        mosaics = component(
            f"{MOSAIC}.MosaicDataset", images="@train#images", transform="@train#preprocessing",
            size="@input_size", seed="@seed", last_mosaic="$@max_epochs - @epochs_without_mosaic", scales="@scales",
            closing_scales="@closing_scales",
        )  # fmt: skip
        resized = component("Compose", transforms="$@preprocessing_transforms + [@train#resizing]")
        return {
            "resizing": component(
                f"{MOSAIC}.ResizeLongestd", keys="image", length="@input_size", smallest="@smallest_side"
            ),
            "images": learning.cached("$@split['training']", resized),
            "preprocessing": compose(*self.augmentation),
            "dataset": mosaics,
            "dataloader": learning.train_loader(collate_fn=COLLATED),
        }

    def _letterbox(self) -> Part:
        return LETTERBOX | {"usual_tile": self.usual_tile}

    def _task(self, role: str) -> Part:
        return component(
            f"shared.tasks.detection.results.Detection{role}", output_dir="@output_dir", class_names="@class_names",
            threshold="@threshold", pictures="@pictures",
        )  # fmt: skip

    def _classes(self) -> Part:
        return {"class_names": list(self.class_names), "channels": self.channels, "channel": ""}
