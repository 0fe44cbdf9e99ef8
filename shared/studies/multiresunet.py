"""The report of the study that puts the claims of the MultiResUNet paper to the test."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import wilcoxon
from torch.utils.flop_counter import FlopCounterMode

from shared.files import write_atomically
from shared.images.reading import read_image
from shared.nets.multiresunet import MultiResUNet
from shared.studies.perturbing import PERTURBATIONS
from shared.studies.pictures import Curve, draw_comparison, draw_curves
from shared.tasks.segmentation.boundaries import boundary_scores, tiles
from shared.tasks.segmentation.metrics import jaccard_indices

# The ablation of the paper: name -> block and skip.
NETWORKS = {
    "U-Net": ("plain", "plain"),
    "U-Net + MultiRes": ("multires", "plain"),
    "U-Net + ResPath": ("plain", "respath"),
    "MultiResUNet": ("multires", "respath"),
}
BASELINE, PROPOSED = "U-Net", "MultiResUNet"
SIGNIFICANT = 0.05
SHARE_OF_BEST = 0.99
UNPERTURBED_LEVEL = {"contrast (factor)": 1.0}  # 0 for the others
WINDOW_PX = 128  # of the places that the comparison shows
SOURCES = ("image", "reference")
REPORT = """# MultiResUNet against U-Net

{protocol}

{table}

## The claims

{claims}

## Convergence

![Validation Jaccard by epoch](study_convergence.png)

Jaccard of the validation images by epoch, mean over classes. Lines are means over folds, shades their range.

## Robustness

![Jaccard under perturbations](study_robustness.png)

Jaccard of the validation images, mean over classes, under changes that no training went as far as. Noise, brightness
and the patches are given as shares of the image's range.

## Easy, faint and hard places

![What each network drew in three places](study_places.png)

