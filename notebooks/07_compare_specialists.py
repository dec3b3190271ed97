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
# # Compare specialists
#
# Is a model that can segment anything better than one that was trained for the task, and is the comparison fair?
#
# *Deepening · 25 minutes to read and try, about 7 to run on two CPU cores · thigh and spine phantoms, or any data set with a split · previous notebook: 06_vary_points_resolution_and_phase*

# %% [markdown]
# **What you will do**: train a U-Net, a DeepLabV3+ and the real nnU-Net beside SAM, and put all of them into one table.
#
# **What you will learn**
# - to give a specialist the same box that SAM gets, as an input channel
# - to test a model inside and outside of what it was trained on
# - to say how many training subjects it takes before a specialist pays off
# - to run nnU-Net from a notebook, and to read its log
# - to find the leak in a comparison: what a box from the reference tells, and who is told
#
# **What you need**: notebooks 03 and 04. No GPU, no internet; `nnunetv2` comes with the test set-up. `mskseg data fetch spine_vertebrae` brings scans of people to train on; `mskseg run 07 --dataset spine_vertebrae --model lite_medsam` then holds the same contests on them.

# %% tags=["colab"] jupyter={"source_hidden": true}
import subprocess
import sys

if "google.colab" in sys.modules:  # elsewhere this cell does nothing
    install = [sys.executable, "-m", "pip", "install", "--quiet"]
    subprocess.run([*install, "mskseg[workbook,train,lite]"], check=True)

# %%
from pathlib import Path

import pandas as pd
from IPython.display import Markdown

import mskseg
from mskseg import display, evaluation, finetuning, prompts
from mskseg_studies import specialists

# %% tags=["parameters"]
datasets = ["phantom_thigh", "phantom_spine"]  # the first, with a split, trains; others are outside
models = ["sam_vit_mini", "medsam_vit_mini"]  # promptable, of the manifest; the first is tuned too
device = "auto"  # cuda, else mps, else cpu; or one of them
other_sequences = ["dixon_opposed"]  # of the people who test, if they have it; nobody learns it
outward_px = 4.0  # pixels of the slice; oracle boxes are also tested this much wider on every side
architectures = ["unet", "deeplabv3plus"]  # specialists that get the box as a channel
encoder = "resnet18"  # of both, without pretrained weights
frame_px = 64  # pixels; side of the square that a specialist sees; 256 in a full run
steps = 90  # of each specialist's training
training_sizes = [1, 2, 6]  # people; the last one is that of all other comparisons
n_validation = 2  # people who select the best step; they never report
n_test = 2  # people who report; with two, spreads are hints
slice_step = 4  # take every n-th slice for training and for all but volume scores
volume_step = 3  # the same for volume scores; more than 1 is no volume any more
tuning_steps = 18  # of SAM's mask decoder, four slices each
nnunet_kinds = ["2d", "2d + boxes"]  # also "3d_fullres"; [] leaves nnU-Net out
nnunet = {"length": [4, 10], "hours": 0, "patch": [128, 128], "features": 8}  # explained there
seed = 0  # of every training
results = "../results"  # folder with results of longer runs, if there are any
output = "../output"  # folder for tables, figures and nnU-Net's run

# %%
this = "07_compare_specialists"
dataset, *outside = mskseg.at_hand(datasets)
segmenters = [mskseg.load_segmenter(name, device=device) for name in mskseg.at_hand(models)]
segmenter = segmenters[0]
tables, figures = Path(output, "tables"), Path(output, "figures")
kinds = [(architecture, "box") for architecture in architectures] + [("unet", "none")]
*with_box, without = [
    specialists.SpecialistConfig(
        architecture=architecture,
        prompt=prompt,
        encoder=encoder,
        frame_px=frame_px,
        steps=steps,
        slice_step=slice_step,
        seed=seed,
        device=device,
    )
    for architecture, prompt in kinds
]
print(f"mskseg {mskseg.__version__}, {segmenters}, {segmenter.device}, seed {seed}")

