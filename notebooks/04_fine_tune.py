# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Tune a model on a few people
#
# What does fine-tuning change, on the data it was done on, and on all the others?
#
# *About 6 minutes on two CPU cores · two built-in phantoms, or data sets of your own · previous notebook: 03_segment_zero_shot*

# %% [markdown]
# **What you will do**: tune one model on several subsets of the data, and print the table that says where each of them gained and where it lost.
#
# **What you will learn**
# - to choose a training subset by anatomy, by sequence or by diversity, and to say what each scan is to a tuned model
# - to tell four ways of tuning apart by what they train, what they cost and what they bring
# - to read a gain with its interval, and to refuse to read one that has none
# - to see what tuning breaks: other anatomies, and the model's opinion of itself
# - to plan: how many people, and boxes how sloppy?
#
# **What you need**: notebook 03. No GPU, no internet.

# %% tags=["colab"] jupyter={"source_hidden": true}
import subprocess
import sys

if "google.colab" in sys.modules:  # elsewhere this cell does nothing
    install = [sys.executable, "-m", "pip", "install", "--quiet"]
    subprocess.run([*install, "mskseg[workbook,train,lite]"], check=True)

# %%
from dataclasses import replace
from pathlib import Path

import pandas as pd
from IPython.display import Markdown

import mskseg
from mskseg import display, evaluation, finetuning, prompts
from mskseg_studies import tuning

# %% tags=["parameters"]
datasets = ["phantom_spine", "phantom_thigh"]  # tune and report; each is a subset
subsets = ["anatomy", "t1w", "diverse"]  # each data set; a sequence of all; two sequences of each
studied = ""  # data set on which modes, sizes and jitter are compared; "": the last of the list
models = ["sam_vit_mini", "medsam_vit_mini"]  # to start from; the first one is tuned on all subsets
device = "auto"  # cuda, else mps, else cpu; or one of them
mode = "decoder"  # what trains in the cross table: "full" is what the study did
modes = ["decoder", "lora", "encoder_decoder", "full"]  # compared on the studied subset
n_people = {"train": 4, "validation": 4, "test": 5, "inference": 1}  # under 5: no intervals
training_sizes = {"curve": [1, 4], "modes": []}  # people; of modes none: as in the cross table
seeds = {"curve": [0], "modes": [0]}  # of the trainings behind each of the two
steps = 30  # of each training, at most
epochs = 2  # at most, each of an equal share of the steps; 35 is what the study did
patience = 0  # stop after so many epochs without a better validation Dice; 0: never
slice_steps = {"train": 8, "validation": 12, "test": 12, "inference": 2}  # take every n-th slice
margin = 0.01  # Dice; a smaller gain is called none
learning_rate = 3e-4  # three times what the studies gave SAM; at 1e-3 it forgot before it learned
jitter_px = 3.0  # pixels; while tuning, each side of a box moves by up to this
seed = 0  # of the order of slices, of jitter and of the bootstrap
results = "../results"  # committed tables of a run of size "full"
output = "../output"  # folder for the tables, the figures and the tuned weights

# %%
folder = Path(output, "trainings", "04_fine_tune")
bench = tuning.TuningBench(folder, n_validation=n_people["validation"], slice_steps=slice_steps)
segmenters = [mskseg.load_segmenter(name, cache=bench.cache, device=device) for name in models]
segmenter, tight, n_train = segmenters[0], prompts.OracleBox(), n_people["train"]
tables, figures = Path(output, "tables"), Path(output, "figures")
print(f"mskseg {mskseg.__version__}, {segmenters}, {segmenter.device}, seed {seed}")

# %% [markdown]
# ## Choose what to tune on
#
# Hoyer and colleagues (2024) tuned SAM on seven subsets, chosen by anatomy, by sequence or by diversity, and on small "mini" sets. *Which scans each held is not public cell by cell*: these are our choice, made of the data sets in the parameters. Any data set with people enough for a split can be tuned on; one with fewer only reports.

# %%
chosen = tuning.choose_subsets(subsets, datasets)
focus = tuning.find_subset(studied, chosen)
print("studied further:", focus.name)
tuning.describe_subsets(chosen)

