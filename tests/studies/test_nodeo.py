"""The study of the NODEO paper: its pairs, and what its report makes of results whose figures are known."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from shared.files import write_table
from shared.spatial.itk import displacement_to_itk, grid_of, write_field
from shared.studies.nodeo import Registered, write_report
from tests.running import script


def registered(folder: Path, name: str, *, pairs: int, folded: int) -> Registered:
    """Pairs of 20 × 24 voxels whose det J is 1, but -0.5 in `folded` of them; Dice 0.7, 0.8, …"""
    rows = []
    for number in range(pairs):
        case = folder / name / str(number)
        determinant = np.ones((20, 24, 1), np.float32)
        determinant.reshape(-1)[:folded] = -0.5
        case.mkdir(parents=True)
        for file, array in (
            ("jacobian", determinant),
            ("moved", np.random.default_rng(0).random((20, 24, 1), np.float32)),
        ):
            nib.save(nib.Nifti1Image(array, np.eye(4)), case / f"{file}.nii.gz")
        write_field(
            case / "displacement.nii.gz", displacement_to_itk(np.ones((2, 20, 24)), grid_of((20, 24), np.eye(3)))
        )
        rows.append({
            "case": str(number), "dice_before": 0.5, "dice_after": 0.7 + number / 10, "sd_log_jacobian": 0.3,
            "folds_percent": 100 * folded / 480, "seconds": 2.0 + number,
        })  # fmt: skip
    write_table(folder / name / "summary.csv", rows)
    texts = [{key: str(value) for key, value in row.items()} for row in rows]
    return Registered(name, folder / name, texts, peak_mib=1234.0)


def test_the_report_tells_the_figures_and_leaves_images_out_where_they_may_not_go(tmp_path: Path) -> None:
    ablation = {
        name: registered(tmp_path, f"figure {name}", pairs=1, folded=n) for name, n in (("both", 0), ("neither", 48))
    }
    table = [registered(tmp_path, "table paper", pairs=3, folded=12)]
    volumes = [registered(tmp_path, "volume fast", pairs=1, folded=0)]
    growth = [registered(tmp_path, f"growth {mm} mm", pairs=1, folded=0) for mm in (2.0, 1.0)]
    text = write_report(tmp_path / "whole", ablation, table, volumes, growth).read_text(encoding="utf-8")
    assert "| neither | 0.500 | 0.700 | 10.000 | 0.300 | 24.00 |" in text  # 48 voxels of -0.5
    assert "| paper | 0.800 ± 0.082 | 2.5000 | 6.000 | 0.300 | 3.00 |" in text
    assert "| before | 0.500 |" in text
    assert "| fast | 0.700 | 0.0000 | 2 | 1234 |" in text
    assert text.count("| 0.00 | 0.700 |") == 2  # 480 voxels are nearly no million
    write_report(tmp_path / "docs", ablation, table, images=False)
    sizes = [Image.open(tmp_path / name / "nodeo_figure4.png").height for name in ("whole", "docs")]
    assert sizes[1] == pytest.approx(sizes[0] * 3 / 4, rel=0.05)  # a row less


def test_the_protocol_of_table_1_has_its_pairs() -> None:
    study = script("reproduce_nodeo")
    subjects = {n: {"case": f"{n:04d}", "image": f"{n}.nii.gz", "label": f"{n}_seg.nii.gz"} for n in range(1, 61)}
    pairs = study.pairs_of_table(subjects)
    assert len(pairs) == 5 * 48  # of 49 below 50, each of five fixed ones with all others
    assert len({pair["id"] for pair in pairs}) == len(pairs)
    assert {Path(pair["fixed"]).name for pair in pairs} == {f"{n}.nii.gz" for n in (1, 10, 20, 30, 40)}
    assert all(pair["fixed"] != pair["moving"] for pair in pairs)