# %% [markdown]
# ## Know who is compared
#
# Ma and colleagues (2024) set MedSAM beside *specialists*: a U-Net and a DeepLabV3+, one for each kind of image, trained for that alone. To be fair, they gave the specialists what MedSAM gets: the box, as one more input channel, one object at a time. Casali and colleagues (2025) set tuned SAM beside *nnU-Net*, which gets nothing but the image and finds everything itself.
#
# (A *U-Net* first shrinks an image and then enlarges it again, with short cuts between both halves. *DeepLabV3+* looks at each place at several distances at once. *resnet18* is the shrinking half, the encoder, of both. A *patch* is a piece of an image that is trained on; an *iteration* is one step of training.)
#
# Those are two different contests. We hold both, on the same people, slices and boxes. Unless you choose otherwise, **all is miniature**: a small SAM of our own, small encoders, minutes of training, drawn phantoms. Which curve is higher then says nothing about the published models. Where the *comparison* goes wrong is the same at every size.
#
# `lite_medsam`, if you name it, is a *published* model, but it is not MedSAM, and nobody says whether its training data held the scans of these people. "SAM" on this page then means that model.
#
# First a check that decides whether any of it means something: no person belongs to more than one group.

# %%
*fewer, train = [specialists.load_people(dataset, "train", n) for n in training_sizes]
validation = specialists.load_people(dataset, "validation", n_validation)
test = specialists.load_people(dataset, "test", n_test)
everyone = [*train.subjects, *validation.subjects, *test.subjects]
assert len(set(everyone)) == len(everyone)
pd.Series([train.subjects, validation.subjects, test.subjects], ["train", "validation", "test"])

# %% [markdown]
# **What you see**: three groups of people. The first trains, the second selects the best step, the third reports.
#
# ## Train with a box channel
#
# The network sees two channels: the grey image, and a mask that is 1 inside the box. Its answer is one object. Here is what it gets, and what it should answer.

# %% alt="The grey image, the box as a white rectangle on black, and the outline that the network should draw"
on_slice = evaluation.prompt_slice(test[0], mskseg.fullest_slice(test[0]), prompts.OracleBox())
label = on_slice.labels[0]
channel = prompts.fill_boxes(on_slice.prompts[label].boxes_xyxy, on_slice.references[label].shape)
channel_axes = display.montage([on_slice.case_slice] * 3, titles=["image", "box", "answer"])
channel_axes[1].images[0].set(data=channel, clim=(0, 1))
display.draw_label_map(channel_axes[2], on_slice.references[label], colours={1: "gold"}, fill=0.5)

# %% [markdown]
# **What you see**: a specialist with a box channel is *told* where the object is, as SAM is. Weights start at random. (Encoders that were trained on photographs exist, but they would have to be downloaded.) Beside the networks with a box we train an *automatic* one, which gets the image alone and has to name all tissues at once.
#
# > **Guess**: which gets the better Dice on the validation people?
# >
# > - **A**: the best one with a box
# > - **B**: the one without a box
# > - **C**: both the same, within 0.02

# %%
boxed = [specialists.train_specialist(train, validation, config) for config in with_box]
automatic = specialists.train_specialist(train, validation, without)
specialist = boxed[0]
learned = pd.concat(trained.history.assign(who=trained.name) for trained in [*boxed, automatic])

# %%
reached = learned.groupby("who")["validation_dice"].max()
ahead = reached.drop(automatic.name).max() - reached[automatic.name]
print(f"Answer: {'C' if abs(ahead) <= 0.02 else 'A' if ahead > 0 else 'B'}, by {ahead:+.2f}")
learned.pivot(index="step", columns="who", values="validation_dice").round(3)

# %% [markdown]
# **What you see**: Dice on the validation people, in the specialist's own small frame. The step with the best number is kept.
#
# ## Tune the promptable model
#
# The other side may learn too. SAM's mask decoder is tuned on the same people, in three short epochs (notebook 04).

# %%
tuning_config = specialists.short_tuning(tuning_steps, warm_up=5, slice_step=slice_step, seed=seed)
groups = [*fewer, train]
place = Path(output, "trainings", this)  # an interrupted training goes on from there
tunings = [
    finetuning.fine_tune(
        segmenter,
        people,
        validation,
        tuning_config,
        folder=place / f"{len(people.subjects)} people",
        cache=segmenter.cache,
    )
    for people in groups
]
tuned = [tuning.segmenter for tuning in tunings]
for model in tuned:
    model.cache = segmenter.cache  # the decoder was tuned: a slice is encoded once for all

