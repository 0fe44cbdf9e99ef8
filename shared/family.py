"""The networks that `--network NAME` chooses among where a bundle segments, and how a config takes one."""

from collections.abc import Mapping
from typing import Any

from shared.errors import InputError

# What is compared with the others comes first. Each takes (spatial_dims, in_channels, out_channels, filters).
FAMILY = {
    "unet": "shared.nets.unet.UNet",
    "fcn": "shared.nets.fcn.FCN",
    "unet++": "shared.nets.of_monai.UNetPlusPlus",
    "attention-unet": "shared.nets.of_monai.AttentionUNet",
    "tiramisu": "shared.nets.tiramisu.Tiramisu",
    "eff-unet": "shared.nets.of_monai.EffUNet",
    "multiresunet": "shared.nets.multiresunet.MultiResUNet",
    "resenc": "shared.nets.axis_unet.ResEnc",
    "rev-unet": "shared.nets.rev_unet.RevUNet",
}
KEPT = ("_requires_", "spatial_dims", "in_channels", "out_channels", "filters")  # of a bundle's own network
PLACES = ("network", "network_def")  # in a config: the option, which is also where the network on its device is


def network_called(name: str, network_def: Mapping[str, Any]) -> dict[str, Any]:
    """The network_def of the network of the FAMILY called `name`, with channels and filters as `network_def` has them.

    Capitals, hyphens, spaces and underscores in `name` do not matter. Raises InputError for an unknown one.
    """
    targets = {_plain(known): target for known, target in FAMILY.items()}
    if _plain(name) not in targets:
        raise InputError("--network", expected=f"one of {', '.join(FAMILY)}", got=name, fix="choose one of these")
    return {"_target_": targets[_plain(name)]} | {key: network_def[key] for key in KEPT if key in network_def}


def choose_network(parser: Any, defaults: Mapping[str, Any]) -> None:
    """Let the config of `parser`, MONAI's, have the network that `--network NAME` calls for, if it was given.

    A name in the place of the entry "network", which is the network on its device, is that option: the entry becomes
    again what `defaults` says, and network_def that of the name. None of both was evaluated yet.
    """
    name = parser.config["network"]
    if not isinstance(name, str) or name.startswith(("$", "@")):
        return
    parser.config["network_def"] = network_called(name, parser.config["network_def"])
    parser.config["network"] = defaults["network"]
    resolver = parser.ref_resolver
    for key in PLACES:
        for place in [place for place in resolver.items if place.split("::")[0] == key]:
            del resolver.items[place]
            resolver.resolved_content.pop(place, None)
        parser._do_parse(config=parser.config[key], id=key)  # `parse` would forget what is resolved


def _plain(name: str) -> str:
    return name.lower().translate(dict.fromkeys(map(ord, "-_ ")))
