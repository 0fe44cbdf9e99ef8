"""How tests run a bundle, a script that is no part of a package, and an exported network, and the pictures they give.

What several tests assert is here, too.
"""

import contextlib
import importlib.util
import json
import multiprocessing
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import imagecodecs
import nibabel as nib
import numpy as np
import onnxruntime
import pytest
import tifffile
import torch
import torch.distributed
import torch.multiprocessing
from ignite.engine import Engine
from monai.bundle import create_workflow
from PIL import Image
from torch import nn

from shared.engine.kept import Kept
from shared.engine.outcomes import CaseTask
from shared.engine.report import CaseReport
from shared.errors import input_error_behind
from shared.files import read_table
from shared.outputs import MANIFEST

ROOT = Path(__file__).parents[1]


def run_here(bundle: Path, output_dir: Path, config: str = "inference", **options: Any) -> Path:
    """Run a bundle's config on the CPU, in this process, which spares the seconds of importing; gives `output_dir`.

    options: overrides; `overlay`, the path of a config, is laid over the bundle's.
    """
    overlay = options.pop("overlay", None)
    files = [bundle / "configs" / f"{config}.json", *([overlay] if overlay else [])]
    values = {"device": "cpu", **options}
    workflow = create_workflow(
        config_file=[str(file) for file in files],
        workflow_type="train" if config == "train" else "infer",
        output_dir=str(output_dir),
        **{name: str(value) if isinstance(value, Path) else value for name, value in values.items()},
    )
    workflow.run()
    return output_dir


def refused_here(bundle: Path, output_dir: Path, config: str = "inference", **options: Any) -> str:
    """As `run_here`, what cannot be done: gives the line that a command would end with, after its "error: "."""
    with pytest.raises(RuntimeError) as raised:  # MONAI's, around ours
        run_here(bundle, output_dir, config, **options)
    known = input_error_behind(raised.value)
    assert known is not None, raised.value
    return str(known)


def script(name: str, folder: str = "scripts") -> ModuleType:
    """FOLDER/NAME.py as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / folder / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def environment_of(checkout: Path = ROOT) -> dict[str, str]:
    """In which a checkout's scripts run without its being installed."""
    return {**os.environ, "PYTHONPATH": str(checkout)}


def in_processes(count: int, work: Callable[..., object], *arguments: Any) -> None:
    """Call `work` with `arguments` in `count` processes that share a process group, as under torchrun.

    work: a function of a module, not one made in a function; it and its arguments are pickled. The processes are forked
    from one that has imported what takes seconds, and has run nothing.
    """
    multiprocessing.set_forkserver_preload(["monai.bundle", "monai.engines", "nibabel", "SimpleITK", "tests.running"])
    with tempfile.TemporaryDirectory() as folder:
        arguments = (count, f"file://{folder}/store", work, arguments)
        torch.multiprocessing.start_processes(_in_group, arguments, nprocs=count, start_method="forkserver")


def _in_group(rank: int, count: int, store: str, work: Callable[..., object], arguments: Sequence[Any]) -> None:
    torch.distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=count)
    try:
        work(*arguments)
    finally:
        if torch.distributed.is_initialized():  # a bundle may end it itself
            torch.distributed.destroy_process_group()


