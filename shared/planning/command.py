"""A bundle of your own from a data set: looked at, planned, written, and trained with --train."""

import argparse
import shlex
from pathlib import Path

from shared.errors import InputError, report_input_errors_in_one_line
from shared.memory import keep_freed_memory
from shared.places import checkout
from shared.planning.after import train_and_report
from shared.planning.budget import budget_of
from shared.planning.measuring import busy
from shared.planning.starting import AUTO as NEAREST
from shared.planning.starting import start_of
from shared.planning.table import as_text
from shared.planning.task_found import task_of
from shared.planning.tasks import AUTO, WAYS, planned
from shared.planning.training import arguments_of, begun
from shared.planning.trainings import add_options, trainings_of
from shared.planning.writing import check_name, title_of, write_bundle


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    made.add_argument("name", metavar="NAME", help="of the bundle, such as liver_ct_segmentation")
    made.add_argument("--dataset_dir", type=Path, required=True, help="in a layout that train.json takes")
    made.add_argument("--task", choices=[AUTO, *WAYS], default=AUTO, help="%(default)s: found out by the layout")
    made.add_argument("--budget", default="", help="30m, 4h, gpu, …; what a training may take; default: gpu, or 4h")
    made.add_argument("--network", default="", metavar="NAME", help="of a segmentation, in place of the planned U-Net")
    made.add_argument(
        "--label_suffix", default="", metavar="TEXT",
        help="of a registration: the ending, such as _seg24, of which of several label maps beside an image is meant",
    )  # fmt: skip
    made.add_argument(
        "--start", default=NEAREST, metavar="auto|none|BUNDLE",
        help="the bundle whose weights training begins from; %(default)s: the nearest of ours, where there is one",
    )  # fmt: skip
    made.add_argument("--bundles_dir", type=Path, default=checkout() / "bundles", help="this checkout's if left out")
    made.add_argument("--train", action="store_true", help="go on to train.json, keep its best network, score it")
    add_options(made)
    made.add_argument("--copy_samples", action="store_true", help="put two cases into sample_data/; needs --licence")
    made.add_argument("--licence", default="", metavar="TEXT", help="of the data")
    return made


def main() -> None:
    report_input_errors_in_one_line()
    arguments = parser().parse_args()
    folder, root = (arguments.bundles_dir / arguments.name).absolute(), arguments.dataset_dir.absolute()
    check_name(folder)
    budget = budget_of(arguments.budget)
    keep_freed_memory()  # as trainings do, whose steps are measured
    if arguments.copy_samples and not arguments.licence:
        raise InputError(
            "--licence", expected="the licence of data that are copied", got="nothing", fix="add --licence TEXT"
        )
    task = task_of(root) if arguments.task == AUTO else arguments.task
    trainings = trainings_of(arguments, task)
    if line := busy():
        print(f"warning: {line}")
    start, shared = start_of(arguments.start, task), budget.shared_by(trainings.number)
    chosen = {"network": arguments.network, "label_suffix": arguments.label_suffix}
    plan = planned(task, root, shared, title_of(folder), start, **chosen)
    print(as_text(plan.findings))
    samples = plan.samples if arguments.copy_samples else []
    write_bundle(folder, plan, source=root.name, licence=arguments.licence, samples=samples, root=root)
    print(f"\n{folder}: a bundle for {plan.task}")
    if arguments.train:
        train_and_report(folder, root, plan, trainings, source=root.name, licence=arguments.licence)
    else:
        typed = arguments_of("configs/train.json", {"dataset_dir": root, **begun(plan.start)})
        print(f"cd {folder} && python {shlex.join(typed)}")
