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
# # Quantify the uncertainty of a segmentation
#
# When a model is wrong, does it know, and is it enough if a reader checks only what the model is unsure of?
#
# *Deepening · 35 minutes to read and try, about 4 to run on two CPU cores · scans of real people and a published model if they are installed, then built-in thighs with fatty infiltration · previous notebook: 07_compare_specialists*

# %% [markdown]
# **What you will do**: measure how accurate and how honest models are, on people and on phantoms with three grades of fatty infiltration. Then find out what their uncertainty is worth to a reader.
#
# **What you will learn**
# - to turn box-prompted masks into one map of probabilities, and to say what that rule assumes
# - to compute an expected calibration error, and to catch a choice of pixels that makes it lie
# - to split uncertainty into what the image leaves open and what the model does not know
# - to compare two models on a handful of people, with a margin named before looking
# - to turn uncertainty into work: which outlines should a reader correct first?
#
# **What you need**: notebooks 03 and 04. No GPU, no internet.

# %% tags=["colab"] jupyter={"source_hidden": true}
import subprocess
import sys

if "google.colab" in sys.modules:  # elsewhere this cell does nothing
    install = [sys.executable, "-m", "pip", "install", "--quiet"]
    subprocess.run([*install, "mskseg[workbook,train,lite]"], check=True)

# %%
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Markdown

import mskseg
from mskseg import display, evaluation, prompts
from mskseg_studies import uncertainty

# %% tags=["parameters"]
datasets = ["spine_vertebrae", "phantom_infiltrated_thigh"]  # those that are here; real first
models = ["lite_medsam", "sam_vit_mini", "medsam_vit_mini"]  # zero-shot; published ones first
device = "auto"  # cuda, else mps, else cpu; or one of them
tuned_on = "phantom_infiltrated_thigh"  # of these data sets; else the first of them
n_tuned = 1  # how many of the models are tuned, from the first that is asked about `tuned_on`
left_out = ["bone", "fat", "other"]  # kinds of tissue that become background
modes = ["decoder"]  # what trains; "encoder_decoder" is the study's better one, and slower
seeds = [0, 1, 2]  # of the trainings: the members of the deep ensemble, two or more
n_people = {"train": 6, "validation": 2, "test": 6}  # with fewer than 5 there is no verdict
steps = 30  # of each training
nnunet_runs = [["2d", 0]]  # kind and seed of each, or none; "3d_fullres" and ensembles take hours
nnunet = {"length": [4, 10], "patch": [128, 128], "features": 8}  # notebook 07 explains
slice_step = 8  # every n-th slice; every 4n-th of the data set that nothing is tuned on
learning_rate = 2e-4  # twice what the studies gave SAM; more breaks what is there before it teaches
outward_px = 4.0  # pixels; a wider oracle box for the zero-shot models, as MedSAM was trained
jitter_px = 3.0  # pixels; each side of a box moves by up to this, in training and as a test
margin = 0.01  # difference in Dice or ECE below which nobody would care, named before looking
seed = 0  # of the jitter, the drawn pixels and the bootstrap
results = "../results"  # folder with results of runs done elsewhere, if there are any
output = "../output"  # folder for the tables and the figures

# %%
names = mskseg.at_hand(datasets)
segmenters = [mskseg.load_segmenter(name, device=device) for name in mskseg.at_hand(models)]
tuned_set = tuned_on if tuned_on in names else names[0]
looked_at = next((name for name in names if name != tuned_set), tuned_set)
tables, figures = Path(output, "tables"), Path(output, "figures")
configs = [
    uncertainty.short_tuning(
        steps,
        mode=mode,
        learning_rate=learning_rate,
        warm_up=10,
        slices_per_step=2,
        slice_step=slice_step,
        jitter_px=jitter_px,
    )
    for mode in modes
]
print(f"zero-shot on {looked_at}; tuned, and measured again, on {tuned_set}")
print(f"mskseg {mskseg.__version__}, {segmenters}, {segmenters[0].device}, seed {seed}")

# %% [markdown]
# ## Know what is asked
#
# Casali and colleagues (2025) took thigh MRI of 76 people with neuromuscular disease, in three groups: **Early, Moderate and Severe** fatty infiltration. They tuned SAM and MedSAM and compared them with nnU-Net. Besides accuracy they asked for honesty. A model is **calibrated** if, of all pixels in which it is 80 % sure, 80 % are right. The differences in Dice that they report are 0.003 and 0.007.
#
# We rebuild that small: phantoms with three grades of our own, since the abstract states no fat fractions, and miniature models. What they score says nothing about patients or about the published models. So real people come first, if their scans are installed: healthy vertebrae, without grades, and with models as they are. There `lite_medsam` is asked too, if it is installed. It is a *published* model, but it is not MedSAM, and nobody says whether its training data held these scans.