The windows on which the networks together did best, found least of the faint boundaries, and did worst.
"""

Row = Mapping[str, Any]


def write_report(
    output_dir: str | Path,
    rows: Sequence[Row],
    histories: Mapping[tuple[str, int], Sequence[Row]],
    *,
    filters: Sequence[int],
    command: str,
    channels: int = 1,
    docs_dir: str | Path | None = None,
) -> str:
    """Write study.md and its pictures into `output_dir`, and return the text.

    rows: scores of each network, fold, case and perturbation. histories: metrics.csv of each (network, fold).
    filters, channels: of the networks. command: what repeats the study.
    docs_dir: gets all of it too, but in the comparison only what the networks drew: the images may not be free.
    """
    networks = [name for name in NETWORKS if any(row["network"] == name for row in rows)]
    metric = next(key for row in next(iter(histories.values())) for key in row if key.startswith("mean_"))
    curves = {name: _validation_curve(histories, name, metric) for name in networks}
    classes = [key.removeprefix("jaccard_") for key in rows[0] if key.startswith("jaccard_") and key != "jaccard_mean"]
    text = REPORT.format(
        protocol=_protocol(rows, histories, networks, command),
        table=_table(rows, histories, curves, networks, classes, filters, channels),
        claims=_claims(rows, curves, networks),
    )
    places = _places(rows, networks, len(classes))
    shown_in = {Path(output_dir): [*SOURCES, *networks]} | ({Path(docs_dir): networks} if docs_dir else {})
    for folder, shown in shown_in.items():
        draw_curves(folder / "study_convergence.png", {"epoch": curves}, ylabel="validation Jaccard", baseline=BASELINE)
        draw_curves(folder / "study_robustness.png", _robustness(rows, networks), ylabel="Jaccard, mean over classes")
        draw_comparison(
            folder / "study_places.png",
            {title: {name: place[name] for name in shown} for title, place in places.items()},
        )
        write_atomically(folder / "study.md", lambda path: path.write_text(text, encoding="utf-8"))
    return text


def compare(rows: Sequence[Row], a: str, b: str, key: str) -> dict[str, float]:
    """How `key` of network `a` differs from that of `b`, case by case of the unperturbed ones.

    Returns the mean difference, the number of cases and those in which `a` is higher, and the p-value of Wilcoxon's
    signed-rank test (1 where there are fewer than six cases: it could not come out significant).
    """
    return paired({name: {row["case"]: row[key] for row in _clean(rows, name)} for name in (a, b)}, a, b)


def verdict(found: Mapping[str, float]) -> str:
    """Whether a claim of a higher value held, by the sign of the difference and its p-value."""
    if found["p"] >= SIGNIFICANT:
        return "Not shown"
    return "Held" if found["difference"] > 0 else "The contrary was found"


def paired(values: Mapping[str, Mapping[str, float]], a: str, b: str) -> dict[str, float]:
    """As `compare`, of network -> case -> value."""
    differences = np.array([values[a][case] - values[b][case] for case in values[a] if case in values[b]])
    differences = differences[np.isfinite(differences)]
    enough = len(differences) >= 6 and differences.any()
    p = float(wilcoxon(differences).pvalue) if enough else 1.0
    higher = int((differences > 0).sum())
    return {"difference": float(differences.mean()), "count": len(differences), "higher": higher, "p": p}


def _clean(rows: Sequence[Row], network: str) -> list[Row]:
    return [row for row in rows if row["network"] == network and not row["perturbation"]]


def _validation_curve(histories: Mapping[tuple[str, int], Sequence[Row]], network: str, metric: str) -> Curve:
    """The epochs that were validated, and the metric at each of them, a list a fold."""
    folds = [[row for row in history if row.get(metric)] for (name, _), history in histories.items() if name == network]
    return [float(row["epoch"]) for row in folds[0]], [[float(row[metric]) for row in fold] for fold in folds]


def epochs_to_reach(curve: Curve, goals: Sequence[float]) -> list[float]:
    """The first validated epoch of each fold at or above its goal; infinite where there is none."""
    x, folds = curve
    return [next((e for e, y in zip(x, fold) if y >= goal), float("inf")) for fold, goal in zip(folds, goals)]


def _protocol(
    rows: Sequence[Row], histories: Mapping[tuple[str, int], Sequence[Row]], networks: Sequence[str], command: str
) -> str:
    cases, folds = len({row["case"] for row in rows}), len({fold for _, fold in histories})
    epochs = max(len(history) for history in histories.values())
    return (
        f"{len(networks)} networks, {folds} fold{'s' * (folds > 1)} done, {epochs} epochs each, the same images in the"
        " same order for all;"
        f" scored on the\n{cases} images when they were kept out of training, by the running average of the weights"
        f" after the last epoch,\nso that no epoch was chosen on them. Written by\n```\n{command}\n```"
    )


def _table(
    rows: Sequence[Row],
    histories: Mapping[tuple[str, int], Sequence[Row]],
    curves: Mapping[str, Curve],
    networks: Sequence[str],
    classes: Sequence[str],
    filters: Sequence[int],
    channels: int,
) -> str:
    head = ["network", "Jaccard, mean of classes", *(f"Jaccard {name}" for name in classes), "boundary F1 (2 px)"]
    head += ["parameters", "GFLOPs, 512²", "seconds an epoch", "epochs to 99 % of U-Net's best"]
    lines = [head, ["---"] * len(head)]
    goals = [SHARE_OF_BEST * max(fold) for fold in curves[BASELINE][1]] if BASELINE in curves else []
    for name in networks:
        clean = _clean(rows, name)
        keys = ["jaccard_mean", *(f"jaccard_{c}" for c in classes), "boundary_f1"]
        scores = [[row[key] for row in clean] for key in keys]
        reached = epochs_to_reach(curves[name], goals)
        seconds = [float(row["seconds"]) for (n, _), history in histories.items() if n == name for row in history]
        block, skip = NETWORKS[name]
        network = MultiResUNet(2, channels, len(classes), filters=filters, block=block, skip=skip)
        size = sum(p.numel() for p in network.parameters())
        figures = [f"{np.nanmean(s):.4f} ± {np.nanstd(s):.4f}" for s in scores]
        figures += [f"{size:,}", f"{_gflops(network, channels):.1f}", f"{np.median(seconds):.0f}", _told(reached)]
        lines.append([name, *figures])
    note = (
        "± is the standard deviation over images. A multiplication and an addition are two FLOPs."
        " Seconds are medians, whatever else ran beside. Epochs: a fold each."
    )
    return "\n".join([*("| " + " | ".join(line) + " |" for line in lines), "", note])


def _told(epochs: Sequence[float]) -> str:
    return ", ".join(f"{e:.0f}" if np.isfinite(e) else "not reached" for e in epochs)


def _gflops(network: torch.nn.Module, channels: int) -> float:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.to("meta").eval()(torch.empty(1, channels, 512, 512, device="meta"))
    return counter.get_total_flops() / 1e9


def _claims(rows: Sequence[Row], curves: Mapping[str, Curve], networks: Sequence[str]) -> str:
    """A paragraph a claim of the paper: its verdict, and what was measured."""
    if not {BASELINE, PROPOSED} <= set(networks):
        return f"Neither shown nor refuted: they need both {BASELINE} and {PROPOSED}."
    goals = [SHARE_OF_BEST * max(fold) for fold in curves[BASELINE][1]]
    reached = {name: epochs_to_reach(curves[name], goals) for name in (BASELINE, PROPOSED)}
    sooner = sum(a < b for a, b in zip(reached[PROPOSED], reached[BASELINE]))
    lines = [
        _claim("Better results than U-Net", rows, PROPOSED, BASELINE, "jaccard_mean", "mean Jaccard"),
        f"**In fewer epochs.** {'Held' if sooner == len(goals) else 'Not shown' if sooner else 'Did not hold'}: 99 % of"
        f" U-Net's best validation Jaccard was reached at epoch {_told(reached[PROPOSED])} (a fold each) by"
        f" MultiResUNet, {_told(reached[BASELINE])} by U-Net.",
        _claim("Better faint boundaries", rows, PROPOSED, BASELINE, "boundary_recall_faint",
               "share found of the faintest third of the boundary pixels"),
        _robustness_claim(rows),
        _claim("Reliable on outliers", rows, PROPOSED, BASELINE, "tile_p5",
               "mean Jaccard of the worst twentieth of each image's tiles of 128²"),
    ]  # fmt: skip
    for name, what in (("U-Net + MultiRes", "MultiRes blocks alone help"), ("U-Net + ResPath", "ResPaths alone help")):
        if name in networks:
            lines.append(_claim(what, rows, name, BASELINE, "jaccard_mean", "mean Jaccard"))
    caution = (
        f"Held or contrary means p < {SIGNIFICANT} in Wilcoxon's signed-rank test over images. Images of one stack"
    )
    caution += " resemble each other, and each network was trained once a fold: take p as a guide."
    return "\n\n".join([*lines, caution])


def _claim(claim: str, rows: Sequence[Row], a: str, b: str, key: str, measured: str) -> str:
    return _sentence(claim, measured, a, b, compare(rows, a, b, key))


def _sentence(claim: str, measured: str, a: str, b: str, found: Mapping[str, float]) -> str:
    return (
        f"**{claim}.** {verdict(found)}: the {measured} of {a} differs by {found['difference']:+.4f} from that of {b},"
        f" and is higher on {found['higher']} of {found['count']} images (p = {found['p']:.2g})."
    )


def _robustness_claim(rows: Sequence[Row]) -> str:
    """What each network keeps of its Jaccard under perturbation, a mean over kinds and levels for each case."""
    kept: dict[str, dict[str, float]] = {}
    by_kind: dict[str, dict[str, float]] = {}
    for name in (BASELINE, PROPOSED):
        clean = {row["case"]: row["jaccard_mean"] for row in _clean(rows, name)}
        changed = [row for row in rows if row["network"] == name and row["perturbation"]]
        changes = [(row["case"], row["perturbation"], row["jaccard_mean"] - clean[row["case"]]) for row in changed]
        kept[name] = {case: float(np.mean([c for k, _, c in changes if k == case])) for case in clean}
        by_kind[name] = {kind: float(np.mean([c for _, k, c in changes if k == kind])) for kind in PERTURBATIONS}
    measured = "change of Jaccard under perturbation, a mean over kinds and levels,"
    found = _sentence("Robust to perturbation", measured, PROPOSED, BASELINE, paired(kept, PROPOSED, BASELINE))
    kinds = [f"{kind} {by_kind[PROPOSED][kind] - by_kind[BASELINE][kind]:+.3f}" for kind in PERTURBATIONS]
    return f"{found} By kind: {', '.join(kinds)}."


def _robustness(rows: Sequence[Row], networks: Sequence[str]) -> dict[str, dict[str, tuple]]:
    """Panel -> network -> levels and Jaccard at each, a list a fold."""
    folds = sorted({row["fold"] for row in rows})
    panels: dict[str, dict[str, tuple]] = {}
    for kind, (_, levels) in PERTURBATIONS.items():
        points = [("", 0.0), *((kind, level) for level in levels)]
        x = [UNPERTURBED_LEVEL.get(kind, 0.0), *levels]
        for name in networks:
            mean = [
                [
                    float(np.mean([r["jaccard_mean"] for r in rows if (r["network"], r["fold"]) == (name, fold)
                                   and (r["perturbation"], r["level"]) == point]))
                    for point in points
                ]
                for fold in folds
            ]  # fmt: skip
            panels.setdefault(kind, {})[name] = (x, mean)
    return panels


def _places(
    rows: Sequence[Row], networks: Sequence[str], num_classes: int
) -> dict[str, dict[str, tuple[np.ndarray, str]]]:
    """The window where the networks together are best, where they find least of what is faint, and where worst.

    Place -> each of SOURCES and networks -> picture and caption. Windows in which all is of one class are passed over.
    """
    paths = {(row["network"], row["case"]): row["prediction"] for row in rows if not row["perturbation"]}
    found = []
    for row in _clean(rows, networks[0]):
        image = read_image(row["image"]).values[0]
        label = read_image(row["reference"], as_ids=True).values[0].astype(np.uint8)
        drawn = {n: read_image(paths[n, row["case"]], as_ids=True).values[0] for n in networks}
        for window in tiles(label.shape, WINDOW_PX):
            if np.ptp(label[window]) == 0:
                continue
            pictures = {n: labels[window].astype(np.uint8) for n, labels in drawn.items()}
            jaccard = {
                n: float(np.nanmean(jaccard_indices(p, label[window], num_classes))) for n, p in pictures.items()
            }
            faint = [
                boundary_scores(p, label[window], image[window])["boundary_recall_faint"] for p in pictures.values()
            ]
            found.append((float(np.mean(list(jaccard.values()))), float(np.mean(faint)), image[window], label[window],
                          pictures, jaccard))  # fmt: skip
    by_jaccard = sorted(range(len(found)), key=lambda i: found[i][0])
    worst, easy = by_jaccard[0], by_jaccard[-1]
    others = by_jaccard[1:-1] or by_jaccard
    chosen = {
        "easy": easy,
        "faint boundary": min(others, key=lambda i: np.nan_to_num(found[i][1], nan=9)),
        "worst": worst,
    }
    comparison = {}
    for title, index in chosen.items():
        _, _, image, label, pictures, jaccard = found[index]
        known = dict(zip(SOURCES, ((image, ""), (label, ""))))
        comparison[title] = {**known, **{n: (p, f"Jaccard {jaccard[n]:.3f}") for n, p in pictures.items()}}
    return comparison