# %%
compared = [*segmenters, tuned[-1], *boxed, automatic]
known = [*train, *validation]
on_validation = specialists.score_test_sets(
    compared[:-1], {"validation": validation}, trained_on=known, slice_step=slice_step
)
specialists.effort_table([tunings[-1], *boxed, automatic]).round(4)

# %% [markdown]
# **What you see**: what each side was given. The number of steps differs, and so does what a step is. SAM sees whole slices with several objects on each, and starts from what it learned before. A specialist starts from nothing, which takes a higher learning rate. So *equal effort* has no single meaning here. Each side kept the step that was best on the same validation people (`kept_step`; 0 means that tuning did not help).
#
# ## Test inside and outside
#
# *Inside* are other people of the same anatomy, site and sequence. *Another sequence* is the same people with another contrast. *Another site* is people whom the data set keeps apart for that. *Another data set* is by default another anatomy. A prompted model can be asked about tissues that it never saw; an automatic one has no word for them and is left out there.
#
# Each model gets two boxes: the tight one, and one that is wider on every side, since MedSAM and its relatives learned from boxes that were never smaller than the object (notebook 03).
#
# A longer run (`make results`) held this contest on vertebrae of real people: five from the training site, and five from another one. The other site also made another kind of image (water and fat, not T2), so a fall there is not due to the site alone. Its table comes first, with a row of the boxes alone, filled.

# %%
study = specialists.committed_results(results, "07_inside_outside*.csv")
print(study.origin)
long_run = study.rows.query("prompt == 'box'") if study else study.rows
filled = long_run.assign(segmenter="the box alone", dice=long_run.get("filled_box_dice"))
specialists.by_test_set(pd.concat([study.rows, filled])).round(3)

# %% [markdown]
# **What you see**: mean Dice of each model and box, at the training site (`inside`) and at the other one. The line above the table names the weights that it was made with. Without committed results there are no rows. Now the models and data that you have here.
#
# > **Guess**: who loses most Dice from inside to the farthest set, with tight boxes?
# >
# > - **A**: SAM as it is
# > - **B**: the first specialist with a box
# > - **C**: the box alone, a plain rectangle

# %%
tests = specialists.load_test_sets(test, sequences=other_sequences, datasets=outside, n=n_test)
print(f"trained on {dataset}; tested: {', '.join(tests)}")
reported = {k: tests[k] for k in ("inside", "another site") if k in tests}
predicted = [*validation, *(case for cases in reported.values() for case in cases)]
far = list(tests)[-1]
seen = [case for cases in tests.values() for case in cases]
facts = mskseg.provenance(
    command=this, segmenter=segmenter, cases=seen, tuned=compared[1:], seed=seed
)
table = specialists.score_test_sets(
    compared, tests, trained_on=known, margins_px=[0, outward_px], slice_step=slice_step
)
evaluation.write_table(table, tables / "07_inside_outside.csv", provenance=facts)
specialists.by_test_set(table).round(3)

# %% alt="Dice of each model inside and on the test sets outside, one dot a model"
by_plan = evaluation.summarise(table, by=["test_set", "segmenter", "prompt", "box_source"])
by_set = by_plan[by_plan["box_source"].isin([prompts.OracleBox().box_source, "none"])]
wide = by_set.pivot(index="segmenter", columns="test_set", values="dice")[list(tests)]
of_boxes = by_set[by_set["segmenter"] == segmenter.name].set_index("test_set")
wide.loc["the box alone"] = of_boxes["filled_box_dice"]
lost = wide[far] - wide["inside"]
rows = [segmenter.name, specialist.name, "the box alone"]
numbers = ", ".join(f"{row} {lost[row]:+.3f}" for row in rows)
inside_outside = specialists.dot_rows(
    by_set,
    row="test_set",
    series="segmenter",
    spread="dice_sd",
    xlabel="Dice in the slice, tight oracle boxes (automatic: none)",
    title=f"Dice from inside to {far}:\n{numbers}",
)
display.save_figure(inside_outside, figures / "07_inside_outside.png", provenance=facts)
most = "".join(k for k, row in zip("ABC", rows, strict=True) if lost[row] < lost[rows].min() + 0.01)
print(f"Answer: {most} ({numbers}; less than 0.01 apart counts as equal).")
wide.round(3)

