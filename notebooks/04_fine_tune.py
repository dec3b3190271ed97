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
# *Core · 30 minutes to read and try, about 4 to run on two CPU cores · two built-in phantoms, or data sets of your own · previous notebook: 03_segment_zero_shot*

# %% [markdown]
# **What you will do**: tune a model by hand on one slice, then with the library on several subsets of the data, and print the table that says where each of them gained and where it lost.
#
# **What you will learn**
# - to write the loop of a training in ten lines: freeze, predict, loss, backward, step
# - to choose a training subset by anatomy, by sequence or by diversity, and to name the role of each scan for a tuned model
# - to tell four ways of tuning apart by what they train, what they cost and what they bring
# - to read a gain with its interval, and to refuse to read one that has none
# - to plan: how many people, and how sloppy may the boxes be?
#
# **What you need**: notebook 03. No GPU, no internet.

# %% tags=["colab"] jupyter={"source_hidden": true}
import subprocess
import sys

if "google.colab" in sys.modules:  # elsewhere this cell does nothing
    install = [sys.executable, "-m", "pip", "install", "--quiet"]
    subprocess.run([*install, "mskseg[workbook,train,lite]"], check=True)

# %%
from pathlib import Path

import pandas as pd
import torch
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
steps = 24  # of each training, at most
epochs = 2  # at most, each of an equal share of the steps; 35 is what the study did
patience = 0  # stop after so many epochs without a better validation Dice; 0: never
slice_steps = {"train": 8, "validation": 12, "test": 12, "inference": 4}  # take every n-th slice
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
# **Fine-tuning** means to go on training a model that was trained before, on a few examples of the task at hand. Hoyer and colleagues (2024) tuned SAM on seven subsets, chosen by anatomy, by sequence or by diversity, and on small "mini" sets. *Which scans each held is not public*: these subsets are our choice, made of the data sets in the parameters. Any data set with enough people for a split can be tuned on; one with fewer only reports.

# %%
chosen = tuning.choose_subsets(subsets, datasets)
focus = tuning.find_subset(studied, chosen)
print("studied further:", focus.name)
tuning.describe_subsets(chosen)

# %% [markdown]
# **What you see**: subsets of one anatomy each, of one kind of image across anatomies, and one with a bit of everything. All are tuned with the same number of people and steps, so "diverse" has fewer people of each anatomy, and two scans of each.
#
# People are split once: some train, others select the best epoch, a third group (`test`) reports: its Dice is the one that counts. An **epoch** is one round through the training slices. People of *another site* (other field strength, coil and noise) show how well the tuned model travels; their part is called `inference`. Each data set comes in its first sequence, and in all those that a subset trains on.

# %%
one_person = focus.load("train", n_subjects=1, progress=False)
try:
    finetuning.fine_tune(segmenter, one_person, one_person)
except mskseg.InputError as error:
    assert one_person.subjects[0] in str(error)
    print(error)
else:
    raise AssertionError("a person who trains was allowed to select")
reporting = {part: n_people[part] for part in ("test", "inference")}


def parts_with(*more: tuning.Subset) -> dict:
    """Scans that report, also in the sequences of further subsets."""
    return tuning.load_parts([*chosen, *more], datasets, n_of_part=reporting)


parts = parts_with()
scans = pd.DataFrame([(part, c.site, c.dataset, c.sequence) for part in parts for c in parts[part]])
scans.set_axis(["part", "site", "data set", "sequence"], axis=1).value_counts(sort=False).to_frame()

# %% [markdown]
# **What you see**: the message that refuses a person in two groups, then how many scans there are of each part, site, data set and sequence. To a tuned model each of them has a **role**. *Same site*: anatomy, sequence and site were trained on, but never this person. *Other sequence*, *other site*, *other anatomy*: what differs most gives the name.
#
# ## Tune by hand on one slice
#
# Before the library does it a hundred times, here is tuning in its simplest form. Take one slice of a training person, and one object with its box: the one on which the model does worst. We load the model a second time, since this copy will be changed.

# %%
pupil, lesson = mskseg.load_segmenter(models[0]), mskseg.fullest_slice(one_person[0])
answers = evaluation.predict_slice(pupil, one_person[0], lesson, tight).values()
in_one_piece = [each for each in answers if len(each.prompt) == 1]
hardest = min(in_one_piece, key=lambda each: evaluation.dice(each.reference, each.prediction))
print(f"{one_person[0].name}, slice {lesson.index}: {one_person[0].tissue(hardest.label)}")

