"""The configs of a registration that is learned from synthetic images of label maps."""

from dataclasses import dataclass
from typing import Any

from shared.engine import recipe as common
from shared.engine import training_recipe as learning
from shared.engine.recipe import Config, Part, component, function
from shared.tasks.registration.recipe import FIGURES, ON_CPU, PREPARED, Registration, pair_figure

REGULARITY = 0.5  # between the most alike and the smoothest
FROM_LABELS = component(  # the images say nothing of how alike they should look
    "shared.tasks.registration.losses.RegistrationLoss",
    similarity=component("shared.tasks.registration.similarity.similarity_named", name="none"),
    smoothness="@smoothness",
    overlap="@overlap",
)
TRAINING = {"val_interval": 2, "weight_decay": 0.0, "validation_samples": 16, "widening_epochs": 0}


@dataclass(frozen=True, kw_only=True)
class SyntheticRegistration(Registration):
    """What is special about a registration with a guide that learns from label maps alone; it is used as any other is.

    labels_of: the function that makes the tables of ids, but for what is learned, `label_values`. ranges: those of the
    generator that are not its default ones. tissues: positions among the classes of what is no fluid. tissue_of: the
    number of each class's tissue, from 0, the background.
    """

    labels_of: str
    label_values: list[int]
    ranges: Part
    tissues: list[int]
    tissue_of: list[int]

    def _train(self) -> Config:
        options: Part = {"label_values": self.label_values} | learning.begun() | TRAINING | self.training_options
        options |= {"regularity": REGULARITY, "ranges": self.ranges}
        maps = component("shared.synthesis.maps.split_label_maps", dataset_dir="@dataset_dir", **common.SPLIT_BY)
        validate = learning.validation(
            dataset=self._images("validation", samples="@validation_samples"),
            inferer=component("SimpleInferer"),
            postprocessing=common.compose(component("EnsureTyped", keys="pred", track_meta=False)),
            key_metric={"pair_score": pair_figure("dice")},
            additional_metrics=FIGURES,
            network="$@average.module.network",
            prepare_batch=PREPARED,
        )
        train = learning.training_loop(
            {
                "dataset": self._images("training", samples="@pairs_per_epoch", **learning.SYNTHESIS),
                "dataloader": learning.train_loader(),
            },
            network="@both_ways",
            averaged="@both_ways",
            model="$@average.module.network",
            compiled=False,
            prepare_batch=PREPARED,
        )
        return learning.training(
            description=self.descriptions["train"],
            options=options | learning.computing(compiled=False),
            networks=self._learned(),
            cases={"split": maps},
            loss=FROM_LABELS,
            validate=validate,
            train=train,
        )

    def _registering(self) -> Part:
        return {"regularity": REGULARITY} | super()._registering()

    def _reading(self, **options: Any) -> list[Part]:
        elsewhere = {"weights": "$@weights if @runtime in ('onnx', 'openvino') else None"} if options else {}
        aligner = component(
            "shared.tasks.registration.structures.StructureAligner", network="@network_def", bfloat16="@bfloat16",
            **elsewhere,
        )  # fmt: skip
        return super()._reading(aligner=aligner, **options)

    def _inferring(self, **options: bool) -> Part:
        inferer = component(
            "shared.tasks.registration.guided.GuidedInferer", similarity="@similarity", tissues=self.tissues,
            tissue_of=self.tissue_of, window="@ncc_window", smoothness="@smoothness", refine_steps="@refine_steps",
            learning_rate="@refine_learning_rate", bfloat16="@bfloat16", **options,
        )  # fmt: skip
        return {"inferer": inferer, "postprocessing": ON_CPU}

    def _images(self, part: str, **options: str) -> Part:
        """The data set of synthetic pairs of a part of the label maps."""
        tables = function(self.labels_of, learned="@label_values")
        return component(
            "shared.synthesis.pairs.SyntheticPairs", cases=f"$@split['{part}']", labels_of=tables, size="@patch_size",
            spacing="@pixdim", ranges="@ranges", seed="@seed", **options,
        )  # fmt: skip
