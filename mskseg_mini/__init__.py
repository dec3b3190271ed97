"""How SAM-mini and its sibling were made and measured; README.md is their model card.

`architecture` the network, `scenes` the synthetic images, `training` both trainings (commands
``python -m mskseg_mini.training.pretrain`` and ``...training.tune_medsam``), `assess` the
measurements (``python -m mskseg_mini.assess``), `figures` pages of training scenes.
"""
