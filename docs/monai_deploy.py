"""The operator of MONAI Deploy for bundles whose inferer gives several outputs by name, as the nuclei's ids and scores.

Deploy's own takes the first of them for the first image of a batch. It needs monai-deploy-app-sdk.
"""

from typing import Any

from monai.deploy.operators.monai_bundle_inference_operator import MonaiBundleInferenceOperator


class NamedOutputsOperator(MonaiBundleInferenceOperator):
    """Emits as "pred" what the bundle's postprocessing puts there: of nuclei the ids, (1, H, W), the surest first."""

    def predict(self, data: Any, *args: Any, **kwargs: Any) -> tuple[dict[str, Any]]:
        found = super().predict(data, *args, **kwargs)
        return ({"pred": {name: values[0] for name, values in found.items()}},)