# %% [markdown]
# The model answers with a **logit** for each pixel, a number above 0 where it says "inside"; the **sigmoid** turns it into a probability. The **loss** is what training makes small: here 1 minus Dice (of probabilities, so that it has a slope), plus **cross-entropy**, which is large where the model is sure and wrong. `backward` computes how the loss changes with each weight, and the **optimiser** moves each weight a little downhill. *Freezing* a weight keeps it as it is.
#
# > **Guess**: ten steps on one object of one slice. What happens to its Dice?
# >
# > - **A**: it rises by less than 0.05
# > - **B**: it rises by 0.05 or more
# > - **C**: it falls
#
# Run the loop once: each further run of its cell trains ten steps more.

# %%
with torch.no_grad():  # slice and box are encoded once, and never change
    tokens, dense = pupil.encode_prompts(hardest.prompt, lesson.image.shape)
    positions = pupil.model.prompt_encoder.get_dense_pe()
features, size = (
    pupil.embed(lesson.image).features.clone(),
    pupil.model.prompt_encoder.mask_input_size,
)
truth = torch.as_tensor(hardest.reference, device=pupil.device)[None]
preparing = pupil.preprocessing
target = finetuning.losses.targets_in_frame(truth, preprocessing=preparing, size=size)[0][0]
decoder = pupil.model.mask_decoder.requires_grad_(True)  # all else is loaded frozen
optimiser = torch.optim.AdamW(decoder.parameters(), lr=learning_rate)

# %%
for _step in range(10):
    masks, _ = decoder(features, positions, tokens, dense, multimask_output=False)
    logits = masks[0, 0]
    probability = logits.sigmoid()
    overlap, total = (probability * target).sum(), (probability**2 + target**2).sum()
    entropy = -(target * probability.log() + (1 - target) * (1 - probability).log()).mean()
    loss = 1 - (2 * overlap + 1e-5) / (total + 1e-5) + entropy
    of_library = finetuning.losses.dice_and_entropy(logits[None], target[None])[0]
    torch.testing.assert_close(loss, of_library, rtol=1e-3, atol=1e-3)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()

# %% alt="The slice with the object before and after ten steps: reference dashed, prediction solid"
after = pupil.predict(pupil.embed(lesson.image), hardest.prompt).masks[0, 0]
two = [evaluation.dice(hardest.reference, mask) for mask in (hardest.prediction, after)]
letter_by_hand = "C" if two[1] < two[0] else "AB"[int(two[1] - two[0] >= 0.05)]
print(f"Answer: {letter_by_hand}. Dice {two[0]:.3f} before, {two[1]:.3f} after the loop.")
headings = [f"{when}: Dice {dice:.2f}" for when, dice in zip(("before", "after"), two, strict=True)]
by_hand_axes = tuning.before_and_after(hardest, after, titles=headings)

# %% [markdown]
# **What you see**: the same object before and after. The loss is computed twice in each step, once by hand and once by the library, and the two are asserted equal. (A mask may fall into pieces while its Dice rises: Dice counts pixels, not shape.) A model can always learn one slice by heart. The question is what that does to *other people*, and this slice cannot tell.
#
# ## Look at a longer run first
#
# More people, seeds and ways to tune take hours, so the tables of such a run are kept in `results/` (`make results`). They are of `spine_vertebrae`, people with manual masks: six of one site train, others of that site and ten people of another site report. Files that end in `phantom_spine` are the same on drawn spines: what would the drawing have made you expect? A **seed** starts the random numbers; runs with several seeds show what is chance.

# %%
tuned_on = mskseg.provenance(command="04_fine_tune", segmenter=segmenter, seed=seed)
print(tuning.longer_run(results, "cross_table", provenance=tuned_on))

