"""What the configs of every training have in common, as plain dictionaries; see `shared.engine.recipe`."""

from collections.abc import Sequence

from shared.engine.recipe import DEVICE, KEPT_BACK, MODEL, Config, Part, component, paths, run, start, with_start

PRED_AND_LABEL = "$monai.handlers.from_engine(['pred', 'label'])"  # the output_transform of a metric
AUTOCAST = component("shared.engine.inferers.AutocastInferer", enabled="@bfloat16")
# Of a data set of synthetic images: a GPU makes one in milliseconds, but processes beside the training cannot use it.
SYNTHESIS = {"widening_epochs": "@widening_epochs", "device": "$'cpu' if @num_workers else @device"}


def begun() -> Part:
    """Options of where a training begins."""
    return {"finetune_from": None, "resume": False} | KEPT_BACK


def computing(*, compiled: bool = True) -> Part:
    """Options of how a training computes. compiled: whether torch.compile is offered."""
    return {"bfloat16": True} | ({"compile": False} if compiled else {}) | {"num_workers": 0, "device": DEVICE}


def networks(
    network_def: Part,
    on_device: str | Part,
    *,
    called: str = "network",
    learner: Part | None = None,
    averaged: str = "@initial_network",
    pretrained: str = MODEL,
) -> Part:
    """The entries of a network that learns: as it begins, what is learned with (`learner`), and its running average.

    called: what it is in evaluation, whose entries may stand beside these. on_device: see `recipe.on_device`,
    or a component around it.
    pretrained: the file of the bundle's own weights.
    """
    initial = component(
        "shared.engine.weights.initial_weights", network=f"@{called}", finetune_from="@finetune_from",
        pretrained=pretrained,
    )  # fmt: skip
    average = component(
        "shared.engine.averaging.RunningAverage",
        model=averaged,
        avg_fn=component("shared.engine.averaging.warmed_up_average", momentum="@ema_momentum"),
        use_buffers=True,
    )
    other_name = {} if called == "network" else {f"{called}_def": "@network_def"}
    made = with_start({"network_def": network_def}) | other_name | {called: on_device, "initial_network": initial}
    return made | (learner or {}) | {"average": average}


def watched(cases: Part) -> Part:
    """The parts of a data set of pictures; those that look alike across training and validation are reported."""
    return component("shared.images.lookalikes.warned_of_lookalikes", cases=cases)


def cached(data: str, transform: str | Part) -> Part:
    return component("shared.engine.datasets.SerialCacheDataset", data=data, transform=transform)


def train_loader(*, shuffle: bool = True, collate_fn: Part | None = None) -> Part:
    collate = {"collate_fn": collate_fn} if collate_fn else {}
    arguments = {"dataset": "@train#dataset", "batch_size": "@batch_size", "shuffle": shuffle} | collate
    return component("DataLoader", **arguments, num_workers="@num_workers")


def training_loop(
    data: Part,
    *,
    network: str = "@initial_network",
    averaged: str = "@initial_network",
    model: str = "$@average.module",
    warmup_epochs: int | str = 2,
    compiled: bool = True,
    parts: Part | None = None,
    first: Sequence[Part] = (),
    **trainer: object,
) -> Part:
    """The entry "train": `data`, its part up to the "dataloader", and what steps over it.

    network: what the trainer steps with. averaged: what `average` is the average of. model: what model.pt is to hold.
    warmup_epochs: over which the learning rate rises, or the option that says it.
    parts: what else last.pt holds, so that a training resumes exactly. first: handlers before the usual ones.
    trainer: further arguments of the trainer.
    """
    scheduler = component(
        "monai.optimizers.WarmupCosineSchedule",
        optimizer="@optimizer",
        warmup_steps=f"${warmup_epochs} * len(@train#dataloader)",
        t_total="$@max_epochs * len(@train#dataloader)",
    )
    resumed = {"network": "@initial_network", "average": "@average", "optimizer": "@optimizer", **(parts or {})}
    usual = {"device": "@device", "max_epochs": "@max_epochs", "train_data_loader": "@train#dataloader"}
    usual |= {"network": network, "loss_function": "@loss", "optimizer": "@optimizer", "inferer": "@train#inferer"}
    usual |= {"train_handlers": "@train#handlers"} | ({"compile": "@compile"} if compiled else {})
    handlers = [
        *first,
        component("shared.engine.training.EpochSeed", seed="@seed", dataset="@train#dataset"),
        component("LrScheduleHandler", lr_scheduler="@train#lr_scheduler", print_lr=False, epoch_level=False),
        component("shared.engine.averaging.WeightAverage", average="@average", network=averaged),
        component("ValidationHandler", validator="@validate#evaluator", interval="@val_interval"),
        component(
            "shared.engine.training.TrainingRecord",
            output_dir="@output_dir",
            model=model,
            parts=resumed | {"lr_scheduler": "@train#lr_scheduler"},
            validator="@validate#evaluator",
            optimizer="@optimizer",
            resume="@resume",
        ),
    ]
    trained = component("SupervisedTrainer", **usual | trainer)
    return data | {"lr_scheduler": scheduler, "inferer": AUTOCAST, "handlers": handlers, "trainer": trained}


