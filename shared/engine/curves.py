"""The picture of a training run."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from shared.engine.drawing import new_figure
from shared.files import write_atomically


def draw_training_curve(path: str | Path, history: Sequence[Mapping[str, float]], key_metric: str) -> Path:
    """Draw loss and key metric by epoch into a PNG; rows without the metric are epochs without validation."""
    figure = new_figure(figsize=(7, 4), layout="constrained")
    loss = figure.subplots()
    loss.plot([r["epoch"] for r in history], [r["loss"] for r in history], color="tab:gray", label="training loss")
    loss.set(xlabel="epoch", ylabel="training loss")
    metric = loss.twinx()
    validated = [r for r in history if key_metric in r]
    metric.plot([r["epoch"] for r in validated], [r[key_metric] for r in validated], "o-", ms=3, label=key_metric)
    best = max(validated, key=lambda r: r[key_metric])
    metric.set_ylabel(f"validation {key_metric}")
    metric.set_title(f"best {key_metric} {best[key_metric]:.4f} at epoch {best['epoch']}", fontsize=10)
    return write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=120))
