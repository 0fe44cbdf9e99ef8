"""Several data sets taken together as one, as a list in `--dataset_dir` names them."""

import ast
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.errors import InputError

DataSets = str | Path | Sequence[str | Path]


@dataclass(frozen=True)
class DataSet:
    """One of the data sets: its folder, what the names of its cases begin with, and how often it is trained on."""

    folder: Path
    prefix: str = ""
    times: int = 1


def data_sets(dataset_dir: DataSets) -> list[DataSet]:
    """The data sets of an option.

    dataset_dir: a folder, several, or the text of a list of several, as a command line has it. One that is listed twice
    is trained on twice as often. Names of cases begin with nothing where there is one folder, else with that folder's
    name, as in `raabin/`.
    Raises InputError where two folders have the same name, or there is none.
    """
    times = Counter(_folders(dataset_dir))
    if len(times) == 1:
        return [DataSet(folder) for folder in times]
    if not times or len({folder.name for folder in times}) < len(times):
        raise InputError(
            "--dataset_dir", expected="one folder, or several of different names", got=list(map(str, times)),
            fix="rename one of them",
        )  # fmt: skip
    return [DataSet(folder, f"{folder.name}/", number) for folder, number in times.items()]


def _folders(dataset_dir: DataSets) -> list[Path]:
    if isinstance(dataset_dir, Path):
        return [dataset_dir]
    if not isinstance(dataset_dir, str):
        return [Path(folder) for folder in dataset_dir]
    if dataset_dir.startswith("[") and not Path(dataset_dir).is_dir():
        try:
            return [Path(folder) for folder in ast.literal_eval(dataset_dir)]
        except (ValueError, SyntaxError, TypeError):
            pass  # a folder that is not there, which its reader reports
    return [Path(dataset_dir)]
