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
# *About 6 minutes on two CPU cores, a minute on a GPU · four built-in phantoms, or data sets of your own · previous notebook: 03_segment_zero_shot*

# %% [markdown]
# **What you will do**: tune one model on several subsets of the data, and print the table that says where each of them gained and where it lost.
#
# **What you will learn**
# - to choose a training subset by anatomy, by sequence or by diversity, and to say what is *in-distribution*
# - to tell four ways of tuning apart by what they train, what they cost and what they bring
# - to read a gain with its interval, and to refuse to read one that has none
# - to see what tuning breaks: other anatomies, and the model's opinion of itself
# - to plan: how many people, and boxes how sloppy?
#
# **What you need**: notebook 03. No GPU, no internet.

# %%
from dataclasses import replace
from pathlib import Path

import pandas as pd
from IPython.display import Markdown

import mskseg
from mskseg import display, evaluation, finetuning, prompts
from mskseg_studies import tuning

# %% tags=["parameters"]
subsets = ["knee", "spine", "hip", "thigh", "T1-weighted", "diverse"]  # see the table; or data sets
studied = "thigh"  # the subset on which modes, sizes and jitter are compared
datasets = ["phantom_knee", "phantom_spine", "phantom_hip", "phantom_thigh"]  # evaluated on
models = ["sam_vit_mini", "medsam_vit_mini"]  # to start from; the first one is tuned on all subsets
mode = "decoder"  # what trains in the cross table: "full" is what the study did
modes = ["decoder", "lora", "encoder_decoder", "full"]  # compared on the studied subset
n_train = 4  # people of a subset, a "mini" set; 12 is all
n_validation = 4  # people who select the best epoch; they never report
n_test = 5  # people of the test part; with fewer than 5 there are no intervals
n_inference = 2  # people of the held-out site
training_sizes = [1, 4]  # people; the curve of the training-set size
seeds = [0]  # of the trainings behind that curve
steps = 60  # of each training
slice_step = 8  # take every n-th labelled slice, for tuning and for scoring
learning_rate = 3e-4  # three times what the studies gave SAM; at 1e-3 it forgot before it learned
jitter_px = 3.0  # pixels; while tuning, each side of a box moves by up to this
seed = 0  # of the order of slices, of jitter and of the bootstrap
results = "../results"  # committed tables of a run of size "full"
output = "../output"  # folder for the tables, the figures and the tuned weights

# %%
folder = Path(output, "trainings", "04_fine_tune")
bench = tuning.TuningBench(folder, n_validation=n_validation)
segmenters = [mskseg.load_segmenter(name, cache=bench.cache) for name in models]
segmenter, tight = segmenters[0], prompts.OracleBox()
tables, figures = Path(output, "tables"), Path(output, "figures")
epochs = 3
config = finetuning.FineTuneConfig(
    mode=mode,
    epochs=epochs,
    patience=0,
    steps_per_epoch=(steps + epochs - 1) // epochs,
    slices_per_step=2,
    warm_up=10,
    learning_rate=learning_rate,
    schedule="cosine",
    jitter_px=jitter_px,
    slice_step=slice_step,
    seed=seed,
)
print(f"mskseg {mskseg.__version__}, {segmenters}, {segmenter.device}, seed {seed}")

# %% [markdown]
# ## Choose what to tune on
#
# Hoyer and colleagues (2024) tuned SAM on seven subsets, chosen by anatomy, by sequence or by diversity, and on small "mini" sets. *Which scans each held is not public cell by cell*: these seven are our choice.

# %%
tuning.describe_subsets()

# %% [markdown]
# **What you see**: four subsets of one anatomy, two of one kind of image across anatomies, one with a bit of everything. All are tuned with the same number of people and steps, so "diverse" has fewer people of each anatomy (and two scans of each).
#
# People are split once: some train, others select the best epoch, a third group reports, and two whole volumes of *another site* (other field strength, coil and noise) report how well it travels. A scan is **in-distribution** if its anatomy and sequence were trained on; the person never was.

