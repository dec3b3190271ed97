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
# *About 9 minutes on two CPU cores · thigh and spine phantoms, or any data set with a split · previous notebook: 06_vary_points_resolution_and_phase*

# %% [markdown]
# **What you will do**: train a U-Net, a DeepLabV3+ and the real nnU-Net beside SAM, and put all of them into one table.
#
# **What you will learn**
# - to give a specialist the same box that SAM gets, as an input channel
# - to test a model inside and outside of what it was trained on
# - to say from how many training subjects on a specialist pays
# - to run nnU-Net from a notebook, and to read its log
# - to find the leak in a comparison: what a box from the reference tells, and who is told
#
# **What you need**: notebooks 03 and 04. No GPU, no internet; `nnunetv2` comes with the test set-up. `mskseg run 07 --dataset spine_vertebrae --model lite_medsam` holds the same contests on people, once `mskseg data fetch spine_vertebrae` has brought those to train on.

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
frame_px = 96  # pixels; side of the square that a specialist sees; 256 in a full run
steps = 60  # of each specialist's training
training_sizes = [1, 2, 6]  # people; the last one is that of all other comparisons
n_validation = 2  # people who select the best step; they never report
n_test = 2  # people who report; with two, spreads are hints
slice_step = 4  # take every n-th slice for training and for all but volume scores
volume_step = 2  # the same for volume scores; more than 1 is no volume any more
tuning_steps = 24  # of SAM's mask decoder, four slices each
nnunet_kinds = ["2d"]  # "3d_fullres" is the other one; [] leaves nnU-Net out
nnunet = {"length": [4, 25], "hours": 0, "patch": [128, 128], "features": 8}  # explained there
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
# Ma and colleagues (2024) set MedSAM beside *specialists*: a U-Net and a DeepLabV3+, one for each kind of image, trained for that alone. To be fair, they gave the specialists what MedSAM gets: the box, as a binary mask in one more input channel, one object at a time. Casali and colleagues (2025) set tuned SAM beside *nnU-Net*, which gets nothing but the image and finds everything itself.
#
# Those are two different contests. We hold both, on the same people, slices, boxes and tables. Unless you choose otherwise, **all is miniature**: a small SAM of our own, small encoders, minutes of training, drawn phantoms. Which curve is higher then says nothing about the published models; where the *comparison* goes wrong is the same at every size. `lite_medsam`, if you name it, is a *published* model: it speaks for itself and not for MedSAM, and whether its training data held the scans of real people is not known. What these pages call SAM is then that model.
#
# First a check that decides whether any of it means something: nobody is in two parts.

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
# The network sees two channels: the grey image, and a mask that is 1 inside the box. Its answer is one object. Weights start at random: the package offers encoders that were trained on photographs, but they would have to be downloaded.
#
# > **Guess**: does the one without a box catch up with the one that has it?

# %%
boxed = [specialists.train_specialist(train, validation, config) for config in with_box]
automatic = specialists.train_specialist(train, validation, without)
specialist = boxed[0]
learned = pd.concat(trained.history.assign(who=trained.name) for trained in [*boxed, automatic])
learned.pivot(index="step", columns="who", values="validation_dice").round(3)

# %% [markdown]
# **What you see**: Dice on the validation people, in the specialist's own small frame. The *automatic* one has a harder task, all tissues at once without a box. The step with the best number is kept.
#
# ## Tune the promptable model
#
# The other side may learn too: SAM's mask decoder is tuned on the same people (notebook 04 is about how), in three short epochs with a rate that falls along a cosine.

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
# **What you see**: what each side was given. The steps differ, and so does a step: SAM sees whole slices with several objects on each, and starts from what it learned before; a specialist starts from nothing, which takes a higher rate. *Equal effort* has no single meaning here. Both kept the step that was best on the same validation people (`kept_step`; 0: tuning did not help). No learning rate was searched for here, so neither side is shown at its best.
#
# ## Test inside and outside
#
# *Inside*: other people, same anatomy, site and sequence. *Another sequence*: these people with another contrast. *Another site*: people whom the data set keeps apart, its part `inference`. *Another data set*: the further names in `datasets`, by default another anatomy. The column `role` says the same in words that fit every data set. A model that is prompted can be asked about tissues that it never saw; an automatic one has no word for them and is left out there.
#
# Further models of the list stand beside the first, zero-shot as well, and each model gets two boxes: the tight one, and one that is wider on every side, since MedSAM and its kin learned from boxes that were never tighter than tight (notebook 03).
#
# > **Guess**: who loses most on the way outside?
#
# A run of hours (`make results`) held this contest on vertebrae of real people, five of the site that trained and five of another one. Its table comes first.

# %%
study = specialists.committed_results(results, "07_inside_outside*.csv")
print(study.origin)
specialists.by_test_set(study.rows).round(3)