# %% [markdown]
# **What you see**: the first table has both boxes, the second table and the figure only the tight ones. The title says how three rows change from inside to the farthest set. The three were fixed beforehand; none was picked for its result.
#
# Compare each model with *the box alone* of the same column. Boxes of vertebrae are fuller than boxes of muscles, so a smaller loss may only mean easier boxes. Except for the other sequence, inside and outside are *different people*: the spread between people is part of the difference. And all phantoms come from *one generator*, so there the distance between inside and outside is our construction.
#
# ## Vary the number of training people
#
# Do more people help, and which model do they help more? An untuned model gives a flat line: it was never trained on these people.
#
# > **Guess**: from how many training people on is the specialist above the flat line?
# >
# > - **A**: from the fewest on
# > - **B**: from some number in between
# > - **C**: never, with the people that we have

# %%
smaller = [specialists.train_specialist(people, validation, with_box[0]) for people in fewer]
families = {
    f"{segmenter.name}, zero-shot": [segmenter] * len(groups),
    f"{segmenter.name}, tuned": tuned,
    specialist.name: [*smaller, specialist],
}
scores = specialists.score_families(families, training_sizes, test, slice_step=slice_step)
curves = evaluation.nested_mean(scores, by=["family", "n_train"])
curve_models = [*tuned, *smaller, specialist]
size_facts = mskseg.provenance(
    command=this, segmenter=segmenter, cases=test, tuned=curve_models, seed=seed
)
evaluation.write_table(curves, tables / "07_training_sizes.csv", provenance=size_facts)
heights = curves.pivot(index="n_train", columns="family", values="dice")[list(families)]
gained = (heights.iloc[-1] - heights.iloc[0])[list(families)[1:]]
crossed = specialists.crossings(curves, x="n_train", series="family")
crossed.round(2)

# %% alt="Dice over the number of training people for zero-shot SAM, tuned SAM and the specialist"
n_crossed = int(crossed["at"].notna().sum())
by_size = specialists.sweep_chart(
    curves,
    x="n_train",
    series="family",
    spread="dice_sd",
    level=("the box alone", wide.loc["the box alone", "inside"]),
    labels=("people to train on", "Dice in the slice, oracle boxes"),
    title=f"From {training_sizes[0]} to {training_sizes[-1]} people of {dataset}:\n"
    + ", ".join(f"{family} {round(gain, 2) + 0:+.2f}" for family, gain in gained.items()),
)
by_size.autoscale(axis="y")
display.save_figure(by_size, figures / "07_training_sizes.png", provenance=size_facts)
above = heights[specialist.name] > heights[next(iter(families))]
print(f"Answer: {'A' if above.iloc[0] else 'B' if above.any() else 'C'}.")

# %% [markdown]
# **What you see**: the title says how much more the most people gave than the fewest. A curve may also fall, since each point is one training with one seed. In the table, `at` is the number of people at which two curves cross (empty if they do not), and the last columns say who is ahead at either end. This describes what happened on the test people and selects nothing. With one seed and few people a crossing moves easily: the bars are the spread between people, and the spread between seeds is not measured.
#
# ## Run nnU-Net
#
# nnU-Net (Isensee 2021) looks at the data, plans its own network, and trains. It is the package itself, in a process of its own. We give it the patch, the iterations and the split. We switch mirroring off where labels name a side (*medial*, *lateral*), since mirroring would make those labels wrong. If a run is interrupted, run the same cell again and it continues. A second nnU-Net gets the filled boxes of the reference, a channel for each label, so that it is told what a prompted model is told.
#
# **When may a training be judged?** Our rule was written before any run. Take the Dice on patches of the validation people, averaged over 1000 iterations. If it is less than 0.005 above that of the 1000 before, the training has converged. Until then its name says *not converged*, and its score is not nnU-Net's. For a long run set `hours` above 0: the size `full` takes up to six for each of its four nnU-Nets, and goes on where it was interrupted.