# %%
n_of_part = {"test": n_test, "inference": n_inference}
parts = {
    part: [case for name in datasets for case in mskseg.load_some(name, n_subjects=n, part=part)]
    for part, n in n_of_part.items()
}
{part: sorted({case.site for case in cases}) for part, cases in parts.items()}

# %% [markdown]
# ## Watch one training
#
# Slices come in, boxes are drawn around their structures (each side off by a random amount, anew each time), the model answers, and the loss is cross-entropy plus Dice. In mode *decoder* only the mask decoder learns: the image is encoded once and never again.
#
# > **Guess**: after how many of the epochs is it best on the people who were *not* trained on?

# %%
plot = tuning.TrainingPlot()
first = bench.tune(segmenter, studied, n_subjects=n_train, config=config, on_epoch=plot)
print(first)

# %%
first.history.round(3)

# %% [markdown]
# **What you see**: row 0 is before any step. The training loss says little; the validation Dice decides which epoch is kept, and it may come down again. It is of other people than the trained ones, and of other people than those who will report.
#
# ## Tune on every subset
#
# A warning names tissues that the validation people do not show: with every few slices only, a thin one can be missed, and then it has no say in which epoch is kept.
#
# > **Guess**: which subset will gain most on its own anatomy, and which will lose most on another?

# %%
tuned = {name: bench.tune(segmenter, name, n_subjects=n_train, config=config) for name in subsets}
all_cases = [case for cases in parts.values() for case in cases]
print(f"{len(tuned)} trainings, {sum(result.seconds for result in tuned.values()):.0f} s")

# %%
zero_shot_scores = tuning.score_parts(segmenter, parts, slice_step=slice_step)
tuned_scores = [
    tuning.score_parts(result.segmenter, parts, training_subset=name, slice_step=slice_step)
    for name, result in tuned.items()
]
scores = pd.concat([zero_shot_scores, *tuned_scores])
chosen_subsets = [tuning.find_subset(name) for name in subsets]
cross = tuning.cross_table(scores, subsets=chosen_subsets, seed=seed)


# %%
def describe_so_far() -> dict:
    """Provenance with all models that were tuned until now."""
    return mskseg.provenance(
        command="04_fine_tune", segmenter=segmenter, tuned=bench.segmenters,
        cases=all_cases, seed=seed,
    )  # fmt: skip


facts = describe_so_far()
evaluation.write_table(
    cross.assign(mode=mode, n_train=n_train), tables / "04_cross_table.csv", provenance=facts
)
cells = [
    f"{dice:.3f} ({gain:+.3f})"
    for dice, gain in zip(cross["dice_tuned"], cross["gain"], strict=True)
]
cross.assign(cell=cells).pivot(
    index="training_subset", columns=["part", "evaluated_on"], values="cell"
).reindex(subsets)

# %% alt="Gain in Dice by tuning: training subsets in rows, evaluated data sets and parts in columns"
own, other = cross[cross["in_distribution"]], cross[~cross["in_distribution"]]
gain_axes = tuning.gain_map(
    cross,
    title=f"Mean gain {own['gain'].mean():+.2f} on what was trained on, {other['gain'].mean():+.2f} elsewhere",
)
display.save_figure(gain_axes, figures / "04_gains.png", provenance=facts)

# %% [markdown]
# **What you see**: the table gives Dice after tuning and, in brackets, the gain over the same people zero-shot; the map gives the gain alone. Framed cells are in-distribution. "test" is the same site as the training, "inference" the held-out one. An asterisk marks a gain whose 95 % interval, from resampling *people*, leaves out zero; where fewer than five people stand behind a cell there is no interval, and a number without one is a hint. With dozens of cells some asterisks come by chance: at 5 % error, one in twenty of the cells where nothing happened. Read rows and columns, not single cells.
#
# ### Beside a longer run
#
# More people, more steps and another mode: such a run takes hours, so its table is kept in `results/`. Its weights may be other ones than this run's, so each run has a table of its own, and the second says whose weights it is of. The library refuses to put both into one where they differ (`longer.beside`).