def validation(
    *,
    data: str = "$@split['validation']",
    dataset: Part | None = None,
    collate_fn: Part | None = None,
    inferer: Part,
    postprocessing: Part,
    key_metric: Part,
    additional_metrics: Part | None = None,
    **evaluator: object,
) -> Part:
    """The entry "validate": how the average network does on `data`, or on a `dataset` that needs no preprocessing."""
    collate = {"collate_fn": collate_fn} if collate_fn else {}
    more = {"additional_metrics": additional_metrics} if additional_metrics else {}
    usual = {"device": "@device", "val_data_loader": "@validate#dataloader", "network": "@average"}
    usual |= {"inferer": "@validate#inferer", "postprocessing": "@validate#postprocessing"}
    usual |= {"key_val_metric": "@validate#key_metric"} | {key: f"@validate#{key}" for key in more}
    preprocessing = {} if dataset else {"preprocessing": component("Compose", transforms="@preprocessing_transforms")}
    return {
        **preprocessing,
        "dataset": dataset or cached(data, "@validate#preprocessing"),
        "dataloader": component("DataLoader", dataset="@validate#dataset", batch_size=1, **collate, num_workers=0),
        "inferer": inferer,
        "postprocessing": postprocessing,
        "key_metric": key_metric,
        **more,
        "evaluator": component("SupervisedEvaluator", **usual | evaluator),
    }


def training(
    *,
    description: str,
    options: Part,
    networks: Part,
    cases: Part,
    preprocessing: Sequence[Part] = (),
    loss: Part,
    validate: Part,
    train: Part,
    family: bool = False,
) -> Config:
    """A config that trains. networks, cases: groups; see the functions of this file for them and the rest.

    family: see `shared.bundle.start`.
    """
    optimizer = component(
        "torch.optim.AdamW",
        params="$@initial_network.parameters()",
        lr="@learning_rate",
        weight_decay="@weight_decay",
    )
    return [
        {"_desc_": description},
        options,
        paths("outputs/training") | start(seed="@seed", **({"family": True} if family else {})),
        networks,
        cases | ({"preprocessing_transforms": list(preprocessing)} if preprocessing else {}),
        {"loss": loss, "optimizer": optimizer},
        {"validate": validate},
        {"train": train},
        run("$@train#trainer.run()"),
    ]


def on_several_gpus(network: str, *, shuffle: bool = True) -> Config:
    """The config that is laid over a training's, to train `network` in several processes."""
    parallel = component(
        "torch.nn.parallel.DistributedDataParallel",
        module=network,
        device_ids="$[@device] if @device.type == 'cuda' else None",
    )
    sampler = component(
        "DistributedSampler", dataset="@train#dataset", even_divisible=True, shuffle=shuffle, seed="@seed"
    )
    device = "torch.device('cuda', int(os.environ['LOCAL_RANK'])) if torch.cuda.is_available() else torch.device('cpu')"
    return [
        {"device": f"${device}", "start#backend": "$'nccl' if @device.type == 'cuda' else 'gloo'"},
        {"parallel_network": parallel, "train#trainer#network": "@parallel_network"},
        {"train#sampler": sampler, "train#dataloader#sampler": "@train#sampler", "train#dataloader#shuffle": False},
    ]