# %%
runs = specialists.train_nnunets(
    train, validation, nnunet_kinds, nnunet, seed=seed, folder=place,
    device=segmenter.device.type, predict=predicted,
)  # fmt: skip
for run in runs[:1]:
    print(*[row for row in run.log.read_text("utf-8").splitlines() if ": epoch " in row], sep="\n")

# %% alt="Validation Dice over the iterations of each nnU-Net of this run and of longer ones"
longer = specialists.committed_results(results, "07_nnunet_curve*.csv")
learning = specialists.curve_chart(runs, longer.rows)
run_facts = mskseg.provenance(command=this, cases=known, tuned=runs, seed=seed)
display.save_figure(learning, figures / "07_nnunet_curve.png", provenance=run_facts)

# %%
epochs = specialists.learning_curves(runs).assign(dataset=dataset)
evaluation.write_table(epochs, tables / "07_nnunet_curve.csv", provenance=run_facts)
kept = specialists.committed_results(results, "07_finders*.csv")
print(longer.origin, kept.origin, sep="\n")
volumes = kept.rows.reindex(columns=["segmenter", "test_set", "volume_dice"])  # also of none
volumes.pivot_table("volume_dice", "segmenter", "test_set", sort=False).round(3)

# %% [markdown]
# **What you see**: the end of the log, and the curves. Longer runs from `results/` are drawn beside them if some are committed. The table comes from such a run: the Dice of the volume for models that find the structure by themselves, at the training site and at another one. A name without *not converged* means that the Dice had stopped rising. A training that has not converged shows that the pipeline is right, not what nnU-Net can do: its own training has 1000 epochs of 250 iterations.
#
# ## Choose who finds
#
# A *finder* is a model that needs no box; its boxes can be given to SAM. Which one? We take the best on the *validation* people, by the Dice of the whole volume. Below 0.5 we conclude nothing, since boxes around guesses say nothing about SAM. This floor too was set before the run.
#
# > **Guess**: who finds best on the validation people?
# >
# > - **A**: the U-Net
# > - **B**: the nnU-Net of this run
# > - **C**: neither reaches 0.5

# %%
found_by = {automatic: automatic.segment(predicted, progress=False)}
found_by |= {each: each.predict(predicted) for each in runs}
(finder, *others), informed = specialists.rank_all(found_by, validation, slice_step=volume_step)
found = specialists.score_found(found_by, reported, slice_step=volume_step)
print(f"Answer: {'C' if not finder.enough else 'A' if finder.name == automatic.name else 'B'}.")
specialists.finder_table([finder, *others, *informed], found).round(3)

# %% [markdown]
# **What you see**: the validation Dice of each, the finders first, and among them the best on top. `finding` is false for a model under the floor. It is scored below, but stands in no figure and in no conclusion. The columns after it are the Dice of the volume on the test people: `inside`, and at `another site` if the data have one. They select nothing.
#
# ## Close the leak
#
# A box from the reference tells a model three things that a finder must find by itself: *that* a structure is on this slice, *where*, and *how large*. So we compare several **arms**; an arm is a model together with where its boxes come from. All arms have one number in common: the Dice of the whole **volume**. It also counts every voxel that a model invents beyond the end of the structure.
#
# > **Guess**: what happens to tuned SAM when its boxes come from the finder?
# >
# > - **A**: nothing: it loses less than 0.02
# > - **B**: it falls, but stays above the finder alone
# > - **C**: it falls to the finder's level or below

# %%
arm_models = [tuned[-1], specialist, automatic, *runs]
arm_facts = mskseg.provenance(
    command=this, segmenter=segmenter, cases=predicted, tuned=arm_models, seed=seed
)
evaluation.write_table(found, tables / "07_finders.csv", provenance=arm_facts)
everything = specialists.score_arms(
    test,
    prompted=[tuned[-1], specialist],
    finders=[finder, *others],
    informed=informed,
    slice_step=volume_step,
)
evaluation.write_table(everything, tables / "07_arms.csv", provenance=arm_facts)
arms = specialists.arm_means(everything)
words = {"finding": "good enough", "n_beyond_end": "masks beyond the end"}
arms.set_index(["told", "arm"]).rename(columns=words).round(3)