# %% [markdown]
# **What you see**: mean Dice of each model and box at the site that trained (`inside`) and at the other one, under whose weights the table is of; no rows where nothing is committed. Now by the models and data that you have here.

# %%
tests = specialists.load_test_sets(test, sequences=other_sequences, datasets=outside, n=n_test)
print(f"trained on {dataset}; tested: {', '.join(tests)}")
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
means = by_set.pivot(index="segmenter", columns="test_set", values="dice")[list(tests)]
of_boxes = by_set[by_set["segmenter"] == segmenter.name].set_index("test_set")
wide = means.copy()
wide.loc["the box alone"] = of_boxes["filled_box_dice"]
lost = wide[far] - wide["inside"]
rows = [segmenter.name, specialist.name, "the box alone"]
inside_outside = specialists.dot_rows(
    by_set,
    row="test_set",
    series="segmenter",
    spread="dice_sd",
    xlabel="Dice in the slice, tight oracle boxes (automatic: none)",
    title=f"Dice from inside to {far}:\n" + ", ".join(f"{row} {lost[row]:+.2f}" for row in rows),
)
display.save_figure(inside_outside, figures / "07_inside_outside.png", provenance=facts)
wide.round(3)

# %% [markdown]
# **What you see**: in the first table both boxes, in the second and the figure the tight ones only. The title says what zero-shot SAM, the first specialist and the box alone change from inside to the farthest set; those three were fixed beforehand, none was picked for its result. Ma and colleagues found specialists strong inside and weaker outside. Compare each model with *the box alone* of the same column, since boxes of vertebrae are fuller than boxes of muscles: a smaller loss may only mean easier boxes. Except for the other sequence, inside and outside are *different people*: their spread belongs to the difference. And all phantoms come from *one generator*, so the distance between inside and outside is our construction there.
#
# ## Vary the number of training people
#
# Do more people help, and whom do they help more? A zero-shot model is a flat line: it was never trained on these people.
#
# > **Guess**: from how many people on does the specialist overtake the flat line, if it does? And the tuned SAM?

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
    + ", ".join(f"{family} {gain:+.2f}" for family, gain in gained.items()),
)
display.save_figure(by_size, figures / "07_training_sizes.png", provenance=size_facts)

# %% [markdown]
# **What you see**: the title says what the most people brought over the fewest; a curve may also fall, since each point is one training with one seed. `at` is the number of people at which two curves cross (straight lines between the points; empty where they do not), and the last columns say who is ahead at either end, or *tie*. This describes what happened on the test people; it selects nothing, and a number of people to plan with would have to be chosen on others. With one seed and few people a crossing moves easily: the spread between people is drawn, the spread between seeds is not measured.
#
# ## Run nnU-Net
#
# nnU-Net (Isensee 2021) looks at the data, plans its own network, and trains. It is the package itself, in a process of its own; we give it patch, iterations and the split, and switch mirroring off where labels such as *medial* and *lateral* name a side, since a mirrored image would carry the wrong ones. A run that dies is resumed by the same call. A second one gets the filled boxes of the reference, a channel for each label: it is told what a prompted model is told. The parameter `nnunet` holds epochs and iterations of each (its own are 1000 and 250), the patch in pixels, and the features of the first stage (its own: 32).
#
# **When may a training be judged?** Our rule, written before any run: the Dice on patches of the validation people, averaged over 1000 iterations, is less than 0.005 above that of the 1000 before. Until then its name says *not converged*, and its score is not nnU-Net's. A long run lowers its learning rate at the first such plateau and ends at the second: `python -m mskseg_studies.specialists.nnunet phantom_thigh`, in the background; or `hours` above 0 here.

# %%
runs = specialists.train_nnunets(
    train, validation, nnunet_kinds, nnunet, seed=seed, folder=place, device=segmenter.device.type
)
for run in runs[:1]:
    print(*run.log.read_text(encoding="utf-8").splitlines()[-6:], sep="\n")
pd.Series({each.name: each.converged for each in runs}, name="converged")

# %% alt="Validation Dice over the iterations of each nnU-Net of this run and of longer ones"
longer = specialists.committed_results(results, "07_nnunet_curve_*.csv")
learning = specialists.curve_chart(runs, longer.rows)
run_facts = mskseg.provenance(command=this, cases=known, tuned=runs, seed=seed)
display.save_figure(learning, figures / "07_nnunet_curve.png", provenance=run_facts)
print(longer.origin)

