"""The configs of a segmentation, from what is special about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.engine import recipe as common
from shared.engine import training_recipe as learning
from shared.engine.recipe import Config, Part, component, compose, function
from shared.explaining.recipe import explaining

ENSEMBLE = "shared.nets.ensemble.build_ensemble"
ONLY = {"only": "*"}  # an option of evaluation: which cases, by their names
NUM_CLASSES = "$len(@class_names)"
TILES = component("shared.engine.inferers.TiledInferer", roi_size="@roi_size", overlap="@overlap", mode="gaussian")

CHECKPOINTING = {"checkpointing": False}  # an option of training: whether blocks are computed again on the way back
MAPS = {"probabilities": "@probabilities", "uncertainty": "@uncertainty"}  # what inference may write besides


@dataclass(frozen=True, kw_only=True)
class Segmentation:
    """What is special about a segmentation.

    descriptions: by config. network: its network_def without channels; volumes (spatial_dims 3) are put upright and
    resampled to the option pixdim, pictures (2) are resized where grid has "longest_side". label_values: what label
    files hold in place of class ids. grid, tiling, training_options: options of every config, of inference and
    evaluation, of training; grid has "roi_size", tiling has "overlap". flips: arguments of the FlipInferer. shift:
    transforms that take a prediction onto the labels' grid. folds: whether --fold chooses another split. augmentation:
    entries of "train", the list "augmentation" among them. several_crops: whether an epoch takes @crops_per_image crops
    of an image. doubted: what the writer warns about, by its argument. known: of pictures, arguments of
    `Magnification`: what the network knows. scaling: transforms of intensities in place of percentiles and
    standardising of each image. patient: see `split_cases`. family: whether `--network NAME` may choose another one.
    ensemble: how many networks the weights are of, if of several, whose mean is taken. temperature: by which logits are
    divided before they are called probabilities.
    """

    descriptions: Mapping[str, str]
    network: Part
    class_names: Sequence[str]
    grid: Part
    tiling: Part
    flips: Part
    training_options: Part
    augmentation: Part
    loss: Part
    key_metric: Part
    channels: int = 1
    label_values: Sequence[int] = ()
    shift: Sequence[Part] = ()
    include_background: bool = False
    standardised: bool = True
    folds: bool = False
    several_crops: bool = False
    doubted: Mapping[str, float] = field(default_factory=dict)
    known: Part = field(default_factory=dict)
    scaling: Sequence[Part] = ()
    patient: str = ""
    family: bool = True
    ensemble: int = 1
    temperature: float = 1.0

    def configs(self) -> dict[str, Config]:
        return {
            "inference": self._inference(),
            "evaluate": self._evaluate(),
            "explain": self._explain(),
            "train": self.training(),
            "multi_gpu_train": learning.on_several_gpus("@initial_network"),
        }

    def _inference(self) -> Config:
        cases = common.found("raster" if self._dims == 2 else "volume")
        return self._over_cases(
            "inference", self._written(), "outputs", reading=[], cases=cases, report=common.writing(self._writer()),
            inference=self._inferring(probabilities=True),
        )  # fmt: skip

    def _evaluate(self) -> Config:
        cases = component(
            "shared.images.cases.select_cases", dataset_dir="@dataset_dir", part="@part", only="@only", **self._split()
        )
        return self._over_cases(
            "evaluate", self._evaluated(), "outputs/evaluation", reading=[self._scored_labels()],
            cases=cases, report=common.scoring(self._scorer()), inference=self._inferring(probabilities=False),
        )  # fmt: skip

    def _explain(self) -> Config:
        shown = {"include_background": True} if self.include_background else {}
        reading = component("shared.tasks.segmentation.explained.SegmentationReading", **shown)
        return explaining(self._inference(), reading, spatial_dims=self._dims)

    def _over_cases(
        self, name: str, options: Part, output_dir: str, *, reading: Sequence[Part], cases: Part, report: Part,
        inference: Part,
    ) -> Config:  # fmt: skip
        seen = options | self._calibrated() | self._seen() | self._pixels()
        network = common.in_runtime(common.on_device(self._dims), {"raw": function("shared.engine.forms.Form")})
        return common.over_cases(
            description=self.descriptions[name],
            options=seen | self.tiling | {"num_workers": 0, "device": common.DEVICE} | common.RUNTIME,
            places=common.paths(output_dir, **self._weights(), **common.RUNTIME_PATHS),
            network={"network_def": self._weighted_network()} | network,
            preprocessing=self._preprocessing("image", "bilinear", reading, sized=True),
            cases=cases,
            report=report,
            inference=inference,
            family=self.family,
        )

    def training(self) -> Config:
        cases = component("shared.images.cases.split_cases", dataset_dir="@dataset_dir", **self._split())
        options = self._labels() | learning.begun() | self._fold() | self.training_options
        discrete = component("AsDiscreted", keys=["pred", "label"], argmax=[True, False], to_onehot=NUM_CLASSES)
        return learning.training(
            description=self.descriptions["train"],
            options=options | self._seen() | learning.computing() | CHECKPOINTING,
            networks=learning.networks(common.with_channels(self.network), self._recomputed()),
            cases={"split": cases},
            preprocessing=self._preprocessing(["image", "label"], ["bilinear", "nearest"], [self._reading_labels()]),
            loss=self.loss,
            validate=learning.validation(
                inferer=TILES | {"overlap": 0.5},
                postprocessing=compose(*self.shift, discrete),
                key_metric=self.key_metric,
            ),
            train=learning.training_loop(self._training_data()),
            family=self.family,
        )

    def _recomputed(self) -> Part:
        """The network on its device, as it is trained."""
        return component(
            "shared.layers.recomputing.recomputed", network=common.on_device(self._dims), enabled="@checkpointing"
        )

    def _weighted_network(self) -> Part:
        """What the bundle's weights are of."""
        network = common.with_channels(self.network)
        if self.ensemble == 1:
            return network
        arguments = {name: value for name, value in network.items() if name != "_target_"}
        return component(ENSEMBLE, network=network["_target_"], count=self.ensemble, **arguments)

    def _inferring(self, *, probabilities: bool) -> Part:
        back = component("Invertd", keys="pred", transform="@preprocessing", orig_keys="image", nearest_interp=False)
        restored = [back] if self._is_resampled else []
        divided = {name: f"@{name}" for name in self._calibrated()}
        unsure = component("shared.tasks.segmentation.uncertainty.KeepUncertaintyd", keys="pred", **divided)
        likely = component("shared.tasks.segmentation.probabilities.KeepProbabilitiesd", keys="pred", **divided)
        written = [likely | {"enabled": "@probabilities"}, unsure | {"enabled": "@uncertainty"}]
        kept = written if probabilities else [unsure | {"confidence": True}]
        discrete = component("AsDiscreted", keys="pred", argmax=True)
        inferer = component("shared.engine.inferers.FlipInferer", **self.flips, inferer=TILES)
        if self.known:
            inferer = component(
                "shared.engine.magnified.MagnifiedInferer", inferer=inferer, **common.magnified(self.known)
            )
        return {
            "inferer": inferer,
            "postprocessing": compose(*restored, *self.shift, *kept, discrete),
        }

    def _training_data(self) -> Part:
        times, once = (" * @crops_per_image", {"hash_as_key": True}) if self.several_crops else ("", {})
        dataset = component(
            "shared.engine.datasets.SeededCacheDataset", data="$@split['training']" + times,
            transform="@train#preprocessing", seed="@seed", **once,
        )  # fmt: skip
        changed = component("Compose", transforms="$@preprocessing_transforms + @train#augmentation")
        return self.augmentation | {"preprocessing": changed, "dataset": dataset, "dataloader": learning.train_loader()}

    def _preprocessing(
        self, keys: str | list[str], modes: str | list[str], reading: Sequence[Part], *, sized: bool = False
    ) -> list[Part]:
        """The transforms of `keys`, the image alone or with its label, of which `reading` reads the label.

        sized: whether pixels may be given a size.
        """
        pixel_size = self._pixel_size() if sized else {}
        read = component(
            "shared.images.checking.ReadCased", keys="image", spatial_dims=self._dims, channels="@channels",
            **({"channel": "@channel"} if self._dims == 2 else {"pixdim": "@pixdim"}), **pixel_size,
        )  # fmt: skip
        scaled = component(
            "ScaleIntensityRangePercentilesd", keys="image", lower=0.5, upper=99.5, b_min=0.0, b_max=1.0, clip=True,
            channel_wise=True,
        )  # fmt: skip
        normal = component("NormalizeIntensityd", keys="image", channel_wise=True)
        spatial = self._on_grid(keys, modes) if self._is_resampled else []
        return [read, *reading, *spatial, *(self.scaling or [scaled, *([normal] if self.standardised else [])])]

    def _on_grid(self, keys: str | list[str], modes: str | list[str]) -> list[Part]:
        """The transforms of images onto the grid that the network sees."""
        if self._dims == 2:
            smooth = [mode == "bilinear" for mode in modes] if isinstance(modes, list) else True
            resized = component("Resized", keys=keys, spatial_size="@longest_side", size_mode="longest", mode=modes)
            return [resized | {"anti_aliasing": smooth}]
        upright = component("Orientationd", keys=keys, axcodes="RAS", labels=[["L", "R"], ["P", "A"], ["I", "S"]])
        return [upright, component("shared.images.spacing.OwnSpacingd", keys=keys, pixdim="@pixdim", mode=modes)]

    def _reading_labels(self) -> Part:
        values = {"values": "@label_values"} if self.label_values else {}
        return component(
            "shared.images.checking.ReadLabeld", keys="label", image_key="image", num_classes=NUM_CLASSES, **values
        )

    def _scored_labels(self) -> Part:
        return self._reading_labels()

    def _writer(self) -> Part:
        return self._task("Writer", **self._forms(), **self.doubted, **self._pixel_size())

    def _scorer(self) -> Part:
        return self._task("Scorer")

    def _task(self, role: str, **more: object) -> Part:
        more |= {"include_background": True} if self.include_background else {}
        target = f"shared.tasks.segmentation.results.Segmentation{role}"
        arguments = {"output_dir": "@output_dir", "class_names": "@class_names", "pictures": "@pictures"}
        return component(target, **arguments, **more)

    @property
    def _dims(self) -> int:
        return int(self.network["spatial_dims"])

    @property
    def _is_resampled(self) -> bool:
        """Whether the network sees images on another grid than their own."""
        return self._dims == 3 or "longest_side" in self.grid

    def _written(self) -> Part:
        """Options of what inference writes."""
        forms = dict.fromkeys(self._forms(), False)
        return {"class_names": list(self.class_names), "resume": False} | common.DRAWING | forms

    def _forms(self) -> Part:
        """Arguments of the writer: the options of what else it writes; DICOM holds volumes."""
        return MAPS | ({"dicom_seg": "@dicom_seg"} if self._dims == 3 else {})

    def _evaluated(self) -> Part:
        """Options of what evaluation scores."""
        return common.SPLIT | ONLY | common.DRAWING | self._fold() | self._labels()

    def _weights(self) -> Part:
        return {"weights": common.MODEL}

    def _seen(self) -> Part:
        return {"channels": self.channels} | ({"channel": ""} if self._dims == 2 else {}) | self.grid

    def _calibrated(self) -> Part:
        """Options of how probabilities are made."""
        return {"temperature": self.temperature} if self.temperature != 1 else {}

    def _pixels(self) -> Part:
        return common.PIXELS if self.known else {}

    def _pixel_size(self) -> Part:
        return {"pixel_size": "@pixel_size"} if self.known else {}

    def _labels(self) -> Part:
        values = {"label_values": list(self.label_values)} if self.label_values else {}
        return {"class_names": list(self.class_names)} | values

    def _fold(self) -> Part:
        """Options of how cases are drawn."""
        return ({"fold": 0} if self.folds else {}) | ({"patient": self.patient} if self.patient else {})

    def _split(self) -> Part:
        return common.SPLIT_BY | {name: f"@{name}" for name in self._fold()}