# %% [markdown]
# **What you see**: subsets of one anatomy each, of one kind of image across anatomies, and one with a bit of everything. All are tuned with the same number of people and steps, so "diverse" has fewer people of each anatomy, and two scans of each.
#
# People are split once: some train, others select the best epoch, a third group (`test`) reports. People of *another site* (other field strength, coil and noise) report how well it travels; of them *whole volumes* are taken, empty slices included, as in the study's inference set. Of the test part every so manyth slice is taken. What is trained on is tested on: each data set comes in its first sequence and in all those that a subset has.

# %%
reporting = {part: n_people[part] for part in ("test", "inference")}
parts = tuning.load_parts(chosen, datasets, n_of_part=reporting)
scans = pd.DataFrame([(part, c.site, c.dataset, c.sequence) for part in parts for c in parts[part]])
scans.set_axis(["part", "site", "data set", "sequence"], axis=1).value_counts(sort=False).to_frame()

# %% [markdown]
# **What you see**: scans by part, site, data set and sequence. To a tuned model each of them has a **role**: *same site* (anatomy, sequence and site were trained on, the person never was), *other sequence*, *other site*, *other anatomy*; whatever differs most gives the name.
#
# ## Look at a longer run first
#
# More people, seeds and ways to tune take hours, so the tables of such a run are kept in `results/` (`make results`). Where they are of `spine_vertebrae`, they are of people with manual masks: six of one site train, others of that site and ten people of another one report. Their weights may be other ones than this run's, so they stand by themselves, with whose weights they are of.
#
# > **Guess**: LiteMedSAM, tuned on a single person. How much of what six people bring does it gain, at the same site and at the other?

# %%
tuned_on = mskseg.provenance(command="04_fine_tune", segmenter=segmenter, seed=seed)
print(tuning.longer_run(results, provenance=tuned_on))

# %% [markdown]
# **What you see**: mean gains by role; each way to tune (`gain` at the same site, `gain_other_site`); Dice by the number of people tuned on, with the standard deviation between seeds; tight and sloppy boxes. Or that none is committed at present. Files that end in `phantom_spine` are of drawings: set them beside those of people, and see where the drawing misled. Then watch the same happen small.
#
# ## Watch one training
#
# Slices come in, boxes are drawn around their structures (each side off by a random amount, anew each time), the model answers, and the loss is cross-entropy plus Dice. In mode *decoder* only the mask decoder learns: the image is encoded once and never again. A training ends when its epochs are over, or, with a `patience`, when the validation Dice has not risen for so many of them. The study ended on convergence or after 35 epochs, and so does size `full`.
#
# > **Guess**: after how many of the epochs is it best on the people who were *not* trained on?

# %%
config = finetuning.FineTuneConfig(
    mode=mode,
    epochs=epochs,
    patience=patience,
    steps_per_epoch=(steps + epochs - 1) // epochs,
    slices_per_step=2,
    warm_up=10,
    learning_rate=learning_rate,
    schedule="constant" if patience else "cosine",  # cosine has to know the last step
    jitter_px=jitter_px,
    slice_step=slice_steps["train"],
    validation_slice_step=slice_steps["validation"],
    seed=seed,
)
plot = tuning.TrainingPlot()
first = bench.tune(segmenter, focus, n_subjects=n_train, config=config, on_epoch=plot)
print(first)
first.history.round(3)

# %% [markdown]
# **What you see**: row 0 is before any step. The training loss says little; the validation Dice decides which epoch is kept, and it may come down again. It is of other people than the trained ones, and of other people than those who will report. The last word of the line above the table says why it ended.
#
# ## Tune on every subset
#
# A warning names tissues that the validation people do not show: with every few slices only, a thin one can be missed, and then it has no say in which epoch is kept. Each model is scored on all scans of its own data sets, and on the first sequence of the others.
#
# > **Guess**: which subset will gain most on its own anatomy, and which will lose most on another?

# %%
tuned = {s.name: bench.tune(segmenter, s, n_subjects=n_train, config=config) for s in chosen}
all_cases = [case for cases in parts.values() for case in cases]
print(f"{len(tuned)} trainings, {sum(result.seconds for result in tuned.values()):.0f} s")
scores = pd.concat([bench.score(model, parts) for model in (segmenter, *tuned.values())])
cross = tuning.cross_table(scores, seed=seed)


