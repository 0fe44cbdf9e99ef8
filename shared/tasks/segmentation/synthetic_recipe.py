"""The configs of a segmentation that is learned from synthetic images of label maps."""

from dataclasses import dataclass, field

from shared.engine import recipe as common
from shared.engine import training_recipe as learning
from shared.engine.recipe import Config, Part, component, function
from shared.engine.training_recipe import PRED_AND_LABEL
from shared.tasks.segmentation.recipe import CHECKPOINTING, NUM_CLASSES, TILES, Segmentation

TRAINING = {"val_interval": 2, "weight_decay": 0.01, "validation_samples": 8, "widening_epochs": 0}
MEAN_DICE = component("MeanDice", include_background=False, output_transform=PRED_AND_LABEL)


@dataclass(frozen=True, kw_only=True)
class SyntheticSegmentation(Segmentation):
    """What is special about a segmentation that learns from label maps alone; it is used as any other is.

    network: a HalvedUNet. labels_of: the function that makes the tables of ids, but for what is learned. ranges: those
    of the generator that are not its default ones. training_options: those that `TRAINING` does not have, or other
    than there. loss: a function of what a LatticeLearner gives. pretrained: the file of the bundle's own weights.
    """

    labels_of: str
    ranges: Part
    tiling: Part = field(default_factory=dict)
    flips: Part = field(default_factory=dict)
    augmentation: Part = field(default_factory=dict)
    standardised: bool = False
    loss: Part = field(default_factory=lambda: function("shared.tasks.segmentation.losses.answered_loss"))
    key_metric: Part = field(default_factory=lambda: {"mean_dice": MEAN_DICE})
    pretrained: str = common.MODEL

    def configs(self) -> dict[str, Config]:
        return super().configs() | {"multi_gpu_train": learning.on_several_gpus("@learner")}

    def training(self) -> Config:
        cases = component("shared.synthesis.maps.split_label_maps", dataset_dir="@dataset_dir", **common.SPLIT_BY)
        learner = component("shared.tasks.segmentation.learner.LatticeLearner", network="@initial_network")
        options = self._labels() | learning.begun() | TRAINING | self.training_options | {"ranges": self.ranges}
        validate = learning.validation(
            dataset=self._images("validation", samples="@validation_samples"),
            inferer=TILES | {"overlap": 0.25},
            postprocessing=common.compose(
                component("AsDiscreted", keys=["pred", "label"], argmax=[True, False], to_onehot=NUM_CLASSES)
            ),
            key_metric=self.key_metric,
        )
        dataset = self._images("training", samples="@samples_per_epoch", **learning.SYNTHESIS)
        train = learning.training_loop(
            {"dataset": dataset, "dataloader": learning.train_loader()},
            network="@learner",
            compiled=False,
            prepare_batch=function("shared.tasks.segmentation.learner.prepare_labelled"),
        )
        return learning.training(
            description=self.descriptions["train"],
            options=options | self._seen() | learning.computing(compiled=False) | CHECKPOINTING,
            networks=learning.networks(
                common.with_channels(self.network),
                self._recomputed(),
                learner={"learner": learner},
                pretrained=self.pretrained,
            ),
            cases={"split": cases},
            loss=self.loss,
            validate=validate,
            train=train,
            family=self.family,
        )

    def _images(self, part: str, **options: str) -> Part:
        """The data set of synthetic images of a part of the label maps."""
        tables = function(self.labels_of, learned="@label_values")
        return component(
            "shared.synthesis.dataset.SyntheticDataset", cases=f"$@split['{part}']", labels_of=tables,
            size="@patch_size", spacing="$@pixdim[0]", ranges="@ranges", seed="@seed", **options,
        )  # fmt: skip