# %% alt="Dice of the volume of the arms, those that are told where and those that find it themselves"
shown = arms[arms["finding"]]
conclusion = specialists.told_sentence(arms, tuned[-1], finder)
fair = specialists.dot_rows(
    shown,
    row="arm",
    series="told",
    value="volume_dice",
    spread="volume_dice_sd",
    xlabel="Dice of the volume",
    title=f"{conclusion} ({dataset}, people: {len(test.subjects)})",
)
display.save_figure(fair, figures / "07_arms.png", provenance=arm_facts)
of_arm = arms.set_index("arm")["volume_dice"]
given, own, alone = (
    of_arm.iloc[0],
    of_arm.get(f"{tuned[-1].name}, boxes of {finder.name}"),
    of_arm.get(f"{finder.name} alone"),
)
letter = "A" if given - own < 0.02 else "B" if own > alone else "C"
print(f"Answer: {letter if finder.enough else 'none, since no model finds enough'}.")

# %% [markdown]
# **What you see**: the title compares one model with itself: tuned SAM with the boxes of the reference, and with those of the finder. *SAM with reference boxes against a finder alone is not fair*, since one was told where the answer lies. Fair pairs have the same colour: arms that are told, or arms that find it themselves. *SAM with the finder's boxes* against *the finder alone* asks what SAM adds to a tool that you need anyway; SAM cannot recover a structure that the finder missed. A study that compares across colours measures the box.
#
# The table has every arm, the figure only those that are good enough. `masks beyond the end` counts masks on slices where the structure is not.
#
# Look at one slice of the first person.

# %%
case, fullest, predictions = test[0], on_slice.case_slice, finder.predictions
found_boxes = prompts.SpecialistBox(predictions.label_maps, finder.name)
with_own_boxes = evaluation.predict_slice(tuned[-1], case, fullest, prompts.OracleBox())
with_found_boxes = evaluation.predict_slice(tuned[-1], case, fullest, found_boxes)
by_finder = predictions.label_maps[case.name].slice(fullest.plane, fullest.index)

# %% alt="One slice: reference, SAM with reference boxes, SAM with the boxes of the finder, and the finder alone"
masks = {
    "tuned, boxes of the reference": {k: found.prediction for k, found in with_own_boxes.items()},
    "tuned, boxes of the finder": {k: found.prediction for k, found in with_found_boxes.items()},
    "the finder alone": {k: by_finder == k for k in predictions.labels},
}
title = f"{case.name}, slice {fullest.index}, finder: {finder.name}"
panels = specialists.boxes_and_predictions(on_slice, masks, title=title)
display.save_figure(panels[0], figures / "07_one_slice.png", provenance=arm_facts)

# %% [markdown]
# **What you see**: the reference with its boxes, then each answer with its mean Dice over the tissues. The reference is dashed. Look for structures that the finder joined or lost, and for what SAM makes of a box around such a mistake.
#
# ### Exercise 1: lose a case (5 minutes)
#
# Somebody's finder crashed on the first test person. What happens to the finder's mean if that person is dropped, and what if the person counts? *Hint: take `case.name` out of `left`. `score_label_maps` counts what is missing; to drop the person, leave `case` out of `test` as well.*

# %% tags=["exercise"]
left = dict(predictions.label_maps)  # remove the first person from it
crashed = evaluation.score_label_maps(
    finder.model, test, left, slice_step=volume_step, progress=False
)
evaluation.summarise(crashed)[["dice", "n_subjects", "n_pairs", "n_missing"]].round(3)

# %% tags=["solution"] jupyter={"source_hidden": true}
survivors = {name: found for name, found in predictions.label_maps.items() if name != case.name}
counted = evaluation.score_label_maps(
    finder.model, test, survivors, slice_step=volume_step, progress=False
)
evaluation.summarise(counted)[["dice", "n_subjects", "n_pairs", "n_missing"]].round(3)

# %% [markdown]
# **Discussion**: dropped, a crash costs nothing, and may even raise the mean if the hard case crashed. Counted as an empty mask it scores 0, and `n_missing` says why the mean fell. Both numbers are wrong in their way. Only the second cannot be raised by failing.

