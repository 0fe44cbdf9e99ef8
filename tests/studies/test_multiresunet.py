"""What the study concludes from scores whose truth is known."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from shared.nets.multiresunet import MultiResUNet
from shared.studies.multiresunet import NETWORKS, compare, epochs_to_reach, verdict, write_report
from shared.studies.perturbing import PERTURBATIONS

COUNT = 8


@pytest.fixture
def study(tmp_path: Path) -> Callable[..., tuple[list[dict[str, Any]], dict]]:
    """Scores and histories of two folds of four cases, in which `gain` is what MultiResUNet is better by."""
    label = np.zeros((128, 256), dtype=np.uint8)
    label[:, 100:] = label[:20] = 1
    Image.fromarray(255 * label).save(tmp_path / "image.png")
    Image.fromarray(label).save(tmp_path / "label.png")

    def make(gain: float) -> tuple[list[dict[str, Any]], dict]:
        rows: list[dict[str, Any]] = []
        for case in range(COUNT):
            base = 0.7 + 0.01 * case
            for name in NETWORKS:
                score = base + gain * (1 + 0.1 * case) * (name == "MultiResUNet")
                common = {"network": name, "fold": float(case % 2), "case": str(case)}
                jaccard = {"jaccard_mean": score, "jaccard_out": score - 0.1, "jaccard_in": score + 0.1}
                paths = {"image": tmp_path / "image.png", "reference": tmp_path / "label.png"}
                rows.append(
                    common | {"perturbation": "", "level": 0.0} | jaccard | paths | {
                        "prediction": tmp_path / "label.png", "boundary_f1": score, "boundary_recall_faint": score,
                        "tile_p5": score,
                    }
                )  # fmt: skip
                for kind, (_, levels) in PERTURBATIONS.items():
                    for level in levels:
                        rows.append(common | {"perturbation": kind, "level": level, "jaccard_mean": 0.5})
        histories = {
            (name, fold): [
                {"epoch": e, "loss": 1.0, "seconds": 3, "mean_jaccard": 0.1 * e if e % 2 == 0 else ""}
                for e in range(1, 9)
            ]
            for name in NETWORKS
            for fold in range(2)
        }
        return rows, histories

    return make


@pytest.mark.parametrize(("gain", "found"), [(0.05, "Held"), (-0.05, "The contrary was found"), (0.0, "Not shown")])
def test_a_claim_holds_by_sign_and_significance(study: Callable, gain: float, found: str) -> None:
    rows, _ = study(gain)
    result = compare(rows, "MultiResUNet", "U-Net", "jaccard_mean")
    assert verdict(result) == found
    assert result["difference"] == pytest.approx(gain * 1.35)  # the mean of 1 + 0.1 case over eight cases
    assert (result["count"], result["higher"]) == (COUNT, COUNT if gain > 0 else 0)
    # All eight of one sign: of 2^8 sign patterns two are as extreme.
    assert result["p"] == pytest.approx(2 / 2**8 if gain else 1)


def test_a_difference_of_changing_sign_is_not_shown(study: Callable) -> None:
    rows, _ = study(0.0)
    for row in rows:
        if row["network"] == "MultiResUNet" and not row["perturbation"]:
            row["jaccard_mean"] += 0.01 * (-1) ** int(row["case"]) * (1 + 0.1 * int(row["case"]))
    assert verdict(compare(rows, "MultiResUNet", "U-Net", "jaccard_mean")) == "Not shown"


def test_the_epoch_that_reaches_a_goal_is_the_first_at_or_above_it() -> None:
    curve = ([2.0, 4.0, 6.0], [[0.5, 0.8, 0.7], [0.1, 0.2, 0.3]])
    assert epochs_to_reach(curve, [0.7, 0.3]) == [4.0, 6.0]
    assert epochs_to_reach(curve, [0.81, 0.1]) == [float("inf"), 2.0]


def test_the_report_says_what_the_scores_say(study: Callable, tmp_path: Path) -> None:
    rows, histories = study(0.05)
    text = write_report(tmp_path / "out", rows, histories, filters=[4, 8], command="it", docs_dir=tmp_path / "docs")
    for folder in ("out", "docs"):
        assert (tmp_path / folder / "study.md").read_text(encoding="utf-8") == text
        for picture in ("convergence", "robustness", "places"):
            assert f"(study_{picture}.png)" in text
            assert (tmp_path / folder / f"study_{picture}.png").is_file()
    network = MultiResUNet(2, 1, 2, filters=[4, 8])
    line = next(line for line in text.splitlines() if line.startswith("| MultiResUNet"))
    assert f"{sum(p.numel() for p in network.parameters()):,}" in line
    # 0.7 + 0.01 case + 0.05 (1 + 0.1 case), of which case is 3.5 in the mean and 2.29 the standard deviation.
    assert "0.8025 ± 0.0344" in line
    assert line.endswith("| 3 | 8, 8 |")  # 99 % of 0.8, U-Net's best, at the last validated epoch
    assert (
        "**Better results than U-Net.** Held: the mean Jaccard of MultiResUNet differs by +0.0675 from that of U-Net"
        in text
    )
    # Perturbed, both have 0.5: who was better loses more.
    assert "**Robust to perturbation.** The contrary was found" in text
    assert "**ResPaths alone help.** Not shown" in text


def test_networks_of_colour_images_are_counted_with_their_channels(study: Callable, tmp_path: Path) -> None:
    rows, histories = study(0.0)
    text = write_report(tmp_path, rows, histories, filters=[4, 8], command="it", channels=3)
    size = sum(p.numel() for p in MultiResUNet(2, 3, 2, filters=[4, 8]).parameters())
    assert f"{size:,}" in next(line for line in text.splitlines() if line.startswith("| MultiResUNet"))


def test_the_copy_for_the_docs_shows_no_image(study: Callable, tmp_path: Path) -> None:
    rows, histories = study(0.0)
    write_report(tmp_path / "out", rows, histories, filters=[4, 8], command="it", docs_dir=tmp_path / "docs")
    widths = [Image.open(tmp_path / folder / "study_places.png").width for folder in ("out", "docs")]
    assert widths[0] / widths[1] == pytest.approx(6 / 4, rel=0.01)  # image and reference beside four networks


def test_a_study_of_some_networks_says_what_it_cannot_say(study: Callable, tmp_path: Path) -> None:
    rows, histories = study(0.0)
    rows = [row for row in rows if row["network"] == "U-Net"]
    histories = {key: value for key, value in histories.items() if key[0] == "U-Net"}
    text = write_report(tmp_path / "out", rows, histories, filters=[4, 8], command="it")
    assert "they need both U-Net and MultiResUNet" in text