# %%
def describe_so_far() -> dict:
    """Provenance with all models that were tuned until now."""
    return mskseg.provenance(
        command="04_fine_tune", segmenter=segmenter, tuned=bench.segmenters,
        cases=all_cases, seed=seed,
    )  # fmt: skip


facts = describe_so_far()
evaluation.write_table(
    cross.assign(segmenter=segmenter.name, mode=mode, n_train=n_train),
    tables / "04_cross_table.csv",
    provenance=facts,
)
by_role = cross.groupby(["training_subset", "role"], sort=False)["gain"].mean().unstack()
by_role.round(3)

# %% alt="Gain in Dice by tuning: training subsets in rows, evaluated data sets, sequences and parts in columns"
own, other = cross[cross["role"] == "same site"], cross[cross["role"] != "same site"]
gain_axes = tuning.gain_map(
    cross,
    title=f"Mean gain {own['gain'].mean():+.2f} on other people of the trained data, {other['gain'].mean():+.2f} elsewhere",
)
display.save_figure(gain_axes, figures / "04_gains.png", provenance=facts)

# %% [markdown]
# **What you see**: the table has the mean gain in Dice of each subset by role (NaN where nothing was asked), the map that of each cell, over the same people zero-shot. Framed cells are other people of the very data that were trained on. An asterisk marks a gain whose 95 % interval, from resampling *people*, leaves out zero; where fewer than five people stand behind a cell there is no interval, and a number without one is a hint. Boxes are from the reference, so a slice without a label asks nothing. With dozens of cells some asterisks come by chance: at 5 % error, one in twenty of the cells where nothing happened. Read rows and columns, not single cells.
#
# ### Beside the study
#
# Hoyer 2024: tuning improved in-distribution "by 41-3 %", except on the thigh. Whether these are per cents of the Dice or points is not said; here are both. *Ours are miniatures, so agreement is no evidence for the study, and the lack of it none against.*

# %%
of_anatomies = own[own["chosen_by"] == "anatomy"]
beside = of_anatomies.assign(per_cent=100 * of_anatomies["relative_gain"])
beside[["anatomy", "dice_zero_shot", "gain", "per_cent", "gain_low", "gain_high"]].round(3)

# %% [markdown]
# **What you see**: compare `gain` with `dice_zero_shot`. A tissue at 0.9 has little to gain, which could by itself explain an exception such as the study's thigh; whether the order of the gains fits that is for you to read off.
#
# ## Ask for whole volumes
#
# An empty slice has no box from the reference, so an oracle box never finds out what a model draws where there is nothing. The boxes of the *neighbouring* slice do ask there: they go on until nothing is predicted any more.
#
# > **Guess**: after tuning, will the model draw on more empty slices, or on fewer?

# %%
asked = [
    bench.score(model, {"inference": subset.asks_for(parts["inference"], part="inference")}, prompts=plan)
    for subset in chosen if subset.chosen_by == "anatomy"
    for model in (segmenter, tuned[subset.name])
    for plan in (tight, prompts.NeighbourBox())
]  # fmt: skip
whole = tuning.whole_volumes(
    pd.concat(asked), parts["inference"], slice_step=slice_steps["inference"]
)
evaluation.write_table(whole, tables / "04_whole_volumes.csv", provenance=facts)
whole.set_index(["evaluated_on", "training_subset", "box_source"])[
    ["dice", "volume_dice", "n_slices", "n_empty", "n_false"]
].round(3)

# %% [markdown]
# **What you see**: `dice` is of slices that hold the tissue, `volume_dice` of whole structures, `n_false` counts the empty slices (of `n_empty`) on which something was drawn. Where nothing was asked it has no number. A fall from `dice` to `volume_dice` under neighbour boxes is the price of not knowing where a structure ends.
#
# ## See which tissues changed
#
# > **Guess**: a tissue that lost.

# %%
changed = tuning.tissue_changes(scores, focus.name)
evaluation.write_table(changed.reset_index(), tables / "04_tissues.csv", provenance=facts)
changed.round(3).drop(changed.index[3:-3])

