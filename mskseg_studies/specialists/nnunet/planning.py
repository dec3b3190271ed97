"""Fit nnU-Net's plan to a smaller patch, and put our settings into it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SHORTEST_EDGE = 4  # of the deepest feature map, as nnU-Net plans


def adapted_plans(plans: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Change patch, batch and features of one configuration.

    A smaller patch cannot be halved as often: the depth is planned anew, with nnU-Net's own rule.

    Parameters
    ----------
    plans : mapping
        nnU-Net's plans file.
    settings : mapping
        Fields of `NnunetConfig`; they go into the plans too, under ``mskseg``, where our trainer
        finds them.

    Returns
    -------
    dict
        New plans; those given are left as they are.
    """
    name = settings["configuration"]
    configuration = dict(plans["configurations"][name])
    if settings["batch_size"] is not None:
        configuration["batch_size"] = settings["batch_size"]
    if settings["patch_size"] is not None or settings["base_features"] is not None:
        patch = settings["patch_size"] or configuration["patch_size"]
        configuration |= _network(configuration, patch, settings["base_features"])
    configurations = {**plans["configurations"], name: configuration}
    return {**plans, "configurations": configurations, "mskseg": dict(settings)}


def _network(
    configuration: Mapping[str, Any], patch: Any, base_features: int | None
) -> dict[str, Any]:
    from nnunetv2.experiment_planning.experiment_planners.network_topology import (
        get_pool_and_conv_props,
    )

    _, strides, kernels, fitted, _ = get_pool_and_conv_props(
        configuration["spacing"], list(patch), _SHORTEST_EDGE, 999_999
    )
    architecture = configuration["architecture"]
    planned = architecture["arch_kwargs"]["features_per_stage"]
    base = base_features or planned[0]
    n = len(strides)
    kwargs = architecture["arch_kwargs"] | {
        "n_stages": n,
        "features_per_stage": [min(max(planned), base * 2**stage) for stage in range(n)],
        "strides": strides,
        "kernel_sizes": kernels,
        "n_conv_per_stage": [2] * n,
        "n_conv_per_stage_decoder": [2] * (n - 1),
    }
    return {
        "patch_size": [int(length) for length in fitted],
        "architecture": architecture | {"arch_kwargs": kwargs},
    }