# %% [markdown]
# **What you see**: mean gains in Dice at the same and at the other site. The lines above the table name the weights it comes from; *of other weights than this run* means a different model from the one you tune here, so compare within that table only. If no run is committed, one line says so. Now watch the same on a small scale.
#
# ## Watch one training
#
# The library does what you did by hand, on slices of several people. Boxes are drawn around the objects, and each side is moved by a new random amount each time. In mode *decoder* only the mask decoder learns: the image is encoded once and never again. A training ends when its epochs are over, or, with a `patience`, when the validation Dice has not risen for so many of them. The study stopped when nothing changed any more, or after 35 epochs.
#
# > **Guess**: when is the model best on the validation people, on whom it was not trained?
# >
# > - **A**: before any step
# > - **B**: after an epoch in between
# > - **C**: after the last epoch

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
letter_of_epoch = (
    "A" if not first.best_epoch else "BC"[int(first.best_epoch == first.history["epoch"].max())]
)
print(f"Answer: {letter_of_epoch}. {first}")

# %% [markdown]
# **What you see**: epoch 0 is before any step. The training loss says little: each epoch draws other slices and boxes, so it may even rise. The validation Dice decides which epoch is kept, and it may come down again. It comes from people in neither the training nor the test set. The last words of the printed line say why the training ended.
#
# ## Tune on every subset
#
# Each model is scored on all scans of its own data sets, and on the first sequence of the others. A warning may name tissues that the validation slices do not show: since only every n-th slice is taken, a thin one can be missed, and then it has no say in which epoch is kept.
#
# > **Guess**: a model was tuned on one anatomy only. What happens on the other one?
# >
# > - **A**: its Dice falls by more than the margin (0.01 if you did not change it)
# > - **B**: it stays within the margin
# > - **C**: it rises by more

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
elsewhere = by_role.get("other anatomy", pd.Series(dtype=float)).mean()
letter_of_role = "A" if elsewhere < -margin else "C" if elsewhere > margin else "B"
answer = f"{letter_of_role}. Mean gain on the other anatomy: {round(elsewhere, 3) + 0:+.3f}"
print(f"Answer: {'none, no other anatomy was scored' if pd.isna(elsewhere) else answer}.")
by_role.round(3)

# %% alt="Gain in Dice by tuning: training subsets in rows, evaluated data sets, sequences and parts in columns"
own, other = cross[cross["role"] == "same site"], cross[cross["role"] != "same site"]
gain_axes = tuning.gain_map(
    cross,
    title=f"Mean gain {own['gain'].mean():+.3f} on other people of the trained data, {other['gain'].mean():+.3f} elsewhere",
)
display.save_figure(gain_axes, figures / "04_gains.png", provenance=facts)

# %% [markdown]
# **What you see**: the table has the mean gain in Dice of each subset by role (empty or NaN where nothing was asked). Each cell of the map shows the gain over the zero-shot score of the same people. Framed cells are other people from the same data that the model was trained on. An asterisk marks a gain whose 95 % interval, from resampling *people*, leaves out zero. With fewer than five people behind a cell there is no interval, and a number without one is a hint. Among dozens of cells some asterisks come by chance: at 5 % error, one in twenty where nothing happened. So read rows and columns, not single cells.
#
# Hoyer 2024 writes that tuning improved Dice on the trained data "by 41-3 %", except on the thigh, and does not say whether it means Dice points or per cent of the Dice before. A tissue at 0.9 has little left to gain. That alone could explain an exception.
#
# ## See which tissues changed
#
# > **Guess**: on how many tissues does Dice rise?
# >
# > - **A**: on all
# > - **B**: on half or more
# > - **C**: on fewer than half

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

# %%
changed = tuning.tissue_changes(scores, focus.name)
evaluation.write_table(changed.reset_index(), tables / "04_tissues.csv", provenance=facts)
share_up = (changed["change"] > 0).mean()
print(f"Answer: {'A' if share_up == 1 else 'B' if share_up >= 0.5 else 'C'}. {share_up:.0%} rose.")
changed.round(3).drop(changed.index[3:-3])

# %% [markdown]
# **What you see**: on the slice, look whether borders between neighbours of equal brightness moved, and to which side. The table is for the model tuned on the studied subset, on all data that it was scored on. It has the three tissues that lost most (or gained least) and the three that gained most. The rest is in `04_tissues.csv`.
#
# ## Ask how many people it takes
#
# Ma 2024 shows that more training images help. Here each point is a training on so many people, scored on the same other people: of the same site, and of another one. The figure is of the longer run, if there is one; the table is of this run.
#
# > **Guess**: how much of the gain of all its people comes with the very first person?
# >
# > - **A**: less than half
# > - **B**: half to nine tenths
# > - **C**: more than nine tenths