# %%
runs = ["training_subset", "mode", "n_train", "in_distribution"]
here = cross.assign(mode=mode, n_train=n_train).groupby(runs)["gain"].mean()
print(here.unstack(runs[1:]).reindex(subsets).round(3).to_string(), end="\n\n")
longer = evaluation.committed_results(results, "04_cross_table*.csv")
print(longer.origin, longer.why_apart(facts), sep="\n")
longer.rows.reindex(columns=[*runs, "gain"]).groupby(runs)["gain"].mean().unstack(runs[1:]).round(3)

# %% [markdown]
# **What you see**: the mean gain of each subset on data like its own (True) and unlike it (False), in this run and, by itself, in the longer one.
#
# ### Beside the study
#
# Hoyer 2024: tuning improved in-distribution "by 41-3 %", except on the thigh. Whether these are per cents of the Dice or points is not said; here are both. *Ours are miniatures, so agreement is no evidence for the study, and the lack of it none against.*

# %%
of_anatomies = own[
    (own["part"] == "test") & own["training_subset"].isin(["knee", "spine", "hip", "thigh"])
]
beside = of_anatomies.assign(per_cent=100 * of_anatomies["relative_gain"])
beside[["training_subset", "dice_zero_shot", "gain", "per_cent", "gain_low", "gain_high"]].round(3)

# %% [markdown]
# **What you see**: compare `gain` with `dice_zero_shot`. A tissue at 0.9 has little to gain, which could by itself explain an exception such as the study's thigh; whether the order of the gains fits that is for you to read off.
#
# ## See which tissues changed
#
# > **Guess**: a tissue that lost.

# %%
changed = tuning.tissue_changes(scores, studied)
evaluation.write_table(changed.reset_index(), tables / "04_tissues.csv", provenance=facts)
changed.round(3).iloc[[0, 1, 2, -3, -2, -1]]

# %% alt="The fullest slice of the studied anatomy: reference, zero-shot and tuned prediction"
studied_datasets = tuning.find_subset(studied).datasets
studied_case = mskseg.load_some(studied_datasets[0], n_subjects=1, part="test")[0]
fullest = mskseg.fullest_slice(studied_case)
for state, model in (("zero-shot", segmenter), (f"tuned on {studied}", tuned[studied].segmenter)):
    predictions = evaluation.predict_slice(model, studied_case, fullest, tight)
    panels = display.triptych(
        fullest.image,
        fullest.label_map,
        {label: predicted.prediction for label, predicted in predictions.items()},
        spacing_mm=fullest.spacing_mm,
        tissues=studied_case.tissues,
        plane=fullest.plane,
        title=f"{studied_case.name}: {segmenter.name}, {state}",
    )
    display.save_figure(panels[0], figures / f"04_{state.split()[0]}.png", provenance=facts)

# %% [markdown]
# **What you see**: the same slice and boxes, before and after. Look at borders between neighbours of equal brightness, where a model that has seen the anatomy knows what the box means.
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
# All on the studied subset, with the same people and steps; and in the first mode also from MedSAM's sibling, which is Casali's question.

# %%
ways = [(segmenter, way) for way in modes] + [(base, mode) for base in segmenters[1:]]
tuned_ways = [
    bench.tune(base, studied, n_subjects=n_train, config=replace(config, mode=way))
    for base, way in ways
]

# %%
test_cases = [case for case in parts["test"] if case.dataset in studied_datasets]
mode_dice = [
    tuning.mean_dice(result.segmenter, test_cases, slice_step=slice_step) for result in tuned_ways
]

# %%
columns = ["trainable_parameters", "seconds", "peak_memory_mb", "best_epoch"]
costs = pd.DataFrame([{name: getattr(result, name) for name in columns} for result in tuned_ways])
on_validation = [result.history["validation_dice"] for result in tuned_ways]
by_mode = pd.DataFrame(
    {
        "base": [base.name for base, _ in ways],
        "mode": [way for _, way in ways],
        "seed": seed,
        "validation_dice": [dice.max() for dice in on_validation],
        "validation_drop": [dice.max() - dice.iloc[-1] for dice in on_validation],
        "dice": mode_dice,
    }
).join(costs)
facts.update(describe_so_far())
evaluation.write_table(by_mode, tables / "04_modes.csv", provenance=facts)
print(by_mode.round(3).to_string(), end="\n\n")
longer_modes = evaluation.committed_results(results, "04_modes*.csv")
print(longer_modes.origin, longer_modes.why_apart(facts), sep="\n")
longer_modes.rows.round(3)