# %% [markdown] tags=["quiz"]
# ## Quiz
#
# **1.** What does the second input channel of the specialist hold?
#
# <details><summary>Answer</summary>
#
# A mask that is 1 inside the box and 0 elsewhere. The figure near the beginning shows it.
#
# </details>
#
# **2.** A paper sets SAM with reference boxes against nnU-Net without boxes. What does the difference measure?
#
# <details><summary>Answer</summary>
#
# Mostly the box: one side is told that the structure is there, where it is and how large. Compare arms of one colour in the figure of arms.
#
# </details>
#
# **3.** Why is the Dice of the volume stricter for a finder than the mean over slices that hold the structure?
#
# <details><summary>Answer</summary>
#
# It counts what was made up on slices where the structure is not. See `masks beyond the end` in the table of arms.
#
# </details>
#
# **4.** A specialist loses less on vertebrae than on muscles. Is it robust?
#
# <details><summary>Answer</summary>
#
# Not yet shown. Vertebrae fill their boxes better, so look at the box alone in the same column first.
#
# </details>
#
# **5.** An nnU-Net of a few minutes scores far below SAM. What may you conclude?
#
# <details><summary>Answer</summary>
#
# That it has not converged, and no more. Its name says so: by our rule, so few iterations cannot show convergence.
#
# </details>

# %% [markdown]
# ## Take-aways
#
# **If you remember one thing**: before you compare two models, ask what each was *told*.

# %%
selecting = evaluation.summarise(on_validation, by=["segmenter"]).set_index("segmenter")["dice"]
chosen, inside = selecting.idxmax(), wide.loc[selecting.index, "inside"]
higher = int((inside > inside[chosen]).sum())
efforts = specialists.effort_table([tunings[-1], specialist, automatic, *runs])
steps_of = "; ".join(f"{who} {n}" for who, n in efforts["steps"].items())
kind = "a miniature, not a published model" if segmenter.miniature else "a published model"
listed = "; ".join(f"{arm} {of_arm[arm]:.2f}" for arm in shown["arm"])
poor = [each.name for each in [finder, *others, *informed] if not each.enough]
left_out = "; ".join(poor) or "none"
grew = "; ".join(f"{family} {gain:+.2f}" for family, gain in gained.items())
moved = "; ".join(f"{row} {change:+.2f}" for row, change in lost.dropna().items())
Markdown(f"""SAM here is {segmenter.name}, {kind}; every specialist is small and trained for few steps.

- Of the models that get boxes, **{chosen}** has the highest Dice on the validation people ({selecting[chosen]:.2f}), who also selected each model's step. On the test people inside it has {inside[chosen]:.2f} (the box alone: {wide.loc["the box alone", "inside"]:.2f}), where {higher} of the other {len(inside) - 1} are higher.
- Steps of training: {steps_of}; what a step sees differs (see the table of efforts).
- Dice from inside to {far}: {moved}.
- From {training_sizes[0]} to {training_sizes[-1]} people: {grew}; {n_crossed} of {len(crossed)} pairs of curves cross.
- Dice of the volume, {len(test.subjects)} test people of {dataset}: {listed}. Under the floor and left out: {left_out}.
- {conclusion}.
""")

# %% [markdown]
# ## Limits
#
# - All is small: a model that was tuned for a few steps, specialists trained for minutes, and an nnU-Net whose name says whether it has converged. No distance here is evidence about Ma's or Casali's models.
# - Phantoms inside and outside are drawn by one generator. What a specialist loses outside is partly our construction.
# - There is one seed, and there are few people. Differences as small as those that Casali reports need many more of both (notebook 08).
# - Only nnU-Net 2-D runs here. `nnunet_kinds` adds the 3-D one, and `specialists.import_predictions` reads the results of a run done elsewhere.
# - With reference boxes, even the Dice of the volume hides one thing: nobody asks a prompted model about slices without the structure.

# %% [markdown]
# ## Next
#
# Notebook 08 asks whether these models know when they are wrong.
#
# - Ma et al., *Segment anything in medical images* (MedSAM), Nature Communications 2024, doi:10.1038/s41467-024-44824-z
# - Casali et al., *Exploring foundation models for multi-class muscle segmentation*, Computer Methods and Programs in Biomedicine 2025, doi:10.1016/j.cmpb.2025.109035
# - Isensee et al., *nnU-Net*, Nature Methods 2021, doi:10.1038/s41592-020-01008-z