# %%
by_size = tuning.tune_in_sizes(
    bench, segmenter, focus, config,
    sizes=training_sizes["curve"], seeds=seeds["curve"], parts=own_parts,
)  # fmt: skip
facts.update(describe_so_far())
evaluation.write_table(by_size, tables / "04_training_size.csv", provenance=facts)
enough = tuning.enough_people(by_size[by_size["role"] == "same site"], margin=margin)
curve = tuning.size_curve(by_size, cross[cross["training_subset"] == focus.name])
in_words = {"n_subjects": "people tuned on", "mean": "Dice", "std": "spread of seeds"}
curve.rename(columns=in_words)[["role", *in_words.values()]].round(3)

# %% alt="Dice over the number of people tuned on, a line for each model and site"
longer = tuning.committed_curve(results)
drawn = longer if len(longer) else curve.assign(model=segmenter.name)
drawn["line"] = drawn["model"] + ", " + drawn["role"]
of_first = drawn[drawn["line"] == drawn["line"].iloc[0]]["mean"].to_numpy()
by_one = (of_first[1] - of_first[0]) / (of_first[-1] - of_first[0])
letter_of_size = "A" if by_one < 0.5 else "C" if by_one > 0.9 else "B"
print(f"Answer: {letter_of_size}. {drawn['line'].iloc[0]}: {by_one:.0%} with the first person.")
size_axes = tuning.sweep_chart(
    drawn, x="n_subjects", series="line", value="mean", spread="std",
    labels=("people tuned on", "Dice, oracle boxes"),
    title=f"The first person brings {by_one:.0%} of what {drawn['n_subjects'].max()} bring",
)  # fmt: skip
size_axes.autoscale(axis="y")
display.save_figure(size_axes, figures / "04_training_size.png", provenance=facts)

# %% [markdown]
# **What you see**: 0 people is the model without tuning. Bars, where there are several seeds, are the standard deviation between trainings that differ in nothing but chance: a difference smaller than that is no difference. Seeds are not people, and do not count as people. The title and the answer are about the first line in the legend.
#
# ## Compare four ways to tune
#
# | mode | trains | who does so |
# |---|---|---|
# | decoder | the mask decoder | Casali 2025 |
# | lora | the decoder, and a small *low-rank* addition to each large matrix of the encoder: the product of a tall and a wide one, with few numbers | one way that Ma 2024 tried |
# | encoder_decoder | all but the prompt encoder | Ma 2024 (MedSAM), Casali 2025 |
# | full | everything | how Hoyer 2024 describes the tuning (the caption of her figure says that layers were frozen, and then names all parts as tuned) |
#
# Heads that no loss reaches (those of three masks and of the predicted IoU) stay as they are in every mode, so fewer weights train than the parts hold. All on the studied subset, with the same people and steps; the first mode also from MedSAM's sibling, which is Casali's question. Training everything risks *overfitting*: a model gets better on the people it was trained on, and not on others.
#
# > **Guess**: which way gains most on the test people?
# >
# > - **A**: the decoder alone
# > - **B**: lora
# > - **C**: one that trains the whole encoder

# %%
of_modes = training_sizes["modes"] or [n_train]
ways = [(segmenter, way, n, s) for n in of_modes for s in seeds["modes"] for way in modes]
ways += [(base, mode, n_train, seed) for base in segmenters[1:]]
by_mode = tuning.tune_in_ways(bench, focus, config, ways, parts=own_parts)
facts.update(describe_so_far())
evaluation.write_table(by_mode, tables / "04_modes.csv", provenance=facts)
best_way = by_mode[by_mode["base"] == segmenter.name].groupby("mode")["gain"].mean().idxmax()
print(f"Answer: {({'decoder': 'A', 'lora': 'B'}).get(best_way, 'C')}, {best_way}.")
read = {
    "gain": "gain",
    "gain_other_site": "gain, other site",
    "training_minus_test": "training minus test",
    "trainable_parameters": "weights that train",
    "seconds": "seconds",
}
by_mode.set_index(["base", "mode"])[[*read]].rename(columns=read).round(3)

