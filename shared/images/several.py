"""Several data sets taken together as one, as a list in `--dataset_dir` names them."""

import ast
from collections.abc import Sequence
from pathlib import Path

from shared.errors import InputError

DataSets = str | Path | Sequence[str | Path]


def data_sets(dataset_dir: DataSets) -> dict[str, Path]:
    """The folder of each data set, by what the names of its cases begin with.

    dataset_dir: a folder, several, or the text of a list of several, as a command line has it. Names begin with nothing
    where there is one folder, else with that folder's name, as in `raabin/`.
    Raises InputError where two of several have the same name, or there is none.
    """
    folders = _folders(dataset_dir)
    if len(folders) == 1:
        return {"": folders[0]}
    named = {f"{folder.name}/": folder for folder in folders}
    if not named or len(named) < len(folders):
        raise InputError(
            "--dataset_dir", expected="one folder, or several of different names", got=list(map(str, folders)),
            fix="rename one of them, or name each once",
        )  # fmt: skip
    return named


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
