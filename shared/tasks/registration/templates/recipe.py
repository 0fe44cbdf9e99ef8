"""The configs of a template and the network that registers to it, from what is special about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.engine import recipe as common
from shared.engine import training_recipe as learning
from shared.engine.recipe import Config, Part, component, compose, function
from shared.tasks.registration.recipe import (
    COMPUTED,
    EXTENDED,
    FORMS,
    MEMORY,
    ON_CPU,
    SCALED,
    SCORING,
    SELECTED_PAIRS,
    SUBJECTS,
    inferring,
    reading_pairs,
    registration_loss,
    ring_validation,
    split_with_labels,
)

ROOM = "shared.tasks.registration.templates"
TEMPLATE = {
    "template": component(
        f"{ROOM}.file.TemplateFile", network="@network_def", weights="@weights", columns="@columns",
        attributes="@attributes", label="@template_label",
    ),
}  # fmt: skip
TABLE = component(f"{ROOM}.attributes.AttributeTable", path="@attributes_table", columns="@columns")
CROPPED = component(
    "ResizeWithPadOrCropd", keys=["image", "label"], spatial_size="@patch_size", allow_missing_keys=True
)
SCALING = {key: SCALED[key] for key in ("lower", "upper")}
WIDTH = component(f"{ROOM}.attributes.width", columns="@columns")


@dataclass(frozen=True, kw_only=True)
class Templates:
    """What is special about a template that is learned with the network that registers to it.

    descriptions: by config. network: its network_def without size and attributes. size: of the template, in voxels.
    columns: the attributes, see `encode`. alignment, likeness, refining, training_options, augmentation: as those of
    `Registration`; the last of images, not of pairs.
    """

    descriptions: Mapping[str, str]
    network: Part
    size: Sequence[int]
    columns: Part
    class_names: Sequence[str]
    label_suffix: str
    alignment: Part
    likeness: Part
    refining: Part
    training_options: Part
    augmentation: Sequence[Part]

    def configs(self) -> dict[str, Config]:
        return {
            "inference": self._inference(),
            "evaluate": self._evaluate(),
            "template": self._template(),
            "train": self._train(),
            "multi_gpu_train": learning.on_several_gpus("@to_template"),
        }

    def _inference(self) -> Config:
        writer = component(
            f"{ROOM}.results.TemplateWriter", output_dir="@output_dir", template="@template", groups="@groups",
            pictures="@pictures",
        )  # fmt: skip
        found = {"dataset_dir": "@dataset_dir", "label_suffix": "@label_suffix", "output_dir": "@output_dir"}
        options = self._choice | {"label_suffix": self.label_suffix, "groups": "", "resume": False} | common.DRAWING
        return common.over_cases(
            description=self.descriptions["inference"],
            options=options | self.alignment | self.refining | self.likeness | COMPUTED | MEMORY | common.RUNTIME,
            places=common.paths("outputs", weights=common.MODEL, **common.RUNTIME_PATHS),
            network=self._network | TEMPLATE | common.in_runtime(common.on_device(self._dims), FORMS),
            preprocessing=[
                component(f"{ROOM}.transforms.WithTemplated", template="@template"),
                reading_pairs(spatial_dims=self._dims, memory_limit="@memory_limit")[0],
                component(f"{ROOM}.transforms.ScaleMovingd", **SCALING),
            ],
            cases=component(f"{ROOM}.results.find_images", **found),
            report=common.writing(writer),
            inference=inferring(overlap=0.0),
            evaluator=EXTENDED,
        )

    def _evaluate(self) -> Config:
        inferer = component(
            f"{ROOM}.inferer.ThroughTemplate", codes="$@template.codes", with_inverse=True, bfloat16="@bfloat16"
        )
        classes = {"class_names": list(self.class_names)}
        options = split_with_labels(self.label_suffix) | common.DRAWING | classes
        return common.over_cases(
            description=self.descriptions["evaluate"],
            options=self._choice | options | self.alignment | COMPUTED,
            places=common.paths("outputs/evaluation", weights=common.MODEL),
            network=self._network | TEMPLATE | {"network": common.on_device(self._dims)},
            preprocessing=reading_pairs(spatial_dims=self._dims),
            cases=SELECTED_PAIRS,
            report=SCORING,
            inference={"inferer": inferer, "postprocessing": ON_CPU},
            evaluator=EXTENDED,
        )

    def _template(self) -> Config:
        strip = component(
            f"{ROOM}.strip.TemplateStrip", template="@template", output_dir="@output_dir", pictures="@pictures"
        )
        return [
            {"_desc_": self.descriptions["template"]},
            self._choice | common.DRAWING | {"device": common.DEVICE},
            common.paths("outputs/template", weights=common.MODEL) | common.start(),
            common.with_start(self._network) | {"network": common.on_device(self._dims)} | TEMPLATE | {"strip": strip},
            common.run("$@strip.save()"),
        ]

    @property
    def _choice(self) -> Part:
        """Options of which template is meant."""
        return {"attributes": {}, "columns": self.columns, "template_label": ""}

    @property
    def _network(self) -> Part:
        return {"network_def": self.network | {"size": list(self.size), "attributes": WIDTH}}

    @property
    def _dims(self) -> int:
        return int(self.network["spatial_dims"])

    def _train(self) -> Config:
        options: Part = {"label_suffix": self.label_suffix, "columns": self.columns} | learning.begun()
        options |= {"patch_size": list(self.size)}
        loss = component(
            f"{ROOM}.loss.TemplateLoss", registration=registration_loss(0.0), size="@patch_size", attributes=WIDTH,
            magnitude="@magnitude", centring="@centring",
        )  # fmt: skip
        return learning.training(
            description=self.descriptions["train"],
            options=options | self.training_options | self.alignment | self.likeness | learning.computing(),
            networks=learning.networks(
                self.network | {"size": "@patch_size", "attributes": WIDTH},
                common.on_device(self._dims),
                learner={"to_template": component(f"{ROOM}.learner.ToTemplate", network="@initial_network")},
                averaged="@to_template",
            ),
            cases={
                "subjects": component("shared.tasks.registration.subjects.split_subjects", **SUBJECTS),
                "attributes_table": "$@dataset_dir + '/attributes.csv'",
            },
            preprocessing=[*reading_pairs(spatial_dims=self._dims), CROPPED],
            loss=loss,
            validate=ring_validation(component(f"{ROOM}.inferer.ThroughTemplate")),
            train=learning.training_loop(
                self._training_data(),
                network="@to_template",
                averaged="@to_template",
                model="$@average.module.network",
                prepare_batch=function(f"{ROOM}.learner.prepare_image"),
                parts={"loss": "@loss"},
                first=[
                    component(f"{ROOM}.learner.TemplateStart", network="@initial_network", images="@train#images"),
                    component(
                        f"{ROOM}.centring.TemplateCentring", network="$@average.module.network", images="@train#images",
                        output_dir="@output_dir",
                    ),
                ],
            ),
        )  # fmt: skip

    def _training_data(self) -> Part:
        """Every image once an epoch, on the grid of the first."""
        reading = compose(
            component(
                f"{ROOM}.transforms.OntoReferenced", reference="$@subjects['training'][0]['image']",
                size="@patch_size", alignment="@affine", pixdim="@pixdim", spatial_dims=self._dims,
            ),
            SCALED,
            component(f"{ROOM}.attributes.AttributeCodesd", table=TABLE),
        )  # fmt: skip
        images = component(
            "shared.engine.datasets.SeededCacheDataset", data="@train#images", transform="@train#preprocessing",
            seed="@seed", cache_num=0,
        )  # fmt: skip
        kept = component("SelectItemsd", keys=["image", "codes"])
        return {
            "reading": reading,
            "images": learning.cached("$@subjects['training']", "@train#reading"),
            "preprocessing": compose(*self.augmentation, kept),
            "dataset": images,
            "dataloader": learning.train_loader(),
        }
