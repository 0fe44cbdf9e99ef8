"""What a run logs to MLflow with `--tracking mlflow` is what its own files say."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shared.engine.report import CaseReport
from tests.running import run_here


def test_figures_are_averaged_over_the_cases_that_have_them(tmp_path: Path) -> None:
    figures = {"a": {"dice": 0.5, "group": "x"}, "b": {"dice": 1, "hd95": 3.0}, "c": {"dice": float("nan")}}
    task: Any = SimpleNamespace(
        process=lambda result: figures[result["case"]], targets=lambda case: [], kept={}, summaries=()
    )
    report = CaseReport([{"case": case} for case in figures], task, output_dir=tmp_path, settings={})
    for case in figures:
        report.start_case()
        report.end_case({"case": case})
    assert {name: value for name, value in report.means().items() if name != "seconds"} == {"dice": 0.75, "hd95": 3.0}


@pytest.mark.client
def test_evaluation_logs_the_means_that_its_metrics_json_has(root: Path, tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow", reason="needs the extra mlflow")
    bundle = root / "bundles" / "membrane_em_segmentation"
    uri = f"sqlite:///{tmp_path / 'runs.db'}"  # MLflow 3.13 and later take no folder
    run_here(bundle, tmp_path / "out", "evaluate", tracking="mlflow", tracking_uri=uri, pictures=False)
    summary = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
    means = {name: values["mean"] for name, values in summary.items() if isinstance(values, dict)}
    client = mlflow.MlflowClient(tracking_uri=uri)
    (run,) = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    assert means
    assert {name: run.data.metrics[name] for name in means} == pytest.approx(means, abs=1e-5)
