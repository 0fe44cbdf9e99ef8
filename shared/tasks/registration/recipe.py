"""The configs of a registration by a network, from what is special about it; what is common to all registrations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.engine import recipe as common
from shared.engine import training_recipe as learning
from shared.engine.recipe import Config, Part, component, compose, function
from shared.tasks.registration.atlas_recipe import segmenting_by_atlases
from shared.tasks.registration.cases import IMAGES, MORE

PAIR = dict.fromkeys((*IMAGES, *MORE))  # options of a single pair
FOUND_PAIRS = component(
    "shared.tasks.registration.cases.find_pairs", dataset_dir="@dataset_dir", **{key: f"@{key}" for key in PAIR}
)
SUBJECTS = {"dataset_dir": "@dataset_dir", "label_suffix": "@label_suffix"} | common.SPLIT_BY
SELECTED_PAIRS = component("shared.tasks.registration.subjects.select_pairs", part="@part", **SUBJECTS)
SCALED = component(
    "ScaleIntensityRangePercentilesd", keys="image", lower=0.5, upper=99.5, b_min=0.0, b_max=1.0, clip=True,
    channel_wise=True,
)  # fmt: skip
WRITTEN = {"resume": False} | common.DRAWING | {"inverse": False}  # options of what inference writes
MEMORY = {"memory_limit": 6.0}  # option of inference, in GiB
COMPUTED = {"bfloat16": True, "num_workers": 0, "device": common.DEVICE}  # options of how a run over cases computes
ON_CPU = compose(component("ToDeviced", keys="pred", device="cpu"))
WRITING = common.writing(
    component(
        "shared.tasks.registration.results.RegistrationWriter",
        output_dir="@output_dir",
        pictures="@pictures",
        inverse="@inverse",
    )
)
SCORING = common.scoring(
    component(
        "shared.tasks.registration.results.RegistrationScorer",
        output_dir="@output_dir",
        class_names="@class_names",
        pictures="@pictures",
    )
)
FORMS = {
    "field": function("shared.engine.forms.Form"),
    "warp": function("shared.tasks.registration.onnx_forms.Moved"),
    "gather": function("shared.tasks.registration.onnx_forms.Moved", gather=True),
}
PREPARED = function("shared.tasks.registration.learner.prepare_pair")
BOTH_WAYS = component(
    "shared.tasks.registration.learner.BothWays", network="@initial_network", back="@symmetric", stride="@loss_stride"
)
EXTENDED = {"prepare_batch": function("shared.tasks.registration.inferer.prepare_extended")}
LATER_IMAGES = [  # what the transforms of a drawn pair end with
    component("ConcatItemsd", keys=["moving", "fixed"], name="image"),
    component("ConcatItemsd", keys=["moving_label", "fixed_label"], name="label", allow_missing_keys=True),
    component("SelectItemsd", keys=["image", "label"], allow_missing_keys=True),
]


def pair_figure(name: str) -> Part:
    return component("shared.tasks.registration.learner.PairFigure", figure=name)


FIGURES = {name: pair_figure(name) for name in ("ncc", "folds_percent", "sd_log_jacobian")}  # beside the key metric


def reading_pairs(**options: Any) -> list[Part]:
    """The transforms that read a pair onto the grid of its fixed image."""
    return [
        component("shared.tasks.registration.transforms.ReadPaird", alignment="@affine", pixdim="@pixdim", **options),
        SCALED,
    ]


def split_with_labels(label_suffix: str) -> Part:
    """Options of what is scored of a folder of subjects, and of the names of their labels."""
    return {"label_suffix": label_suffix} | common.SPLIT


def registration_loss(overlap: str | float) -> Part:
    similarity = component(
        "shared.tasks.registration.similarity.similarity_named", name="@similarity", window="@ncc_window"
    )
    return component(
        "shared.tasks.registration.losses.RegistrationLoss", similarity=similarity, smoothness="@smoothness",
        ignore_zeros="@ignore_zeros", overlap=overlap,
    )  # fmt: skip


def inferring(*, overlap: str | float = "@refine_overlap", **options: bool) -> Part:
    """The entries of an inference that a network does, refined where that is asked for.

    overlap: of labels, see `RegistrationLoss`.
    """
    inferer = component(
        "shared.tasks.registration.inferer.RegistrationInferer", loss="@refine_loss", refine_steps="@refine_steps",
        learning_rate="@refine_learning_rate", anchor="@refine_anchor", bfloat16="@bfloat16", **options,
    )  # fmt: skip
    return {"refine_loss": registration_loss(overlap), "inferer": inferer, "postprocessing": ON_CPU}


@dataclass(frozen=True, kw_only=True)
class Registration:
    """What is special about a registration by a network.

    descriptions: by config. network: its network_def. label_suffix: what the name of a label file ends with.
    alignment, likeness: options of every config, of how a pair is put onto one grid, and of what makes it alike.
    refining, training_options: options of inference and evaluation, of training. read_size: of the images that pairs
    are drawn from. augmentation: transforms of a pair. learning: arguments of BothWays besides the usual ones. called:
    what the network is in evaluation. bytes_a_voxel: of memory, see `check_memory`; None: the usual ones.
    """

    descriptions: Mapping[str, str]
    network: Part
    class_names: Sequence[str]
    alignment: Part
    likeness: Part
    refining: Part
    training_options: Part
    augmentation: Sequence[Part] = ()
    label_suffix: str = ""
    read_size: str = "@patch_size"
    learning: Mapping[str, str] = field(default_factory=dict)
    called: str = "network"
    bytes_a_voxel: int | None = None

    def configs(self) -> dict[str, Config]:
        inference = self._inference()
        by_atlases = segmenting_by_atlases(inference, self.label_suffix, self.class_names)
        return {
            "inference": inference, "evaluate": self._evaluate(), "atlases": by_atlases, **self.training_configs()
        }  # fmt: skip

    def training_configs(self) -> dict[str, Config]:
        return {"train": self._train(), "multi_gpu_train": learning.on_several_gpus("@both_ways", shuffle=False)}

    def _inference(self) -> Config:
        return common.over_cases(
            description=self.descriptions["inference"],
            options=PAIR | WRITTEN | self._registering() | MEMORY | common.RUNTIME,
            places=common.paths("outputs", weights=common.MODEL, **common.RUNTIME_PATHS),
            network={"network_def": self.network} | common.in_runtime(common.on_device(self._dims), FORMS),
            preprocessing=self._reading(memory_limit="@memory_limit", **self._memory),
            cases=FOUND_PAIRS,
            report=WRITING,
            inference=self._inferring(),
            evaluator=EXTENDED,
        )

    def _evaluate(self) -> Config:
        classes = {"class_names": list(self.class_names)}
        return common.over_cases(
            description=self.descriptions["evaluate"],
            options=split_with_labels(self.label_suffix) | common.DRAWING | classes | self._registering(),
            places=common.paths("outputs/evaluation", weights=common.MODEL),
            network={"network_def": self.network, "network": common.on_device(self._dims)},
            preprocessing=self._reading(),
            cases=SELECTED_PAIRS,
            report=SCORING,
            inference=self._inferring(with_inverse=True),
            evaluator=EXTENDED,
        )

    def _train(self) -> Config:
        options = self.training_options | self.alignment | self.likeness | learning.computing()
        return learning.training(
            description=self.descriptions["train"],
            options={"label_suffix": self.label_suffix} | learning.begun() | options,
            networks=self._learned(),
            cases={"subjects": component("shared.tasks.registration.subjects.split_subjects", **SUBJECTS)},
            preprocessing=reading_pairs(spatial_dims=self._dims),
            loss=registration_loss("@overlap"),
            validate=ring_validation(component("SimpleInferer")),
            train=learning.training_loop(
                self._training_data(),
                network="@both_ways",
                averaged="@both_ways",
                model="$@average.module.network",
                prepare_batch=PREPARED,
            ),
        )

    def _learned(self) -> Part:
        return learning.networks(
            self.network,
            common.on_device(self._dims, self.called),
            called=self.called,
            learner={"both_ways": BOTH_WAYS | dict(self.learning)},
            averaged="@both_ways",
        )

    def _reading(self, **options: Any) -> list[Part]:
        return reading_pairs(spatial_dims=self._dims, **options)

    def _inferring(self, **options: bool) -> Part:
        return inferring(**options)

    def _training_data(self) -> Part:
        reading = compose(
            component("shared.tasks.registration.transforms.ReadSubjectd", pixdim="@pixdim", spatial_dims=self._dims),
            component(
                "ResizeWithPadOrCropd", keys=["image", "label"], spatial_size=self.read_size, allow_missing_keys=True
            ),
            "$@preprocessing_transforms[-1]",
        )
        pairs = component(
            "shared.tasks.registration.dataset.PairDataset", images="@train#images", transform="@train#preprocessing",
            length="@pairs_per_epoch", seed="@seed",
        )  # fmt: skip
        return {
            "reading": reading,
            "images": learning.cached("$@subjects['training']", "@train#reading"),
            "preprocessing": compose(*self.augmentation, *LATER_IMAGES),
            "dataset": pairs,
            "dataloader": learning.train_loader(shuffle=False),
        }

    def _registering(self) -> Part:
        return self.alignment | self.refining | self.likeness | COMPUTED

    @property
    def _memory(self) -> Part:
        return {} if self.bytes_a_voxel is None else {"bytes_a_voxel": self.bytes_a_voxel}

    @property
    def _dims(self) -> int:
        return int(self.network["spatial_dims"])


def ring_validation(inferer: Part) -> Part:
    """The entry "validate" over a ring of pairs, which `inferer` registers by the network."""
    pairs = component(
        "shared.tasks.registration.subjects.ring_of_pairs", subjects="$@subjects['validation']", seed="@seed"
    )
    return {"pairs": pairs} | learning.validation(
        data="@validate#pairs",
        inferer=inferer,
        postprocessing=compose(component("EnsureTyped", keys="pred", track_meta=False)),
        key_metric={"pair_score": pair_figure("$'dice' if 'label' in @subjects['all'][0] else 'ncc'")},
        additional_metrics=FIGURES,
        network="$@average.module.network",
        prepare_batch=PREPARED,
    )