def train_in_group(files: Sequence[Path], folder: Path, options: Mapping[str, Any]) -> None:
    """Train by these config files, in a process of a group, on the CPU; what it prints is in `folder`, by its rank."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    with (folder / f"{torch.distributed.get_rank()}.txt").open("w") as log, contextlib.redirect_stdout(log):
        workflow = create_workflow(config_file=[str(file) for file in files], workflow_type="train", **options)
        workflow.run()
        workflow.finalize()


def report_results(make_task: Callable[[Path], CaseTask], results: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Hand results to the task of `folder`, as the engine of a bundle hands them on: a `CaseReport` without networks.

    results: what a `CaseTask` takes, with "files" and "network_seconds".
    """
    by_case = {result["case"]: result for result in results}
    report = CaseReport([{"case": case} for case in by_case], make_task(folder), output_dir=folder)

    def step(engine: Any, batch: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        engine.state.files, engine.state.network_seconds = batch[0]["files"], batch[0]["network_seconds"]
        return batch

    engine = Engine(step)
    report.attach(engine)
    if report.begin():
        engine.run([[by_case[case["case"]]] for case in report.pending], max_epochs=1)
    report.finish()


def assert_same_results(folder: Path, other: Path) -> None:
    """That two folders hold the same files of the same content, seconds and the manifest aside.

    Of NIfTI files array and affine are compared, of pictures the pixels, of tables and JSON the values.
    """
    names = [
        sorted(p.relative_to(f).as_posix() for p in f.rglob("*") if p.is_file() and p.name != MANIFEST)
        for f in (folder, other)
    ]
    assert names[0] == names[1]
    for name in names[0]:
        read = CONTENT[name.rpartition(".")[2]]
        for part, expected in zip(read(folder / name), read(other / name), strict=True):
            np.testing.assert_equal(part, expected, err_msg=name)


def _volume(path: Path) -> list[np.ndarray | None]:
    image = nib.Nifti1Image.from_filename(path)
    return [np.asarray(image.dataobj), image.affine]


def _without_seconds(content: Any) -> Any:
    if isinstance(content, list):
        return [_without_seconds(part) for part in content]
    return {k: v for k, v in content.items() if k != "seconds"} if isinstance(content, dict) else content


# How `assert_same_results` reads a file, by its ending.
def _json(path: Path) -> list[Any]:
    return [_without_seconds(json.loads(path.read_text(encoding="utf-8")))]


CONTENT: dict[str, Callable[[Path], Sequence[Any]]] = {
    "gz": _volume,
    "png": lambda path: [read_picture(path)],
    "csv": lambda path: _without_seconds(read_table(path)),
    "json": _json,
    "geojson": _json,
}


def read_picture(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def write_picture(path: Path, array: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(array)).save(path)
    return path


def write_in_every_format(folder: Path, gray: np.ndarray) -> list[str]:
    """Write the same shades of gray (8 bits) in every format without loss; gives the names without their endings."""
    deep = gray.astype(np.uint16) * 257  # 0 … 255 to 0 … 65,535
    veil = np.random.default_rng(0).integers(0, 256, gray.shape, dtype=np.uint8)  # alpha says nothing of the cells
    write_picture(folder / "gray.png", gray)
    write_picture(folder / "rgb.png", np.stack([gray] * 3, axis=-1))
    write_picture(folder / "rgba.png", np.stack([gray, gray, gray, veil], axis=-1))
    write_picture(folder / "gray_alpha.png", np.stack([gray, veil], axis=-1))
    (folder / "deep.png").write_bytes(imagecodecs.png_encode(deep))
    (folder / "deep_rgb.png").write_bytes(imagecodecs.png_encode(np.stack([deep] * 3, axis=-1)))
    tifffile.imwrite(folder / "deep_tiff.tif", deep)
    tifffile.imwrite(folder / "float_tiff.tiff", gray / np.float32(1000) - 5)
    return [path.stem for path in folder.iterdir()]


def write_bad_pictures(folder: Path, good: Path, *, channels: int) -> dict[str, str]:
    """Write one of each that cannot be used, and a volume, which is passed over; file -> words of its message.

    good: a picture that can. channels: of the network, as which a gray picture is read.
    """
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (9, 8, 7), dtype=np.uint8)
    with_nan = noise[0].astype(np.float32)
    with_nan[3, 4] = np.nan
    whole, cut = good.read_bytes(), f"truncated{good.suffix}"
    (folder / cut).write_bytes(whole[: len(whole) // 2])
    (folder / "empty_file.png").write_bytes(b"")
    (folder / "text.tif").write_text("not an image")
    write_picture(folder / "constant.png", np.full((50, 60), 7, np.uint8))
    tifffile.imwrite(folder / "nan.tif", with_nan)
    nib.save(nib.Nifti1Image(noise.astype(np.float32), np.eye(4)), folder / "volume.nii.gz")
    return {
        cut: "expected a PNG, JPEG, TIFF, BMP, WebP, JPEG 2000, GIF, PPM or PGM that can be read",
        "empty_file.png": "expected a PNG, JPEG, TIFF, BMP, WebP, JPEG 2000, GIF, PPM or PGM that can be read",
        "text.tif": "expected a PNG, JPEG, TIFF, BMP, WebP, JPEG 2000, GIF, PPM or PGM that can be read",
        "constant.png": f"got {', '.join(['7'] * channels)} everywhere",
        "nan.tif": f"got {channels} NaN or Inf",
    }


def assert_ended_with_a_line(done: subprocess.CompletedProcess, words: str) -> None:
    """That a command failed, said why in its last line, and showed no pages of traceback."""
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    assert words in last, last


def assert_only_the_bad_failed(
    done: subprocess.CompletedProcess, given: Path, out: Path, told: dict[str, str], written: Sequence[str]
) -> None:
    """That each file of `given` named in `told` failed with a line that says so, and the file "good" alone was done.

    written: all files that there are in `out` but the table.
    """
    assert_ended_with_a_line(done, f"{out / 'summary.csv'}: expected every case")
    rows = {row["case"]: row for row in read_table(out / "summary.csv")}
    assert rows.pop("good")["status"] == "ok"
    assert rows.keys() == {name.split(".")[0] for name in told}
    files = {path.relative_to(out).as_posix() for path in out.rglob("*.*")}
    assert files == {*written, "summary.csv", MANIFEST}
    for name, words in told.items():
        row = rows[name.split(".")[0]]
        assert row["status"] == "failed"
        assert row["message"].startswith(f"{given / name}: ")
        assert words in row["message"], row["message"]
        assert "\n" not in row["message"]
        assert row["message"] in done.stdout


def kept_bytes(run: Callable[[], torch.Tensor]) -> int:
    """The bytes that autograd keeps of `run` for the way back."""
    with Kept() as kept:
        assert run().requires_grad
    return kept.bytes


def assert_onnxruntime_agrees(network: nn.Module, shape: Sequence[int], folder: Path, *, within: float) -> None:
    """That `network`, exported at the channels and size (C, *S), gives what torch gives, whatever the batch."""
    axes = {0: torch.export.Dim("batch", min=1, max=8)}
    torch.onnx.export(
        network, (torch.rand(2, *shape),), str(folder / "net.onnx"), input_names=["image"], opset_version=20,
        dynamo=True, dynamic_shapes=(axes,), verbose=False,
    )  # fmt: skip
    session = onnxruntime.InferenceSession(str(folder / "net.onnx"))
    for batch in (1, 3):
        image = torch.rand(batch, *shape)
        with torch.no_grad():
            expected = network(image).numpy()
        (given,) = session.run(None, {"image": image.numpy()})
        assert np.abs(expected).max() > 0.5  # it is about something
        np.testing.assert_allclose(given, expected, rtol=within, atol=within)
