"""The configs of an instance segmentation of pictures, from what is special about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.engine import recipe as common
from shared.engine import training_recipe as learning
from shared.engine.recipe import Config, Part, component, compose, function
from shared.explaining.recipe import explaining

READ = component(
    "shared.images.checking.ReadCased", keys="image", spatial_dims=2, channels="@channels", channel="@channel"
)
READ_SLIDES = {**READ, "pixel_size": "@pixel_size", "in_bytes": True}  # where nothing is trained
READ_INSTANCES = component("shared.tasks.instances.transforms.ReadInstancesd", keys="label", image_key="image")
GROUPS = "$str(@dataset_dir) + '/index.csv'"
NUMBERED = compose(component("shared.tasks.instances.transforms.InstanceMapd", keys="pred"))


@dataclass(frozen=True, kw_only=True)
class Instances:
    """What is special about an instance segmentation.

    descriptions: by config. network: its network_def without channels. tiling: options of every config of how tiles are
    searched. fusing: options of inference and evaluation of how what was found in them is brought together; their
    names are arguments of the inferer. training_options: options of training alone. augmentation: transforms of image
    and ids, up to those that give what the network learns from. percentiles: of the image, taken to 0 and 1.
    known: arguments of `Magnification`: the objects that the network knows.
    """

    descriptions: Mapping[str, str]
    network: Part
    class_names: Sequence[str]
    tiling: Part
    fusing: Part
    training_options: Part
    augmentation: Sequence[Part]
    percentiles: tuple[float, float]
    known: Part
    channels: int = 3

    def configs(self) -> dict[str, Config]:
        return {
            "inference": self._inference(),
            "evaluate": self._evaluate(),
            "explain": self._explain(),
            "train": self._train(),
            "multi_gpu_train": learning.on_several_gpus("@learner"),
        }

    def _inference(self) -> Config:
        written = self._task("Writer", class_names="@class_names", formats="@formats")
        options = {"formats": [], "resume": False} | common.DRAWING
        return self._over_cases(
            "inference", options, common.paths("outputs"), [READ_SLIDES], common.found("raster"),
            common.writing(written),
        )  # fmt: skip

    def _evaluate(self) -> Config:
        cases = component(
            "shared.tasks.instances.cases.select_instances", dataset_dir="@dataset_dir", part="@part",
            **common.SPLIT_BY,
            fold="@fold",
        )  # fmt: skip
        places = common.paths("outputs/evaluation", groups=GROUPS)
        report = common.scoring(self._task("Scorer", groups="@groups"))
        return self._over_cases(
            "evaluate", common.SPLIT | common.DRAWING | {"fold": 0}, places, [READ_SLIDES, READ_INSTANCES], cases,
            report,
        )  # fmt: skip

    def _explain(self) -> Config:
        reading = component(
            "shared.tasks.instances.explained.InstanceReading", classes="$len(@class_names)", threshold="@threshold"
        )
        return explaining(self._inference(), reading, spatial_dims=2)

    def _over_cases(
        self, name: str, options: Part, places: Part, reading: Sequence[Part], cases: Part, report: Part
    ) -> Config:
        forms = {
            "op": function("shared.tasks.instances.onnx_forms.InstanceForm", by_op=True),
            "plain": function("shared.tasks.instances.onnx_forms.InstanceForm", by_op=False),
        }
        found = common.PIXELS | {"diameter": "auto"} | self.tiling | self.fusing | {"bfloat16": True}
        inferer = self._tiles(self.tiling | self.fusing) | common.magnified(self.known)
        return common.over_cases(
            description=self.descriptions[name],
            options=options | self._classes() | found | {"num_workers": 0, "device": common.DEVICE} | common.RUNTIME,
            places=places | {"weights": common.MODEL} | common.RUNTIME_PATHS,
            network={"network_def": common.with_channels(self.network)} | common.in_runtime(common.on_device(2), forms),
            preprocessing=[*reading, self._scaled()],
            cases=cases,
            report=report,
            inference={"inferer": inferer, "postprocessing": NUMBERED},
        )

    def _train(self) -> Config:
        cases = component(
            "shared.tasks.instances.cases.split_instances", dataset_dir="@dataset_dir", **common.SPLIT_BY, fold="@fold"
        )
        learner = component(
            "shared.tasks.instances.learner.MaskRCNNLearner", network="@initial_network", positives="@positives",
            negatives="@negatives",
        )  # fmt: skip
        precision = component("shared.tasks.instances.mean_ap.MeanAP", output_transform=learning.PRED_AND_LABEL)
        options = self.training_options | self.tiling | learning.computing(compiled=False)
        return learning.training(
            description=self.descriptions["train"],
            options=self._classes() | learning.begun() | {"fold": 0} | options,
            networks=learning.networks(
                common.with_channels(self.network), common.on_device(2), learner={"learner": learner}
            ),
            cases={"split": learning.watched(cases)},
            preprocessing=[READ, READ_INSTANCES, self._scaled()],
            loss=function("shared.tasks.instances.losses.total_loss"),
            validate=learning.validation(
                inferer=self._tiles(self.tiling),
                postprocessing=NUMBERED,
                key_metric={"mean_ap": precision},
                additional_metrics={"ap50": precision | {"thresholds": [0.5]}},
            ),
            train=learning.training_loop(
                self._training_data(),
                network="@learner",
                compiled=False,
                prepare_batch=function("shared.tasks.instances.learner.prepare_instances"),
            ),
        )

    def _training_data(self) -> Part:
        dataset = component(
            "shared.engine.datasets.SeededCacheDataset",
            data=component(
                "shared.tasks.instances.patches.patches_of", cases="$@split['training']", each="@crops_per_image",
                instances="@instances_per_crop", groups=GROUPS, repeated="@repeated",
            ),
            transform="@train#preprocessing",
            seed="@seed",
            hash_as_key=True,
        )  # fmt: skip
        truth = component("shared.tasks.instances.transforms.InstancesToTruthd", key="label")
        return {
            "augmentation": [*self.augmentation, truth],
            "preprocessing": component("Compose", transforms="$@preprocessing_transforms + @train#augmentation"),
            "dataset": dataset,
            "dataloader": learning.train_loader(
                collate_fn=function("shared.tasks.instances.transforms.collate_instances")
            ),
        }

    def _tiles(self, options: Part) -> Part:
        arguments = {name: f"@{name}" for name in options}
        return component("shared.tasks.instances.inferer.TiledInstances", **arguments, bfloat16="@bfloat16")

    def _scaled(self) -> Part:
        lower, upper = self.percentiles
        return component(
            "shared.tasks.instances.transforms.ScaleByPercentilesd", keys="image", lower=lower, upper=upper
        )

    def _task(self, role: str, **arguments: object) -> Part:
        target = f"shared.tasks.instances.results.Instance{role}"
        return component(target, output_dir="@output_dir", pictures="@pictures", **arguments)

    def _classes(self) -> Part:
        return {"class_names": list(self.class_names), "channels": self.channels, "channel": ""}
