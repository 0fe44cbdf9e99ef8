"""metadata.json, the card and the licence of the data of a planned bundle."""

import json
from collections.abc import Mapping

from shared.engine.recipe import Part
from shared.planning.budget import duration
from shared.planning.planned import Planned
from shared.planning.results import Results, card_results
from shared.planning.starting import Start
from shared.planning.table import as_markdown

SCHEMA = "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"
UNKNOWN = "not stated"  # of a licence
NOT_EVALUATED = """\
**In short:** not evaluated yet. `evaluate.json` with `--part validation` scores the cases that were not trained on; its
figures belong into `eval_metrics` of `configs/metadata.json`, and here."""
CHANGELOG = {False: "planned from the data, not trained yet", True: "planned from the data and trained on them"}


def metadata(
    planned: Planned, title: str, source: str, licence: str, versions: dict[str, str], figures: Mapping[str, float]
) -> Part:
    """The content of metadata.json. versions: of the packages that a bundle requires, by their names.

    figures: of its evaluation; none before it is trained.
    """
    own = {"monai": "monai_version", "torch": "pytorch_version", "numpy": "numpy_version"}
    last = {key: planned.described[key] for key in ("references", "network_data_format")}
    described = {key: value for key, value in planned.described.items() if key not in last}
    return {
        "schema": SCHEMA,
        "version": "0.1.0",
        "changelog": {"0.1.0": CHANGELOG[bool(figures)]},
        **{key: versions[name] for name, key in own.items()},
        "required_packages_version": {name: text for name, text in versions.items() if name not in own},
        "supported_apps": {},
        "name": title,
        **described,
        "authors": UNKNOWN,
        "copyright": UNKNOWN,
        "weights_licence": licence or UNKNOWN,
        "data_source": source,
        "eval_metrics": dict(figures),
        "intended_use": "Research. Not a medical device, not for diagnosis.",
        **last,
    }


def metadata_text(content: Part) -> str:
    return json.dumps(content, indent=4, ensure_ascii=False) + "\n"


def card(planned: Planned, title: str, name: str, source: str, licence: str, results: Results | None) -> str:
    """docs/README.md, whose blocks `make configs` fills."""
    blocks = "\n\n".join(f"<!-- generated: {block} -->\n<!-- end -->" for block in ("options", "export", "versions"))
    return f"""# {title}

{planned.described["description"]} It was planned by `python scripts/new_bundle.py {name}` from
the data below; the weights are those of your own training{_begun(planned.start)}.

## Run it
<!-- generated: commands -->
<!-- end -->

Training writes `model.pt` into its `--output_dir`; inference takes it from `models/model.pt`, or by `--weights`.

{blocks}

## The data, and what was concluded from it
{as_markdown(planned.findings)}

`recipe.py` holds these conclusions. Change them there, and run `make configs`.

## Results
{card_results(results) if results else NOT_EVALUATED}

**Speed:** a step of training takes {duration(planned.step_seconds)} where it was planned.

## Licence
Code: Apache-2.0 (`LICENSE`). Data: {source}; licence: {licence or UNKNOWN} (`docs/data_license.txt`).
"""


def _begun(start: Start | None) -> str:
    return f", begun from those of {start.name} (`--finetune_from` with the `models/model.pt` of that)" if start else ""


def data_licence(source: str, licence: str, samples: int) -> str:
    shown = f"sample_data/ holds {samples} cases of it, unchanged." if samples else "No part of it is in this bundle."
    return (
        f"The data that this bundle is planned and trained on: {source}\n\nLicence: {licence or UNKNOWN}\n\n{shown}\n"
    )