# %% [markdown]
# **What you see**: this run, and below it, by itself, the longer one from `results/`. `dice` is of the people who report, `validation_dice` of those who select; to choose a mode, take the second. `validation_drop` is what the validation people had lost by the last epoch since their best one: the sign of overfitting, and the reason to keep the best epoch. Trainable parameters and seconds differ by far more than Dice does. With few people the modes that train more have more to overfit with; with many, more to learn with. `peak_memory_mb` is of the whole process, which only grows: compare it on a GPU. Between our two miniatures the better start is our construction.
#
# ## Ask how many people it takes
#
# Ma 2024 shows that more training images help. Here each point is a training on so many people, scored on the same people.
#
# > **Guess**: how much of the gain comes with the very first person?

# %%
sizes = [(n, random_seed) for n in training_sizes for random_seed in seeds]
tuned_sizes = [
    bench.tune(segmenter, studied, n_subjects=n, config=replace(config, seed=random_seed))
    for n, random_seed in sizes
]

# %%
size_dice = [
    tuning.mean_dice(result.segmenter, test_cases, slice_step=slice_step) for result in tuned_sizes
]
by_size = pd.DataFrame(sizes, columns=["n_subjects", "seed"]).assign(dice=size_dice)
facts.update(describe_so_far())
evaluation.write_table(by_size, tables / "04_training_size.csv", provenance=facts)
print(by_size.groupby("n_subjects")["dice"].agg(["mean", "std", "size"]).round(3), end="\n\n")
longer_sizes = evaluation.committed_results(results, "04_training_size*.csv")
print(longer_sizes.origin, longer_sizes.why_apart(facts), sep="\n")
of_sizes = longer_sizes.rows.reindex(columns=["n_subjects", "dice"]).groupby("n_subjects")["dice"]
of_sizes.agg(["mean", "std", "size"]).round(3)

# %% alt="Dice over the number of people tuned on, with the untuned model as a line"
untuned = tuning.mean_dice(segmenter, test_cases, slice_step=slice_step)
curve = by_size.groupby("n_subjects")["dice"].agg(["mean", "std"]).reset_index()
size_axes = display.sweep_chart(
    curve.assign(tuned=f"tuned, {mode}"),
    x="n_subjects",
    series="tuned",
    value="mean",
    spread="std",
    level=("zero-shot", untuned),
    labels=("people tuned on", "Dice, oracle boxes"),
    title=f"The first people bring {curve['mean'].iloc[0] - untuned:+.3f}, the further ones {curve['mean'].iloc[-1] - curve['mean'].iloc[0]:+.3f}",
)
size_axes.autoscale(axis="y")
display.save_figure(size_axes, figures / "04_training_size.png", provenance=facts)

# %% [markdown]
# **What you see**: in the tables this run and, if its result was committed, the longer one, with the number of trainings behind each mean; in the figure this run. The dashed line is the model without tuning. Bars, where there are several seeds, are the standard deviation between trainings that differ in nothing but chance: a difference smaller than that is no difference.
#
# ## Draw sloppy boxes
#
# Tuned with tight boxes only, a model may learn that its box is exact. Tune once without jitter, and give both models tight and sloppy boxes.