# %% [markdown]
# **What you see**: the end of the log of the first, and the curves; a longer run from `results/` is drawn beside them where one is committed. What has not converged shows that the pipeline is right, not what nnU-Net can do: its own training has 1000 epochs of 250 iterations.
#
# ## Choose who finds
#
# A finder is a model that needs no box; its boxes can be given to SAM. Which one? We take the best on the *validation* people, by the Dice of the whole volume, and below 0.5 we conclude nothing: boxes around guesses say nothing about SAM. This floor too was set before the run.
#
# > **Guess**: U-Net or nnU-Net?

# %%
found_by = {automatic: automatic.segment([*validation, *test], progress=False)}
found_by |= {each: each.predict([*validation, *test]) for each in runs}

# %%
finders, informed = specialists.rank_all(found_by, validation, slice_step=volume_step)
finder, predictions, case = finders[0], finders[0].predictions, test[0]
probabilities = predictions.probabilities(case.name)
assert predictions.label_maps[case.name].shape == case.image.shape == probabilities.shape[1:]
specialists.finder_table([*finders, *informed]).round(3)

# %% [markdown]
# **What you see**: the validation Dice of each, the finders first, the best on top. `finding` is false where it is under the floor; such a model is scored below, and stands in no figure and no conclusion. A finder also gives probabilities of each tissue, on the grid of the image; notebook 08 needs them.
#
# ## Close the leak
#
# A box from the reference tells a model three things that a finder must find by itself: *that* a structure is on this slice, *where*, and *how large*. So here are several arms, and one number that all of them have: the Dice of the whole **volume**, in which every voxel counts that was made up where the structure has ended.
#
# > **Guess**: what becomes of SAM's Dice when its boxes come from the finder?

# %%
arm_models = [tuned[-1], specialist, automatic, *runs]
arm_facts = mskseg.provenance(
    command=this, segmenter=segmenter, cases=test, tuned=arm_models, seed=seed
)
everything = specialists.score_arms(
    test,
    prompted=[tuned[-1], specialist],
    finders=finders,
    informed=informed,
    slice_step=volume_step,
)
evaluation.write_table(everything, tables / "07_arms.csv", provenance=arm_facts)
arms = specialists.arm_means(everything)
arms.set_index(["told", "arm"]).round(3)

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

# %% [markdown]
# **What you see**: the title compares one model with itself, tuned SAM with the reference's boxes and with the finder's; for another finder, model or data set it is another number. *SAM with reference boxes against a finder alone is not fair*: one was told the answer's outline. Fair are the pairs within a colour: those that are told, and those that find it themselves. *SAM with the finder's boxes* against *the finder alone* asks what SAM adds to a tool that you need anyway, since it cannot recover a structure that the finder missed. A study that compares across colours measures the box.
#
# The table has every arm; the figure only those whose `finding` is true.
#
# Look at one slice of the first person.

# %%
fullest = mskseg.fullest_slice(case)
found_boxes = prompts.SpecialistBox(predictions.label_maps, finder.name)
on_slice = evaluation.prompt_slice(case, fullest, prompts.OracleBox())
with_own_boxes = evaluation.predict_slice(tuned[-1], case, fullest, prompts.OracleBox())
with_found_boxes = evaluation.predict_slice(tuned[-1], case, fullest, found_boxes)

# %% alt="One slice: reference, SAM with reference boxes, SAM with the boxes of the finder, and the finder alone"
by_finder = predictions.label_maps[case.name].slice(fullest.plane, fullest.index)
masks = {
    "tuned, boxes of the reference": {k: found.prediction for k, found in with_own_boxes.items()},
    "tuned, boxes of the finder": {k: found.prediction for k, found in with_found_boxes.items()},
    "the finder alone": {k: by_finder == k for k in predictions.labels},
}
title = f"{case.name}, slice {fullest.index}, finder: {finder.name}"
panels = specialists.boxes_and_predictions(on_slice, masks, title=title)
display.save_figure(panels[0], figures / "07_one_slice.png", provenance=arm_facts)

# %% [markdown]
# **What you see**: the reference with its boxes, then each answer with its mean Dice over the tissues; the reference is dashed. Look for structures that the finder joined or lost, and for what SAM makes of a box around such a mistake.
#
# ## Run into two walls
#
# Probabilities that do not sum to one are refused: they are logits, or sigmoids of overlapping regions, and every calibration made of them would be wrong. And a person in two parts is refused before anything is trained.

# %%
try:
    specialists.checked_probabilities(
        probabilities * 0.9, shape=probabilities.shape, what=case.name
    )
except mskseg.InputError as error:
    assert "expected 1" in str(error)
    print(error)
else:
    raise AssertionError("probabilities that do not sum to one were accepted")
try:
    specialists.train_specialist(train, train[:1], specialists.SpecialistConfig(steps=1))
except mskseg.InputError as error:
    assert "in train and in validation" in str(error)
    print(error)
else:
    raise AssertionError("a person in two parts was accepted")