# %% alt="The fullest slice of the studied anatomy: boxes and reference, then the zero-shot and the tuned prediction"
own_parts = {
    part: [c for c in parts[part] if (c.dataset, c.sequence) in focus.scans] for part in parts
}
studied_case = own_parts["test"][0]
asked_slice = evaluation.prompt_slice(studied_case, mskseg.fullest_slice(studied_case), tight)
made = {}
for state, model in (("zero-shot", segmenter), ("tuned", first.segmenter)):
    predicted = evaluation.predict_slice(model, studied_case, asked_slice.case_slice, tight)
    name = f"{segmenter.name}, {state}"
    made[name] = {label: of_label.prediction for label, of_label in predicted.items()}
heading = f"{studied_case.name}: mean Dice of oracle boxes, reference dashed"
panels = tuning.boxes_and_predictions(asked_slice, made, title=heading)
display.save_figure(panels[0], figures / "04_overlay.png", provenance=facts)

# %% [markdown]
# **What you see**: boxes and reference, then what the model made of the same boxes before and after tuning. Look at borders between neighbours of equal brightness, where a model that has seen the anatomy knows what the box means.
#
# ## Ask how many people it takes
#
# Ma 2024 shows that more training images help, on sets like the training data and on external ones. Here each point is a training on so many people, scored on the same people: of the same site, and of the other one.
#
# > **Guess**: how much of the gain comes with the very first person?

# %%
sizes = [(n, s) for n in training_sizes["curve"] for s in seeds["curve"]]
people = []
for n, s in sizes:
    result = bench.tune(segmenter, focus, n_subjects=n, config=replace(config, seed=s))
    of_people = tuning.dice_by_subject(bench.score(result, own_parts))
    people.append(of_people.assign(n_subjects=n, seed=s))
by_size = pd.concat(people, ignore_index=True).rename(columns={"evaluated_on": "dataset"})
facts.update(describe_so_far())
evaluation.write_table(by_size, tables / "04_training_size.csv", provenance=facts)
enough = tuning.enough_people(by_size[by_size["role"] == "same site"], margin=margin)
curve = tuning.size_curve(by_size, cross[cross["training_subset"] == focus.name])
curve.round(3)

# %% alt="Dice over the number of people tuned on, at the same and at the other site"
size_axes = tuning.sweep_chart(
    curve,
    x="n_subjects",
    series="role",
    value="mean",
    spread="std",
    labels=("people tuned on", "Dice, oracle boxes"),
    title=f"Dice by people tuned on: with {enough} of them, less than {margin:g} is left to gain",
)
size_axes.autoscale(axis="y")
display.save_figure(size_axes, figures / "04_training_size.png", provenance=facts)

# %% [markdown]
# **What you see**: 0 people is the model without tuning. The title names the fewest people after whom the largest number tried here brings no further gain of the margin, at the same site. Bars, where there are several seeds, are the standard deviation between trainings that differ in nothing but chance: a difference smaller than that is no difference. Seeds are no people: `n_people` stands in the table.
#
# ## Compare four ways to tune
#
# | mode | trains | who does so |
# |---|---|---|
# | decoder | the mask decoder | Casali 2025 |
# | lora | small low-rank additions to the encoder, and the decoder | the parameter-efficient kind in Ma 2024 |
# | encoder_decoder | all but the prompt encoder | Ma 2024 (MedSAM), Casali 2025 |
# | full | everything | how Hoyer 2024 describes hers (the caption of her figure says that layers were frozen, and then names all parts as tuned) |
#
# All on the studied subset, with the same people and steps; and in the first mode also from MedSAM's sibling, which is Casali's question. The reading group's slides on Ma 2024 add that tuning everything risks *overfitting*: then a model is better on the people it was trained on than on others.

# %%
of_modes = training_sizes["modes"] or [n_train]
ways = [(segmenter, way, n, s) for n in of_modes for s in seeds["modes"] for way in modes]
ways += [(base, mode, n_train, seed) for base in segmenters[1:]]
of_way = ["base", "miniature", "mode", "n_train", "seed"]

# %%
tuned_ways = [
    bench.tune(base, focus, n_subjects=n, config=replace(config, mode=way, seed=s))
    for base, way, n, s in ways
]
trained_on = {n: focus.load("train", n_subjects=n, progress=False) for n in {*of_modes, n_train}}
costs = ["trainable_parameters", "seconds", "peak_memory_mb", "best_epoch", "stopped"]