# %%
neat = bench.tune(segmenter, studied, n_subjects=n_train, config=replace(config, jitter_px=0.0))
plans = {"tight": tight, "sloppy": prompts.OracleBox(jitter_px=2 * jitter_px or 5.0, seed=seed)}
compared = {"zero-shot": segmenter, "with jitter": first.segmenter, "without": neat.segmenter}
sloppy = pd.DataFrame(
    {
        box: [
            tuning.mean_dice(model, test_cases, prompts=plan, slice_step=slice_step)
            for model in compared.values()
        ]
        for box, plan in plans.items()
    },
    index=pd.Index(compared, name="tuned"),
)
evaluation.write_table(sloppy.reset_index(), tables / "04_jitter.csv", provenance=facts)
print(sloppy.assign(lost=sloppy["tight"] - sloppy["sloppy"]).round(3), end="\n\n")
longer_sloppy = evaluation.committed_results(results, "04_jitter*.csv")
print(longer_sloppy.origin, longer_sloppy.why_apart(facts), sep="\n")
of_boxes = longer_sloppy.rows.reindex(columns=["tuned", *plans]).set_index("tuned")
of_boxes.assign(lost=of_boxes["tight"] - of_boxes["sloppy"]).round(3)

# %% [markdown]
# **What you see**: what sloppiness costs stands in the last column, first for this run, then, by itself, for the longer one. Hoyer and Ma both tuned with jitter.
#
# ## Distrust its opinion
#
# The predicted IoU was learned by the model *as it was*. The studies' loss does not include it, so after tuning it is an opinion about another model's masks. We made the same choice, and `FineTuneConfig(keep_iou_loss=True)` is the other one; without it a tuned segmenter gives NaN. To see why, we ask it all the same. The three masks of an ambiguous point are stale too: boxes train the single mask only, so after tuning on boxes ask by boxes.

# %%
stale = tuning.keep_stale_iou(first.segmenter)
with_iou = [
    tuning.score_parts(model, {"test": test_cases}, slice_step=slice_step)
    for model in (segmenter, stale)
]
opinions = pd.concat(with_iou).query("status == 'scored'")
error = (opinions["predicted_iou"] - opinions["iou"]).groupby(opinions["segmenter"])
error.agg(["mean", "std"]).round(3)

# %% [markdown]
# **What you see**: mean and spread of predicted minus true IoU. The masks changed and the opinion did not follow.
#
# ### Pitfall: the same person on both sides

# %%
same = tuning.find_subset(studied).load("train", n_subjects=1, progress=False)
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
# You have people of one anatomy, and want a model for that anatomy *and* for another one. Find in `cross` the training subset with the best worst case over the test parts. *Hint: group by `training_subset`, take the smallest `dice_tuned` of each, and sort.*

# %% tags=["exercise"]
of_test = cross[cross["part"] == "test"]
of_test.groupby("training_subset")["dice_tuned"].mean().round(
    3
).to_frame()  # mean; you want the worst

# %% tags=["solution"] jupyter={"source_hidden": true}
worst_case = of_test.groupby("training_subset")["dice_tuned"].min().sort_values(ascending=False)
worst_case.round(3).to_frame()

# %% [markdown]
# **Discussion**: look whether the subset with a bit of everything wins a column, and whether it has the best worst case. Which of the two matters depends on whether you know beforehand what will be scanned.
#
# ## Take-aways

# %%
best_mode, most = by_mode.loc[by_mode["validation_dice"].idxmax()], curve.iloc[-1]
sure = cross[(cross["gain_low"] > 0) | (cross["gain_high"] < 0)]
Markdown(f"""
- In-distribution, tuning on {n_train} people changed Dice by **{own["gain"].mean():+.3f}** (mean of {len(own)} cells), elsewhere by **{other["gain"].mean():+.3f}** ({len(other)} cells); {len(sure)} of {cross["gain_low"].notna().sum()} cells with an interval leave out zero.
- Of {len(by_mode)} ways to tune on {studied}, validation chose {best_mode["mode"]} from {best_mode["base"]}: {best_mode["dice"]:.3f} on the people who report, with {best_mode["trainable_parameters"]:,} trainable parameters.
- Tuned on {int(most["n_subjects"])} people: {most["mean"]:.3f}; no tuning: {untuned:.3f}.
- {len(bench)} trainings in all.
""")

# %% [markdown]
# ## Limits
#
# - Miniatures on phantoms of one generator: in- and out-of-distribution differ less, or otherwise, than hospitals do. No number here is evidence about SAM or MedSAM.
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
