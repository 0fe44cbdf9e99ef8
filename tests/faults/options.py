"""Options, weights, overlays and tables of pairs that no run can mean, or hardly, made from a seed."""

import io
import json
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.faults.pictures import flipped

Generator = np.random.Generator
CHOICES = {"runtime", "affine", "similarity", "preset", "learn", "part"}
PLACES = {"dataset_dir", "weights", "finetune_from", "moving", "fixed", "moving_label", "fixed_label", "onnx", "groups"}
LEFT_OUT = {
    "handlers",
    "initialize",
    "run",
    "finalize",
    "imports",
    "workflows",
    "bundle_root",
    "code_path",
    "output_dir",
    "engine_cache",
    "device",
    "compile",
}


def bad_options(defaults: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Values of the options of a config, few of which any run can mean. defaults: the config."""
    for name, default in defaults.items():
        if name.startswith("_") or name in LEFT_OUT or isinstance(default, dict):
            continue
        for value in _unlike(name, default):
            yield name, value
    yield "datset_dir", "."
    yield "device", "toaster"
    yield "device", "cuda:77"


def _unlike(name: str, default: Any) -> tuple[Any, ...]:
    if name in PLACES:
        return ("/nowhere", "/etc/hostname", "/", "x" * 300, "a\nb", "http://example.org/a")
    if name in CHOICES:
        return ("nonsense", "", 5, ["none"])
    if isinstance(default, bool):
        return ("maybe", 2, [True])
    if isinstance(default, int | float):
        return ("many", -1, 0, 10**30, float("nan"), float("inf"), True, [1, 2], {})
    if isinstance(default, list):
        return (5, "x", [], [None], ["x"], [-1] * len(default), [0] * 7, [[1]], [float("nan")] * 3)
    return ()


def bad_weights(good: bytes, rng: Generator) -> Iterator[tuple[str, bytes]]:
    """Files in place of a bundle's weights `good`."""
    state = torch.load(io.BytesIO(good), weights_only=True)
    first = next(name for name, value in state.items() if value.is_floating_point())
    yield "nothing", b""
    yield "text", b"weights"
    yield "cut", good[: len(good) // 2]
    yield "a byte is missing", good[:-1]
    yield "an empty zip", zipped({})
    yield "another zip", zipped({"a.txt": b"x"})
    yield "a pickle with code", pickle.dumps(Code())
    yield "code in a state dict", saved({first: Code()})
    yield "a list", saved([1, 2])
    yield "a tensor", saved(torch.zeros(3))
    yield "no tensors", saved({})
    yield "numbers in place of tensors", saved(dict.fromkeys(state, 1.0))
    yield "of another network", saved({"weight": torch.zeros(3)})
    yield "a tensor too few", saved({name: value for name, value in state.items() if name != first})
    yield "a tensor of another shape", saved({**state, first: torch.zeros(1, 2, 3)})
    for name, value in (("NaN", float("nan")), ("Inf", float("inf"))):
        yield name, saved({**state, first: torch.full_like(state[first], value)})
    yield "names that are numbers", saved(dict(enumerate(state.values())))
    yield "a nested one", saved({"state_dict": state})
    data = bytearray(good)
    place = len(good) // 2
    data[place : place + 50] = rng.bytes(50)
    yield "damaged within", bytes(data)
    yield "damaged directory", good[:-200] + flipped(good[-200:], rng)


class Code:
    """What would leave a trace, were it unpickled."""

    def __reduce__(self) -> tuple:
        return exec, ("raise SystemExit('code of a pickle was run')",)


def saved(content: object) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def bad_overlays() -> Iterator[tuple[str, str]]:
    """Configs laid over a bundle's own that MONAI can read, but no run can mean.

    Expressions and parts of other kinds are programs (SECURITY.md): what fails in them is shown as Python shows it.
    """
    for name, content in (
        ("a list for a number", {"num_workers": [1], "workers": [1]}),
        ("a number that is none", {"num_workers": float("nan"), "workers": float("nan")}),
        ("text for a flag", {"resume": "yes", "part": ["all"]}),
        ("a part of text", {"network_def": "VoxelMorph"}),
        ("a part that is a list", {"network_def": [1]}),
    ):
        yield name, json.dumps(content)


def bad_pairs(moving: str, fixed: str) -> Iterator[tuple[str, bytes]]:
    """pairs.csv in place of one that lists `moving` and `fixed`. Few of them are right by chance."""
    header, row = "moving,fixed\n", f"{moving},{fixed}\n"
    ids = ("../x", "/x", ".", "..", "a/b", "summary.csv", "x" * 300, '"a\nb"')
    paths = ("gone.nii.gz", "../../../etc/passwd", "/etc/passwd", ".", "/", "x" * 5000, "~/a.nii", "pairs.csv", "\a")
    for name, text in (
        ("nothing", ""), ("a header alone", header), ("no header", row), ("no fixed", f"moving\n{moving}\n"),
        ("columns of other names", f"source,target\n{row}"), ("half a pair", f"{header}{moving},\n"),
        ("blank cells", f"{header} , \n"), ("a short row", f"{header}{moving}\n"),
        ("a long row", f"{header}{row[:-1]},x,y\n"), ("an id again", f"id,{header}a,{row}a,{row}"),
        ("pairs again", header + row + row), ("semicolons", f"{header}{row}".replace(",", ";")),
        ("tabs", f"{header}{row}".replace(",", "\t")), ("a column again", f"moving,moving\n{row}"),
        ("an open quote", f'{header}"{moving},{fixed}\n'), ("capitals", f"Moving,Fixed\n{row}"),
        ("blanks", f"moving, fixed\n{row}"), *((f"id {i[:30]!r}", f"id,{header}{i},{row}") for i in ids),
        *((f"path {p[:30]!r}", f"{header}{p},{fixed}\n") for p in paths),
        ("a label that is no file", f"moving,fixed,moving_label\n{row[:-1]},gone.nii.gz\n"),
        ("a field of a megabyte", f"{header}{'x' * 10**6},{fixed}\n"),
    ):  # fmt: skip
        yield name, text.encode()
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1"):
        yield encoding, f"id,{header}é,{row}".encode(encoding)
    yield "zeros", bytes(100)
    yield "bytes", bytes(range(128, 256))
    yield "zeros in it", f"{header}{moving}\0,{fixed}\n".encode()


def written(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