# %%
by_mode = pd.DataFrame([(b.name, b.miniature, *way) for b, *way in ways], columns=of_way)
by_mode["validation_dice"] = [result.history["validation_dice"].max() for result in tuned_ways]
by_mode["training_dice"] = [
    bench.mean_dice(result, trained_on[n], part="train")
    for result, n in zip(tuned_ways, by_mode["n_train"], strict=True)
]
by_mode["dice"] = [bench.mean_dice(result, own_parts["test"]) for result in tuned_ways]
for site, people_there in (("", own_parts["test"]), ("_other_site", own_parts["inference"])):
    by_mode[f"gain{site}"] = [
        bench.mean_dice(result, people_there) - bench.mean_dice(base, people_there)
        if people_there
        else float("nan")
        for result, (base, *_) in zip(tuned_ways, ways, strict=True)
    ]
by_mode["training_minus_test"] = by_mode["training_dice"] - by_mode["dice"]
for cost in costs:
    by_mode[cost] = [getattr(result, cost) for result in tuned_ways]
facts.update(describe_so_far())
evaluation.write_table(by_mode, tables / "04_modes.csv", provenance=facts)
by_mode.set_index(of_way).round(3)

# %% [markdown]
# **What you see**: `dice` is of the people who report, `validation_dice` of those who select; to choose a mode, take the second. `gain` is what tuning added for those who report, `gain_other_site` for people of another site, where there are some. `training_minus_test` is how much better a model is on the people it was trained on: compare modes by it, not with zero, for these are different people. Trainable parameters and seconds differ by far more than Dice does. With few people the modes that train more have more to overfit with; with many, more to learn with. `peak_memory_mb` is of the whole process, which only grows: compare it on a GPU. Between our two miniatures the better start is our construction.
#
# ## Draw sloppy boxes
#
# Tuned with tight boxes only, a model may learn that its box is exact. Tune once without jitter, and give both models tight and sloppy boxes.

# %%
neat = bench.tune(segmenter, focus, n_subjects=n_train, config=replace(config, jitter_px=0.0))
plans = {"tight": tight, "sloppy": prompts.OracleBox(jitter_px=2 * jitter_px or 5.0, seed=seed)}
compared = {"zero-shot": segmenter, "with jitter": first, "without": neat}
sloppy = pd.DataFrame(
    {
        box: [
            bench.mean_dice(model, own_parts["test"], prompts=plan) for model in compared.values()
        ]
        for box, plan in plans.items()
    },
    index=pd.Index(compared, name="tuned"),
)
evaluation.write_table(sloppy.reset_index(), tables / "04_jitter.csv", provenance=facts)
sloppy.assign(lost=sloppy["tight"] - sloppy["sloppy"]).round(3)

# %% [markdown]
# **What you see**: what sloppiness costs stands in the last column. Hoyer and Ma both tuned with jitter.
#
# ## Distrust its opinion
#
# The predicted IoU was learned by the model *as it was*. The studies' loss does not include it, so after tuning it is an opinion about another model's masks. We made the same choice, and `FineTuneConfig(keep_iou_loss=True)` is the other one; without it a tuned segmenter gives NaN. To see why, we ask it all the same. The three masks of an ambiguous point are stale too: boxes train the single mask only, so after tuning on boxes ask by boxes.

# %%
stale = tuning.keep_stale_iou(first.segmenter)
with_iou = [bench.score(model, {"test": own_parts["test"]}) for model in (segmenter, stale)]
opinions = pd.concat(with_iou).query("status == 'scored'")
error = (opinions["predicted_iou"] - opinions["iou"]).groupby(opinions["segmenter"])
error.agg(["mean", "std"]).round(3)

# %% [markdown]
# **What you see**: mean and spread of predicted minus true IoU. The masks changed and the opinion did not follow.
#
# ### Pitfall: the same person on both sides

# %%
same = focus.load("train", n_subjects=1, progress=False)
try:
    finetuning.fine_tune(segmenter, same, same, config)
except mskseg.InputError as error_message:
    assert same.subjects[0] in str(error_message)
    print(error_message)