# %%
longer_modes = tuning.committed_results(results, "04_modes*.csv").rows
in_columns = ["file", "base", "n_train", "mode", "gain", "gain_other_site", "seconds"]
longer_modes.reindex(columns=in_columns).rename(columns=read | {"n_train": "people"}).round(3)

# %% [markdown]
# **What you see**: `gain` is what tuning added on the test people. The second table is of the longer runs, if there are any, a file for each model and data set: is the best way at the same site also the best at the other? To *choose* a mode, take the validation Dice (in `04_modes.csv`), not this gain. *Training minus test* is how much better a model is on the people it was trained on. Use it to compare modes, but do not compare it with zero: the two groups are different people. Parameters, and in the longer runs seconds, differ by far more than Dice does (a short training spends its seconds on encoding and validation). Which of our two miniatures is the better start is our own doing.
#
# ## Draw sloppy boxes
#
# Tuned with tight boxes only, a model may learn that its box is exact. So tune once without jitter, and give all models tight and sloppy boxes.
#
# > **Guess**: which one loses most when boxes get sloppy?
# >
# > - **A**: the model without tuning
# > - **B**: the one tuned with jitter
# > - **C**: the one tuned without

# %%
without_jitter = tuning.replace(config, jitter_px=0.0)
neat = bench.tune(segmenter, focus, n_subjects=n_train, config=without_jitter)
plans = {"tight": tight, "sloppy": prompts.OracleBox(jitter_px=2 * jitter_px or 5.0, seed=seed)}
compared = {"not tuned": segmenter, "tuned with jitter": first, "tuned without": neat}

# %%
sloppy = tuning.dice_by_boxes(bench, compared, own_parts["test"], plans)
evaluation.write_table(sloppy.reset_index(), tables / "04_jitter.csv", provenance=facts)
print(f"Answer: {'ABC'[int(sloppy['lost'].argmax())]}, {sloppy['lost'].idxmax()}.")
print(tuning.longer_run(results, "jitter", provenance=tuned_on))
sloppy.round(3)

# %% [markdown]
# **What you see**: first the longer runs, if there are any, then the table of this one. Its last column is what sloppiness costs. Hoyer and Ma both tuned with jitter.
#
# After tuning there is one more thing to distrust: the **predicted IoU**, the model's opinion of its own mask (notebook 02). The studies' loss does not include it. So it stays an opinion about the masks of the model *before* tuning, and a tuned segmenter of ours gives NaN instead, unless you tune with `FineTuneConfig(keep_iou_loss=True)`.
#
# ### Exercise 1: choose a subset, predict, tune, look (15 minutes)
#
# Choose a training subset that was not tuned above: another sequence of a data set, or one data set with another number of people. Write down the gain that you expect for each role. Then tune, and look. *Hint: `tuning.Subset("mine", "sequence", (("phantom_thigh", "dixon_fat"),))` makes one of a single sequence, of one of the `datasets` above (mind the comma before the last two brackets). `[case.sequence for case in mskseg.load_some("phantom_thigh", n_sequences=None)]` lists the sequences of a data set. `mskseg.datasets.list_subjects("phantom_thigh", part="train")` lists who can train; if you ask for more people, you get only these. A role without any scan shows NaN.*

# %% tags=["exercise"]
mine, my_people = focus, n_train  # replace: your subset, and how many people train
my_guess = {"same site": 0.0, "other sequence": 0.0, "other site": 0.0, "other anatomy": 0.0}
my_model = bench.tune(segmenter, mine, n_subjects=my_people, config=config)
my_scores = pd.concat([bench.score(m, parts_with(mine)) for m in (segmenter, my_model)])
found = tuning.cross_table(my_scores, seed=seed).groupby("role")["gain"].mean()
pd.DataFrame({"guessed": my_guess, "found": found}).round(3)

# %% tags=["solution"] jupyter={"source_hidden": true}
last = mskseg.load_some(focus.datasets[0], n_subjects=1, n_sequences=None)[-1]
unusual = tuning.Subset(last.sequence, "sequence", ((last.dataset, last.sequence),))
odd_one = bench.tune(segmenter, unusual, n_subjects=1, config=config)
its_scores = [bench.score(m, parts_with(unusual)) for m in (segmenter, odd_one)]
odd = tuning.cross_table(pd.concat(its_scores))
odd.groupby("role")[["dice_zero_shot", "gain"]].mean().round(3)