# %% [markdown]
# ### Exercise 1: lose a case (5 minutes)
#
# Somebody's finder crashed on the first test person. What becomes of its mean if that person is dropped, and what if the person counts? *Hint: take a copy of `predictions.label_maps` without `case.name`; `score_label_maps` counts what is missing.*

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
# **Discussion**: dropped, a crash costs nothing and may even raise the mean, if the hard case crashed. Counted as an empty mask it scores 0, and `n_missing` says why the mean fell. Both numbers are wrong in their way; only the second cannot be won by failing.
#
# ### Exercise 2: widen the boxes (10 minutes)
#
# A finder's boxes are as tight as its mistakes. Does SAM do better if they are a little wider? Choose the margin on a *validation* person: one is enough to see what happens. *Hint: `SpecialistBox(..., margin_px=2)`.*

# %% tags=["exercise"]
wider = prompts.SpecialistBox(predictions.label_maps, finder.name)  # give it a margin
first_person = validation[:1]
tried = evaluation.score_cases(tuned[-1], first_person, prompts=wider, slice_step=volume_step)
evaluation.nested_mean(evaluation.volume_table(tried), by=["box_source"], values=["volume_dice"])

# %% tags=["solution"] jupyter={"source_hidden": true}
margins = [
    prompts.SpecialistBox(predictions.label_maps, finder.name, margin_px=margin)
    for margin in (0, 2, 4)
]
widened = evaluation.score_cases(tuned[-1], first_person, prompts=margins, slice_step=volume_step)
evaluation.nested_mean(evaluation.volume_table(widened), by=["box_source"], values=["volume_dice"])

# %% [markdown]
# **Discussion**: a margin helps where the finder cut something off and hurts where its box was right. Choosing it on the test people would be a leak of its own; the validation people are there for that.
#
# ## Take-aways

# %%
selecting = evaluation.summarise(on_validation, by=["segmenter"]).set_index("segmenter")["dice"]
chosen, inside = selecting.idxmax(), means.loc[selecting.index, "inside"]
higher = int((inside > inside[chosen]).sum())
efforts = specialists.effort_table([tunings[-1], specialist, automatic, *runs])
steps_of = "; ".join(f"{who} {n}" for who, n in efforts["steps"].items())
kind = "a miniature, not a published model" if segmenter.miniature else "a published model"
volume = shown.set_index("arm")["volume_dice"]
listed = "; ".join(f"{arm} {dice:.2f}" for arm, dice in volume.items())
left_out = "; ".join(each.name for each in [*finders, *informed] if not each.enough) or "none"
grew = "; ".join(f"{family} {gain:+.2f}" for family, gain in gained.items())
moved = "; ".join(f"{row} {change:+.2f}" for row, change in lost.dropna().items())
Markdown(f"""SAM here is {segmenter.name}, {kind}; every specialist is small and trained for few steps.

- Of the models that get boxes, **{chosen}** is best on the validation people ({selecting[chosen]:.2f}), who also selected each model's step. On the test people inside it has {inside[chosen]:.2f} (the box alone: {wide.loc["the box alone", "inside"]:.2f}), where {higher} of the other {len(inside) - 1} are higher.
- Steps of training: {steps_of}; what a step sees differs (see the table of efforts).
- Dice from inside to {far}: {moved}.
- From {training_sizes[0]} to {training_sizes[-1]} people: {grew}; {n_crossed} of {len(crossed)} pairs of curves cross.
- Dice of the volume, {len(test.subjects)} test people of {dataset}: {listed}. Under the floor and left out: {left_out}.
- {conclusion}.
""")

# %% [markdown]
# ## Limits
#
# - Small throughout: a model that was tuned for a few steps, specialists of minutes, and an nnU-Net whose name says whether it has converged. None of the distances here is evidence about Ma's or Casali's models.
# - Phantoms inside and outside are drawn by one generator; what a specialist loses outside is partly our construction.
# - One seed, few people. Differences as small as those that Casali reports need many more of both (notebook 08).
# - Only nnU-Net 2-D runs here; `nnunet_kinds` adds the other one, and `specialists.import_predictions` reads results of a run done elsewhere.
# - Volume Dice with reference boxes still hides that nobody asks a prompted model about slices without the structure.

# %% [markdown]
# ## Next
#
# Notebook 08 asks whether these models know when they are wrong.
#
# - Ma et al., *Segment anything in medical images* (MedSAM), Nature Communications 2024, doi:10.1038/s41467-024-44824-z
# - Casali et al., *Exploring foundation models for multi-class muscle segmentation*, Computer Methods and Programs in Biomedicine 2025, doi:10.1016/j.cmpb.2025.109035
# - Isensee et al., *nnU-Net*, Nature Methods 2021, doi:10.1038/s41592-020-01008-z
