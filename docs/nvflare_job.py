"""Train a bundle in NVIDIA FLARE's simulator: sites with data of their own, whose weights are averaged each round.

In a federation that is not simulated, the same recipe is handed to a `ProdEnv`; paths are then those of each site.
Writes model.pt into the output folder, which `--weights` takes. It needs nvflare.
"""

import argparse
import sys
from pathlib import Path

import torch
from nvflare.app_opt.pt.file_model_persistor import PTFileModelPersistor
from nvflare.app_opt.pt.recipes.fedavg import FedAvgRecipe
from nvflare.recipe import SimEnv, set_per_site_config

CLIENT = Path(__file__).with_name("nvflare_client.py")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("bundle", type=Path, help="the folder of a bundle")
    parser.add_argument("sites", type=Path, nargs="+", help="a folder of labelled data a site, called after the site")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2, help="of a round")
    parser.add_argument("--weights", type=Path, help="what the first round begins with; default: the bundle's")
    parser.add_argument("--options", type=Path, help="a JSON file of further options of train.json and evaluate.json")
    parser.add_argument("--key_metric", default="mean_dice", help="of train.json's validation")
    parser.add_argument("--output_dir", type=Path, default=Path("outputs/nvflare"))
    return parser.parse_args()


def recipe_of(options: argparse.Namespace, begun: Path, folder: Path) -> FedAvgRecipe:
    """Federated averaging from the weights of the file `begun`; a mean weighs sites by their steps."""
    recipe = FedAvgRecipe(
        name=options.bundle.name, min_clients=len(options.sites), num_rounds=options.rounds,
        train_script=str(CLIENT), key_metric=options.key_metric,
        model_persistor=PTFileModelPersistor(source_ckpt_file_full_name=str(begun), load_device="cpu"),
        launch_external_process=True, command=f"{sys.executable} -u",
    )  # fmt: skip
    more = f" --options {options.options.resolve()}" if options.options else ""
    arguments = {
        site.name: f"{options.bundle.resolve()} {site.resolve()} {folder / site.name} --epochs {options.epochs}{more}"
        for site in options.sites
    }
    set_per_site_config(recipe, {name: {"train_args": text} for name, text in arguments.items()})
    return recipe


def main() -> None:
    options = parse()
    folder = options.output_dir.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    begun = folder / "begun.pt"
    state = torch.load(options.weights or options.bundle / "models" / "model.pt", weights_only=True)
    # Files of bundles hold weights in 16 bits, in which a mean would be rounded.
    torch.save({name: value.float() if value.is_floating_point() else value for name, value in state.items()}, begun)
    environment = SimEnv(clients=[site.name for site in options.sites], workspace_root=str(folder / "simulation"))
    run = recipe_of(options, begun, folder).execute(environment)
    (learned,) = Path(run.get_result()).rglob("FL_global_model.pt")
    torch.save(dict(torch.load(learned, weights_only=True)["model"]), folder / "model.pt")
    print(f"weights of {options.rounds} rounds: {folder / 'model.pt'}")


if __name__ == "__main__":
    main()