else:
    raise AssertionError("a person was trained on and selected with")

# %% [markdown]
# ### Exercise 1: what would you tune on? (15 minutes)
#
# You have people of one anatomy, and want a model for that anatomy *and* for another one. Choose the training subset with the best worst case. Choosing is selecting, so it is done on the validation people; those of the test part then report, once, what the choice is worth. *Hint: group `of_validation` by `training_subset`, take the smallest `dice_tuned` of each, and sort.*

# %% tags=["exercise"]
selecting = tuning.load_parts(chosen, datasets, n_of_part={"validation": n_people["validation"]})
of_selecting = pd.concat([bench.score(model, selecting) for model in (segmenter, *tuned.values())])
of_validation = tuning.cross_table(of_selecting, seed=seed)
mean_case = of_validation.groupby("training_subset")["dice_tuned"].mean()
mean_case.round(3).to_frame()  # the mean; you want the worst

# %% tags=["solution"] jupyter={"source_hidden": true}
worst_case = of_validation.groupby("training_subset")["dice_tuned"].min()
picked = worst_case.idxmax()
print(f"picked by the validation people: {picked}, worst case {worst_case.max():.3f}")
reported = cross[(cross["training_subset"] == picked) & (cross["part"] == "test")]
reported[["evaluated_on", "sequence", "role", "dice_zero_shot", "dice_tuned"]].round(3)

# %% [markdown]
# **Discussion**: look whether the subset with a bit of everything has the best worst case, and whether the people who report agree with those who selected. Which matters more, the mean or the worst case, depends on whether you know beforehand what will be scanned.
#
# ## Take-aways

# %%
best_mode, most = (
    by_mode.loc[by_mode["validation_dice"].idxmax()],
    curve.set_index("role").loc["same site"],
)
sure, asked_empty = cross[cross["gain_low"] * cross["gain_high"] > 0], whole.dropna()
Markdown(f"""
- Tuning on {n_train} people changed Dice by **{own["gain"].mean():+.3f}** on other people of the same data (mean of {len(own)} cells), elsewhere by **{other["gain"].mean():+.3f}** ({len(other)} cells); {len(sure)} of {cross["gain_low"].notna().sum()} cells with an interval leave out zero.
- Of {len(by_mode)} ways to tune on {focus.name}, validation chose {best_mode["mode"]} from {best_mode["base"]}: {best_mode["dice"]:.3f} on the people who report, with {best_mode["trainable_parameters"]:,} trainable parameters.
- Tuned on {most["n_subjects"].max()} people: {most["mean"].iloc[-1]:.3f}; no tuning: {most["mean"].iloc[0]:.3f}. With {enough} people less than {margin:g} is left to gain.
- Asked by neighbour boxes, something was drawn on {whole["n_false"].sum():.0f} of {asked_empty["n_empty"].sum()} empty slices of whole volumes, before and after tuning together.
- {len(bench)} trainings in all.
""")

# %% [markdown]
# ## Limits
#
# - By default these are miniatures on phantoms of one generator: in- and out-of-distribution differ less, or otherwise, than hospitals do, and no number is evidence about SAM or MedSAM. The longer run on people is of few people of two sites.
# - Whole volumes are of one or two people of each data set, so they have no interval; test and other site also differ in which slices are taken.
# - Short trainings on few people, one seed for most cells; the modes share one learning rate, which may suit one of them better.
# - Oracle boxes: tuned and untuned models are both told where to look.
# - The cells and subsets of the study are not public; ours have the same layout, not the same content.

# %% [markdown]
# ## Next
#
# Notebook 05 asks where the model errs: which tissues, which slices, what kinds of mistakes. Notebook 07 asks whether a small specialist, trained from nothing on the same people, would have done as well.
#
# - Hoyer et al., *Towards a Generalizable Foundation Model for Multi-Tissue Musculoskeletal MRI Segmentation*, ISMRM 2024, 0651, doi:10.58530/2024/0651
# - Ma et al., *Segment anything in medical images*, Nature Communications 2024, doi:10.1038/s41467-024-44824-z
# - Hu et al., *LoRA: Low-Rank Adaptation of Large Language Models*, 2021, doi:10.48550/arXiv.2106.09685