# %%
loaded = uncertainty.load_tissues(tuned_set, n_people, left_out=left_out)
train, validation, test = loaded["train"], loaded["validation"], loaded["test"]
assert not {*train.subjects, *validation.subjects} & set(test.subjects)
half = {"test": max(1, n_people["test"] // 2)}  # real slices are many, and large
people = uncertainty.load_tissues(looked_at, half, left_out=left_out)["test"]
uncertainty.describe_scans(list({case.name: case for case in [*people, *test]}.values()))

# %% [markdown]
# **What you see**: the scans whose scores are reported, and where their reference comes from. Labels with the same name, such as vertebral bodies, count as one tissue here.
#
# ## Make one map from many masks
#
# A box-prompted model segments one object at a time, and its masks may overlap. Calibration needs one set of probabilities for each pixel, which add up to one. **Our rule**: take for each tissue the largest logit over its boxes; give the background a logit of 0; apply a softmax. (A *logit* is a number from minus to plus infinity, where 0 stands for a probability of one half. A *softmax* turns several logits into probabilities that add up to one.) With one tissue the rule gives the model's own probability back.
#
# A tissue that got no box on a slice has no mask. Its probability is held at one in a million and not at zero, since one missed pixel would otherwise make a score infinite. Those pixels are counted (`n_clipped`), and so are pixels of the reference outside every box of their tissue (`n_unprompted`).
#
# ### Pitfall: masks side by side are no distribution
#
# Stack the raw masks and take the largest, and you get a label map that looks right. As probabilities they are not.

# %%
tight, neighbour = prompts.OracleBox(), prompts.NeighbourBox()
labels = list(test.tissues)
asked = uncertainty.asked_about(test, segmenters)
one_model = uncertainty.PromptedMaps(asked[0], tight, labels=labels)
first = one_model.at(test[0], mskseg.fullest_slice(test[0]).index)
assert np.allclose(first.members.sum(axis=1), 1, atol=1e-4)
true_class = uncertainty.as_classes(first.case_slice.label_map, labels).ravel()
raw = np.stack([np.ones(first.case_slice.image.shape), *first.members[0, 1:]])
try:
    uncertainty.checked_probabilities(raw)
except mskseg.InputError as error:
    assert "expected 1" in str(error)
    print(error)
else:
    raise AssertionError("probabilities that do not sum to one were accepted")

# %% [markdown]
# ## Compute a calibration error by hand
#
# The **expected calibration error** (ECE) sorts pixels into bins by how sure the model is. In each bin it compares the mean of "how sure" with the share that is right. The ECE is the mean of these gaps, weighted by the number of pixels. Here it is for one slice, over all its pixels.

# %%
chances = first.members.mean(axis=0).reshape(1 + len(labels), -1)  # (classes, pixels)
sure, right = chances.max(axis=0), chances.argmax(axis=0) == true_class
bin_of = np.minimum((15 * sure).astype(int), 14)
by_hand = sum(abs((sure - right)[bin_of == k].sum()) for k in range(15)) / sure.size
assert np.isclose(by_hand, uncertainty.ReliabilityBins.of(sure, right).ece)
print(f"how sure {sure.mean():.3f}, how often right {right.mean():.3f}, ECE {by_hand:.4f}")

# %% [markdown]
# **What you see**: the same number as the library's (the `assert` says so). The means over all pixels can be close while the bins are not: in some bins a model is too sure, in others too modest.
#
# ## Choose the pixels without the answer
#
# Over whole slices every model looks calibrated, since most of a slice is air that nobody gets wrong. Which pixels should count, then? "Every pixel that the reference **or** the prediction gives to a muscle" sounds fair, and it lies. An earlier release of this workbook fell for it.
#
# To catch it, build a model that *cannot* be dishonest. We draw discs whose radius is left to chance, and let the model give, for every pixel, the exact chance that it lies inside. Where it says 70 %, it is right in 70 % of cases. Its ECE has to be zero. Copies of it are made sharper or softer by a *temperature*: all logits are divided by one number. They no longer tell the truth, so they have to score worse.
#
# > **Guess**: over "reference or prediction", what is the ECE of the honest model?
# >
# > - **A**: 0, as it should be
# > - **B**: up to 10 %
# > - **C**: above 10 %

# %% alt="A calibrated model by two choices of pixels: its reliability, and its ECE against the temperature"
seen_by = uncertainty.compare_regions([0.5, 0.7, 0.85, 1, 1.25, 1.5, 1.75, 2, 2.5], seed=seed)
lie = seen_by.query("temperature == 1 and region == 'reference or prediction'")["ece"].mean()
letter = "A" if lie < 0.005 else "B" if lie < 0.1 else "C"
print(f"Answer: {letter}. The honest model gets {lie:.1%}.")
uncertainty.temperature_slider(seen_by)

# %% [markdown]
# **What you see**: on the left the honest model, seen through two choices of pixels. With pixels chosen by its own map it lies on the diagonal. With those of "reference or prediction" it seems far too sure, although every number it says is true. Take ten pixels where it says "70 % background". Seven *are* background: nobody calls them muscle, so the region leaves them out. Three are muscle: the reference brings them in. Of ten honest answers the region sees the three that were wrong, and none that was right.
#
# The slider gives the model another temperature: sharper copies sink below the diagonal, softer ones rise above it. (It needs a kernel. Without one, you see T = 1.)
#
# On the right, what follows. The lying measure is at its best (marked by a ring) when the honest model is made to doubt itself. Whoever chooses a model by it rewards doubt. The other measure is best at T = 1, where the truth is.
#
# **The rule**: a region may ask the map, the image, or nothing. It never asks the reference. Ours are the *candidates*: pixels where the map gives all muscles together more than 1 %.
#
# The rule has two weak sides, so two numbers stand beside each ECE. A muscle that was missed with certainty is no candidate: `reference_outside` is the share of the reference that is lost in this way. And a little doubt about all the air makes the region large and the ECE small: `n_candidate` counts its pixels.
#
# ## Ask about people first
#
# Every model as it is, without any training, with three kinds of boxes: tight ones from the reference, wider ones, and boxes that follow the prediction from slice to slice. Each combination of a model and a kind of box is called an **arm**.
#
# A longer run (`make results`) tuned models on people too, three times each for an ensemble. If it is committed in `results/`, its table comes first, with the weights that it came from.
#
# > **Guess**: with which boxes is the ECE lowest, on average over the models?
# >
# > - **A**: tight boxes of the reference
# > - **B**: wider boxes of the reference
# > - **C**: boxes that follow the prediction

# %% alt="Reliability diagram of each model as it is, candidate pixels, tight boxes from the reference"
place = Path(output, "trainings", "08_quantify_uncertainty")
facts_people = mskseg.provenance(
    command="08_quantify_uncertainty", segmenter=segmenters[0], cases=list(people), seed=seed
)
scores = ["dice", "ece_candidate", "reference_outside", "nll", "brier"]
print(uncertainty.describe_committed(results, values=scores, provenance=facts_people))
outward = prompts.OracleBox(margin_px=outward_px)
as_they_are = uncertainty.measure_as_they_are(
    segmenters, people, [tight, outward, neighbour], slice_step=4 * slice_step
)
people_bins = as_they_are.select(arm=tight.box_source).bins
people_axes = uncertainty.reliability_charts(people_bins, by="dataset", title="As they are")
display.save_figure(people_axes[0], figures / "08_people.png", provenance=facts_people)
evaluation.write_table(as_they_are.cases, tables / "08_people.csv", provenance=facts_people)
of_people = uncertainty.average_subjects(
    as_they_are.cases, by=["dataset", "arm", "model"], values=[*scores, "auroc"]
)
by_arm = of_people.groupby("arm", sort=False)["ece_candidate"].mean()
print(f"Answer: {'ABC'[by_arm.argmin()]}.\n{by_arm.round(3).to_string(header=False)}")
of_people.round(3)

# %% [markdown]
# **What you see**: first the longer run. Compare a model before and after tuning, then tight boxes with boxes that follow, then the ensemble with its first member, each in Dice and in ECE. If nnU-Nets are among them, look at their Dice first: where it is low, a low ECE is worth nothing.
#
# Then this run's models. In the figure a dot is a bin, and its area the share of pixels. **Below the diagonal a model is overconfident.** The columns of the table:
#
# - `dice` is of the volume, over the slices taken; `ece_candidate` is the ECE over the candidates.
# - `nll`, the *negative log-likelihood*, punishes each pixel by how little probability its true class got. `brier` is the mean squared distance between the probabilities and the truth. For both, lower is better. They are taken over whole slices.
# - `auroc` takes a wrong candidate and a right one: how often is the wrong one the more uncertain? 0.5 is chance, 1 is perfect.
#
# Compare a model with itself under two kinds of box before you compare two models. One model can be honest with one kind, and sure and wrong with another. Tight and wide boxes know the answer on every slice; boxes that follow know it on one slice for each tissue.
#
# ## Tune an ensemble
#
# From here on the data set is the one on which the models are tuned.
#
# A **deep ensemble** is the same training repeated with other seeds. Where its members disagree, the data did not settle the question. Ours start from the same weights, and differ in the order of slices, in the muscles drawn and in the jitter of the boxes. So expect them to disagree *less* than networks trained from scratch.
#
# Beside it stands **nnU-Net**, the package itself with a short training on the same people. It finds the muscles without any box (notebook 07).
#
# > **Guess**: what will the ensemble gain over its members, by more than the margin?
# >
# > - **A**: Dice
# > - **B**: calibration (ECE)
# > - **C**: neither, or there are too few people to tell

# %%
tunings = [
    uncertainty.tune_ensemble(
        start, train, validation, config, seeds=seeds, folder=place, progress=False
    )
    for start in asked[:n_tuned]
    for config in configs
]
print(*(result for ensemble in tunings for result in ensemble), sep="\n")
runs, predictions = [], {}
for kind, run_seed in nnunet_runs:
    nnunet_config = uncertainty.NnunetConfig.short(
        kind, length=nnunet["length"], patch=nnunet["patch"], features=nnunet["features"],
        seed=run_seed,
    )  # fmt: skip
    found_in = [*validation, *test]
    runs.append(
        uncertainty.train_nnunet(train, validation, nnunet_config, folder=place, predict=found_in)
    )
    predictions.setdefault(runs[-1].name, []).append(runs[-1].predict(found_in))
print(*predictions, sep="\n")

# %% [markdown]
# ## Measure everything at once
#
# Four kinds of prompt give four groups of arms.
#
# - **Oracle**: boxes from the reference. They also tell *on which slices* a muscle is. Nobody has these boxes in a clinic.
# - **Oracle, margin**: wider ones, for the models as they are. MedSAM learned from boxes up to 20 of 1024 pixels wider than tight on every side (notebook 03).
# - **Neighbour**: one oracle slice for each muscle, and from there boxes around what was predicted on the slice before.
# - **nnU-Net**: boxes around what nnU-Net found, so that nothing comes from the reference. This is the fair opponent of nnU-Net itself ("no box").
#
# Boxes that are moved a little (jitter) come later.

# %%
members = [[result.segmenter for result in ensemble] for ensemble in tunings]
trained = members[0]  # of these the text speaks
name_one, name_all = trained[0].name, f"{trained[0].name}, ensemble of {len(trained)}"
prompted = [(one, one.name) for one in (*asked, *(group[0] for group in members))]
prompted += [(group, f"{group[0].name}, ensemble of {len(group)}") for group in members]
sources = [
    uncertainty.PromptedMaps(model, plan, labels=labels, name=name)
    for plan in (tight, neighbour)
    for model, name in prompted
]
sources += [uncertainty.PromptedMaps(each, outward, labels=labels) for each in asked]
for finder, volumes in predictions.items():
    boxes = prompts.SpecialistBox(volumes[0].label_maps, source=finder)
    for model, name in ((trained[0], name_one), (trained, name_all)):
        sources.append(uncertainty.PromptedMaps(model, boxes, labels=labels, name=name))
for finder, volumes in predictions.items():
    sources.append(uncertainty.VolumeMaps(finder, volumes[0], labels=labels))
    if len(volumes) > 1:
        together = f"{finder}, ensemble of {len(volumes)}"
        sources.append(uncertainty.VolumeMaps(together, volumes, labels=labels))

# %%
temperatures = uncertainty.temperatures_of(
    sources[: len(prompted)], validation, slice_step=2 * slice_step, seed=seed
)
measured = uncertainty.measure_uncertainty(
    sources, test, temperatures=temperatures, slice_step=slice_step, progress=False
)
facts = mskseg.provenance(
    command="08_quantify_uncertainty",
    segmenter=asked[0],
    cases=list(test),
    seed=seed,
    tuned=[*asked[1:], *(model for ensemble in members for model in ensemble), *runs],
)
evaluation.write_table(measured.cases, tables / "08_uncertainty.csv", provenance=facts)
unscaled = measured.select().cases
name_alone, as_loaded = uncertainty.alone(name_all), [each.name for each in asked]
counts = ["n_candidate", "n_clipped", "n_unprompted"]
overall = uncertainty.average_subjects(unscaled, by=["arm", "model"], values=scores + counts)
overall.round(3).astype(dict.fromkeys(counts, int))

# %% [markdown]
# **What you see**: means over people, in the same columns as above. Look at the arms first. A box that drifted off can make a model confident about the wrong thing, and boxes around a finder's mistakes repeat them. Read `ece_candidate` with its two companions, `reference_outside` and `n_candidate`. The nnU-Net of this run saw few people and a fraction of its iterations. It shows *what has to be compared*, not what nnU-Net can do.
#
# For each model with oracle boxes a temperature was fitted on the validation people, so that the NLL over whole slices is lowest. Above 1 the model was too sure of itself. For a single model a temperature changes no label, so it changes no Dice.
#
# ## Compare by grade, with a margin
#
# In the T1-weighted image that the models get, fat is bright. What a clinician measures *inside* the outlines is the **fat fraction** of a Dixon scan: fat over fat and water (notebook 05).
#
# The study found SAM *better* calibrated in Severe than in Moderate. See whether ours is, too.

# %% alt="The fullest slice of the first person of each grade of fatty infiltration"
firsts = {case.severity: case for case in reversed(list(test))}
grade_slices = [mskseg.fullest_slice(firsts[grade]) for grade in sorted(firsts)]
grade_axes = display.montage(grade_slices, titles=sorted(firsts))
oracle = measured.select(arm=tight.box_source)
by_grade = uncertainty.average_subjects(oracle.cases, by=["severity", "model"], values=scores[:2])
uncertainty.beside_casali(by_grade).round(3)

# %% [markdown]
# **What you see**: one person of each grade. Look at the borders between muscles: where fat has come into a muscle, it is as bright as the fat beside it. (A data set without grades shows one person.)
#
# The table has our numbers, then those of the study's abstract. The abstract does not state the sizes of the groups, the definition of its ECE, or which model SAM's ECE is compared with. So set only directions side by side.
#
# With so few people in a grade, no difference between *groups* means anything. Between *models* more can be said, since they saw the same people. We take the difference of two models for each person, and draw people again and again with replacement (a *paired bootstrap*). The margin was a parameter, named before looking.

# %%
pairs = [(name_all, name_alone), (name_one, as_loaded[0])]
pairs += [(as_loaded[0], other) for other in as_loaded[1:2]]
pairs += [(group[0].name, name_one) for group in members[1:]]  # another start or mode
with_members = measured.select(arm=tight.box_source, member=None).cases
comparisons = [(with_members, pairs)]
found = [(run, predictions[run.name][0]) for run in runs]
finders = uncertainty.rank_finders(found, validation, slice_step=slice_step)
for name in dict.fromkeys(each.name for each in finders if each.enough):
    fair = [measured.select(arm=arm).cases for arm in (name, "no box")]
    comparisons.append((pd.concat(fair), [(name_all, name)]))
compared = pd.concat(
    uncertainty.compare_models(table, models_of, value=value, margin=margin, seed=seed)
    for value in ("dice", "ece_candidate")
    for table, models_of in comparisons
).reset_index(drop=True)
evaluation.write_table(compared, tables / "08_compared.csv", provenance=facts)
told = compared[compared["second"] == name_alone].set_index("value")["verdict"]
gained = "A" * (told["dice"] == "higher") + "B" * (told["ece_candidate"] == "lower")
print(f"Answer: {gained or 'C'}. Against its members: {', '.join(told.index + ' ' + told)}.")
compared.round(4)

# %% [markdown]
# **What you see**: the difference is the first less the second.
#
# - "equivalent": the whole interval lies inside the margin. **This is asked first.** An interval inside the margin is equivalent even if it leaves out zero: a difference can be real and too small for anybody to care.
# - "higher" and "lower": the interval leaves out zero, and reaches beyond the margin.
# - "inconclusive": all else. It is what most comparisons of three thousandths on a few people deserve.
#
# The ensemble stands against the mean of its members, each alone with the same boxes and on the same candidates, since a single member may be a lucky draw. The pair with nnU-Net is the fair one: its boxes against itself. It is here only if that nnU-Net has a Dice of 0.5 on the validation people; below that its boxes are guesses. Between the two miniatures the order is our construction.
#
# ## Draw the reliability
#
# Now all models with oracle boxes, in each grade.

# %% alt="Reliability diagrams of the models for each grade, candidate pixels, with oracle boxes"
deep_ensemble = uncertainty.PromptedMaps(trained, tight, labels=labels)
shown = oracle.select(model=[*as_loaded, name_one, name_all])  # a longer run has more
eces = overall.loc[tight.box_source, "ece_candidate"]
level = int((eces - eces.min() < margin).sum())  # no winner is named inside the margin
finding = f"the lowest ECE is {eces.min():.3f}; {level} of {len(eces)} are within {margin} of it"
reliability = uncertainty.reliability_charts(shown.bins, title=f"Oracle boxes: {finding}")
display.save_figure(reliability[0], figures / "08_reliability.png", provenance=facts)
both = measured.select(arm=tight.box_source, scaled=None).cases
regions = ["temperature", "ece_top_label", "ece_candidate", "nll", "nll_candidate", "dice"]
ensemble = measured.select(model=name_all)
honest = uncertainty.average_subjects(both, by=["model", "scaled"], values=regions)
honest.round(4)

# %% [markdown]
# **What you see**: the numbers in a panel pool the people of its grade; the title averages over all people. No model is named as the lowest if others are within the margin.
#
# SAM has one more estimate of its own, the **predicted IoU** of a whole mask (notebook 02). MedSAM and LiteMedSAM never learned it, and our tuned models no longer give it (notebook 04).
#
# The table has the ECE over whole slices too (`ece_top_label`). Crop the image and it rises; pad the image and it falls. A published ECE without its region and its bins cannot be compared with yours. Rows with `scaled` are after temperature scaling, on the same pixels; the take-aways say what it moved. One number for all pixels can repair a model that is too sure everywhere. Where little is wrong it may do harm, and so few validation people cannot tell.
#
# ### Exercise 1: perfectly calibrated, and useless (5 minutes)
#
# A model says the same probability of "any tissue" everywhere in the slice. Which probability gives it an ECE of zero? *Hint: what part of the pixels is tissue?*

# %% tags=["exercise"]
is_tissue = true_class > 0
everywhere = 0.5  # replace by the number that gives zero
uncertainty.ReliabilityBins.of(np.full(is_tissue.size, everywhere), is_tissue).ece

# %% tags=["solution"] jupyter={"source_hidden": true}
share = is_tissue.mean()
constant = uncertainty.ReliabilityBins.of(np.full(is_tissue.size, share), is_tissue).ece
print(f"everywhere {share:.3f}: ECE {constant:.6f}, and nothing found")

# %% [markdown]
# **Discussion**: calibration is honesty, not knowledge. Report it beside Dice and beside a score that punishes both faults, NLL or Brier.
#
# ## Split the uncertainty
#
# **Entropy** measures how spread out the probabilities of a pixel are: 0 if one class has all, and highest if all classes have the same. The entropy of the ensemble's mean has two parts.
#
# - **Aleatoric**: each member finds the pixel uncertain by itself, as at a blurred edge.
# - **Epistemic**: the members disagree.
#
# Beside them we set what a box drawn a little differently changes: each side is moved by up to `jitter_px`.

# %%
draws = [prompts.OracleBox(jitter_px=jitter_px, seed=seed + k) for k in range(len(seeds))]
jittered = uncertainty.PromptedMaps(trained[0], draws, labels=labels, name=name_one)
moved = uncertainty.measure_uncertainty([jittered], test, slice_step=slice_step, progress=False)
parts_of = ["entropy", "aleatoric", "epistemic", "auroc"]
spread = pd.concat([ensemble.cases, moved.select().cases])
uncertainty.average_subjects(spread, by=["arm", "model"], values=parts_of).round(4)

# %% alt="Wrong pixels of a slice beside maps of the entropy, its two parts, and what moved boxes change"
of_slices = ensemble.select(arm=tight.box_source).outlines.groupby(["subject", "slice"])
subject, index = of_slices["uncertainty"].mean().idxmax()
doubted = test.where(subject=subject)[0]
slice_maps, moved_maps = (m.at(doubted, index, step=slice_step) for m in (deep_ensemble, jittered))
map_axes = uncertainty.uncertainty_maps(slice_maps, moved=moved_maps)
display.save_figure(map_axes[0], figures / "08_maps.png", provenance=facts)

# %% [markdown]
# **What you see**: the slice about which the ensemble is least sure. The first two maps share a scale. The last two have a scale of their own each, since they are much smaller: compare *where* they light up, and read *how much* from the bars and from the columns of the table. With moved boxes (the last row of the table) the "epistemic" column is what the *prompt* decides.
#
# What is called aleatoric here is what members with one common start agree to be unsure about. It is no proof that more training would not help.
#
# ## Ask whether uncertainty finds errors
#
# > **Guess**: take a wrong pixel and a right one, both candidates, with oracle boxes. How often is the wrong one the more uncertain for the ensemble?
# >
# > - **A**: in less than 60 % of pairs
# > - **B**: in 60 to 75 %
# > - **C**: in more than 75 %

# %%
aurocs = uncertainty.average_subjects(unscaled, by=["arm", "model"], values=["auroc"])
rank = aurocs.loc[(tight.box_source, name_all), "auroc"]
print(f"Answer: {'A' if rank < 0.6 else 'B' if rank <= 0.75 else 'C'}. In {rank:.0%} of pairs.")
ranks = uncertainty.entropy_and_dice(unscaled).set_index(["arm", "model"])
words = {"spearman": "Spearman", "by_chance": "how often by chance", "n_subjects": "people"}
aurocs.join(ranks[["spearman", "by_chance"]]).rename(columns=words).round(3)

# %% [markdown]
# **What you see**: `auroc` 0.5 is no help, and 1 is perfect.
#
# *Spearman* asks the same of whole people: is the one with more entropy the one with the lower Dice? This correlation compares ranks, and is near -1 if so. *How often by chance* says how often a correlation as strong as this comes by pure chance; among so many rows, some small ones come anyway.
#
# ## Refer the uncertain outlines to a reader
#
# A reader corrects the least certain outlines (one muscle on one slice), and the model keeps the rest.

# %% alt="Mean Dice of the ensemble after a reader corrected a growing part of its outlines"
referred = uncertainty.referral_curves(ensemble.outlines)
referral_axes = uncertainty.referral_chart(referred)
display.save_figure(referral_axes, figures / "08_referral.png", provenance=facts)
missed = pd.DataFrame({arm: curve.iloc[0] for arm, curve in referred.items()}).T
missed[["n", "n_not_predicted"]].astype(int).rename_axis("arm")

# %% [markdown]
# **What you see**: each shaded area lies between correcting at random (its lower edge) and correcting by the true Dice, which nobody knows. The closer a line is to the upper edge, the better uncertainty chooses. A line below its area chooses worse than chance.
#
# All three choose among the same `n` outlines. A muscle for which *nothing* was predicted (`n_not_predicted`) is in none of them: it has no pixel to be unsure of. So uncertainty, however good, finds wrong outlines and no missing ones.
#
# Last, a page as a reader might get it: the proposal, with every pixel marked where the ensemble is less than 90 % sure.

# %% alt="One slice for a reader: the proposal with its doubtful pixels, and what was wrong in fact"
with_all = overall.loc[(tight.box_source, name_all)]
drifting = overall.loc[(neighbour.box_source, name_all)]
of_finder = "no nnU-Net was trained in this run, so no boxes come from one."
page = uncertainty.reading_page(slice_maps, tissues=test.tissues)
display.save_figure(page[0], figures / "08_reading.png", provenance=facts)


# %%
# The stricter you are, the more errors are marked, and the more of the slice. Compare both percentages.
def page_at(sure: float) -> object:
    return uncertainty.reading_page(slice_maps, tissues=test.tissues, sure=sure)[0]


uncertainty.picture_slider("sure", [0.99, 0.9, 0.8, 0.6], page_at)

# %% [markdown] tags=["quiz"]
# ## Quiz
#
# **1.** A model is 70 % sure in each of 1000 pixels, and right in 900 of them. Is it overconfident?
#
# <details><summary>Answer</summary>
#
# No, it is too modest: it is right more often than it says. Its dot lies above the diagonal.
#
# </details>
#
# **2.** A paper reports an ECE over "the pixels of the muscles in the reference". What is wrong with that choice?
#
# <details><summary>Answer</summary>
#
# The region asks the answer. Pixels come in *because* they are muscle, so honest doubt looks like error. The figure with the discs shows it.
#
# </details>
#
# **3.** An interval of a difference lies inside the margin and leaves out zero. Equivalent or different?
#
# <details><summary>Answer</summary>
#
# Both, and we call it equivalent: the difference is real, and too small to matter. The smallest margin that still allows the word is the farther end of the interval; see `low` and `high` in the table of comparisons.
#
# </details>
#
# **4.** The members of an ensemble agree. Is the mask right?
#
# <details><summary>Answer</summary>
#
# Not necessarily. Members with a common start can be wrong together. Compare the map "members disagree" with the wrong pixels.
#
# </details>
#
# **5.** Which errors can no uncertainty map show a reader?
#
# <details><summary>Answer</summary>
#
# Structures that the model is certain are not there. See `n_not_predicted` and `reference_outside`.
#
# </details>

# %% [markdown]
# ## Take-aways
#
# **If you remember one thing**: an honest model can be useless, and a calibration error means nothing without the pixels over which it was taken.

# %%
for finder in finders[:1]:
    by_itself, boxed = overall.loc[("no box", finder.name)], overall.loc[(finder.name, name_all)]
    below = "below 0.5, so nothing follows from this pair"
    enough = "enough of a finder to say so" if finder.enough else below
    of_finder = f"{finder.name} alone has a Dice of {by_itself['dice']:.3f} and an ECE of {by_itself['ece_candidate']:.3f}; boxes around what it found give the tuned ensemble {boxed['dice']:.3f} and {boxed['ece_candidate']:.3f}. On the validation people it has {finder.validation_dice:.2f}: {enough}."
ensemble_pair = compared.query("first == @name_all and second == @name_alone").set_index("value")
better, honesty = ensemble_pair.loc["dice"], ensemble_pair.loc["ece_candidate"]
before, after = (honest.xs(scaled, level="scaled") for scaled in (False, True))
cooled = after["ece_candidate"] - before["ece_candidate"]
curve = referred[neighbour.box_source].set_index("referred")
start, fifth = curve.loc[0.0, "dice"], curve.loc[0.2]
Markdown(f"""
- Boxes of the reference, and boxes that followed the prediction: Dice **{with_all["dice"]:.2f}** and {drifting["dice"]:.2f}, ECE of the candidates **{with_all["ece_candidate"]:.3f}** and {drifting["ece_candidate"]:.3f}, share of the reference outside them {with_all["reference_outside"]:.3f} and {drifting["reference_outside"]:.3f}.
- {of_finder}
- Ensemble less the mean of its members: Dice {better["mean"]:+.4f} ({better["verdict"]}), ECE {honesty["mean"]:+.4f} ({honesty["verdict"]}); the margin is {margin}.
- Over whole slices the ECE is {(before["ece_top_label"] / before["ece_candidate"]).mean():.2f} times that of the candidates. Temperature scaling lowers that of the candidates for {(cooled < 0).sum()} of {len(cooled)} models: from {cooled.min():+.3f} ({cooled.idxmin()}) to {cooled.max():+.3f} ({cooled.idxmax()}).
- Over all slices, a wrong candidate is more uncertain than a right one in {100 * rank:.0f} % of pairs.
- Where boxes followed the prediction, {fifth["n"]:.0f} outlines were predicted. A reader who corrects a fifth of them changes their mean Dice from {start:.3f} to {fifth["dice"]:.3f} if uncertainty chooses, to {fifth["random"]:.3f} if chance does. {fifth["n_not_predicted"]:.0f} more were missed altogether, and no uncertainty points to those.
""")

# %% [markdown]
# ## Limits
#
# - What is tuned here by default are miniatures, on phantoms with assumed grades and a few people in each. Groups cannot be compared, and nothing transfers to patients. The real people are healthy, and only one kind of tissue is scored in them.
# - The reference of a phantom is exact. A reader's is not, and part of "aleatoric" in real data is disagreement of readers.
# - The members of the ensemble share their start. The nnU-Net of this run has a fraction of its iterations and one seed.
# - The rule for the map is ours; another background logit would move every calibration number. Where two muscles meet and a model gives one half to each, the rule leaves one third to each and one third to the background. So a part of every ECE here is due to the rule.
# - Errors come in pieces, so chance alone gives a perfect model an ECE above zero in one person. Compare models on the same people, and do not read the distance from zero.
# - Referral is counted in outlines that were predicted. What a reader needs to find missing ones is not measured, nor is the time of either.

# %% [markdown]
# ## Next
#
# Notebook 09 weighs the claims of the studies.
#
# - Casali et al., *Exploring foundation models for multi-class muscle segmentation in MR images of neuromuscular disorders*, Computer Methods and Programs in Biomedicine 2025, doi:10.1016/j.cmpb.2025.109035
# - Guo et al., *On Calibration of Modern Neural Networks*, ICML 2017, doi:10.48550/arXiv.1706.04599
# - Lakshminarayanan et al., *Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles*, NeurIPS 2017, doi:10.48550/arXiv.1612.01474