# %% [markdown]
# **Discussion**: compare how large the gains are before you compare their signs. A role that you expected to lose and that gained tells you more than a good guess. If you now change the subset because of what you saw, you have selected with the test people; a fair choice would look at the validation people only.

# %% [markdown] tags=["quiz"]
# ## Quiz
#
# **1.** Why do three groups of people take part, and not two?
#
# <details><summary>Answer</summary>
#
# One trains. One selects the epoch, so its Dice is a little too good. The third reports, and was never used to choose anything.
#
# </details>
#
# **2.** What does the optimiser change in mode *decoder*, and why is it fast?
#
# <details><summary>Answer</summary>
#
# Only the weights of the mask decoder. The encoder is frozen, so each slice is encoded once and its embedding is used again in every epoch. See the seconds of the longer runs.
#
# </details>
#
# **3.** A cell of the map says +0.03 without an asterisk, with two people behind it. What do you report?
#
# <details><summary>Answer</summary>
#
# A hint, with the number of people. With fewer than five there is no interval here, so nothing says whether chance alone could explain it.
#
# </details>
#
# **4.** Two trainings differ by 0.004, and seeds spread by 0.006. Which one is better?
#
# <details><summary>Answer</summary>
#
# Nobody knows. The difference is smaller than what chance alone makes of the same training.
#
# </details>
#
# **5.** Why does a tuned model give no predicted IoU here?
#
# <details><summary>Answer</summary>
#
# Its masks changed, and the loss did not train the head that rates them. The old opinion would be about another model's masks.
#
# </details>

# %% [markdown]
# ## Take-aways
#
# **If you remember one thing**: a gain counts only on people who neither trained nor selected, and beside what the model scored before.

# %%
best_mode, most = (
    by_mode.loc[by_mode["validation_dice"].idxmax()],
    curve[curve["role"] == "same site"],
)
sure = cross[cross["gain_low"] * cross["gain_high"] > 0]
Markdown(f"""
- By hand: ten steps on one object of one slice took its Dice from {two[0]:.2f} to {two[1]:.2f}.
- Tuning on {n_train} people changed Dice by **{own["gain"].mean():+.3f}** on other people of the same data (mean of {len(own)} cells), elsewhere by **{other["gain"].mean():+.3f}** ({len(other)} cells); {len(sure)} of {cross["gain_low"].notna().sum()} cells with an interval leave out zero.
- Of {len(by_mode)} ways to tune on {focus.name}, validation chose {best_mode["mode"]} from {best_mode["base"]}: {best_mode["dice"]:.3f} on the test people, with {best_mode["trainable_parameters"]:,} parameters that train.
- Tuned on {most["n_subjects"].max()} people: {most["mean"].iloc[-1]:.3f}; no tuning: {most["mean"].iloc[0]:.3f}. With {enough} of them, less than {margin:g} is left to gain.
- {drawn["line"].iloc[0]}, {"longer" if len(longer) else "this"} run: the first person brings {by_one:.0%} of the gain.
""")

# %% [markdown]
# ## Limits
#
# - By default these are miniatures on phantoms from one generator. Its "other site" differs less than hospitals do, or in other ways, and no number is evidence about SAM or MedSAM. The longer run has few people of two sites.
# - The trainings are short, on few people, and with one seed for most cells. The modes share one learning rate (step size), which may suit one of them better.
# - Oracle boxes: tuned and untuned models are both told where to look. What a model draws on slices without an object is a question of notebook 05.
# - The cells and subsets of the study are not public; ours have the same layout, not the same content.

# %% [markdown]
# ## Next
#
# Notebook 05 asks where the model errs: which tissues, which slices, what kinds of mistakes. Notebook 07 asks whether a small specialist, trained from nothing on the same people, would have done as well.
#
# - Hoyer et al., *Towards a Generalizable Foundation Model for Multi-Tissue Musculoskeletal MRI Segmentation*, ISMRM 2024, 0651, doi:10.58530/2024/0651
# - Ma et al., *Segment anything in medical images*, Nature Communications 2024, doi:10.1038/s41467-024-44824-z
# - Hu et al., *LoRA: Low-Rank Adaptation of Large Language Models*, 2021, doi:10.48550/arXiv.2106.09685
