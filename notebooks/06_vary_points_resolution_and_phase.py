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
# # Vary points, resolution and phase
#
# Do more clicks, more pixels or more images of the same slice make a promptable model better, and what does a good mask cost a reader?
#
# *About 3 minutes on two CPU cores · scans of real people and a published model where they are here, then knee and thigh phantoms · previous notebook: 05_analyse_the_errors*

# %% [markdown]
# **What you will do**: repeat the sweeps of a study on livers with vertebrae, knees and thighs, each with a spread that the study does not show, and lay your table beside its numbers.
#
# **What you will learn**
# - to simulate a reader who corrects a mask, and to read a curve of Dice over clicks
# - to tell a coarser image from an encoder that runs at another size
# - to say when a sweep is no sweep
# - to combine several images of one slice, and to tell their agreement from their accuracy
# - to turn clicks into seconds, with every assumption on the table
#
# **What you need**: notebooks 02 and 03, for prompts, predicted IoU, oracle boxes and Dice. No GPU, no internet. With internet, `mskseg data fetch` adds real scans: `spine_vertebrae` with a reference, and `qmritools_dixon`, a pair of images without.

# %% tags=["colab"] jupyter={"source_hidden": true}
import subprocess
import sys

if "google.colab" in sys.modules:  # elsewhere this cell does nothing
    install = [sys.executable, "-m", "pip", "install", "--quiet"]
    subprocess.run([*install, "mskseg[workbook,train,lite]"], check=True)

# %%
from itertools import pairwise
from pathlib import Path

import pandas as pd
from IPython.display import Markdown

import mskseg
from mskseg import display, evaluation, prompts
from mskseg_studies import prompting

# %% tags=["parameters"]
datasets = ["spine_vertebrae", "phantom_knee", "phantom_thigh"]  # those that are here; real first
models = ["lite_medsam", "sam_vit_mini"]  # the same; for a sweep of size "sam_vit_b", "sam_vit_l"
device = "auto"  # cuda, else mps, else cpu; or one of them
n_subjects = 2  # people of the test part
n_slices = 2  # of each person, evenly spread over those that show a tissue
n_points = 20  # most clicks on an object; the study's largest number
fine_px = 512  # pixels a side of the phantom that loses resolution; a published model: 1024
image_sizes = [56, 128, 256, 512]  # longest side in pixels; a published model: 224, 512, 1024
frame_sizes = [64, 128, 256, 512]  # of the encoder, in pixels; a published model: 224, 512, 1024
n_people = 6  # of the test part, whose images of one slice are combined; a phantom has no more
phase_slices = 1  # of each of these people, from the middle
phases = {  # data sets whose images of one slice are combined, and which; used beside those above
    "phantom_thigh": ["t1w", "dixon_opposed", "dixon_water", "dixon_fat"],  # T1-weighted and Dixon
    "phantom_knee": ["mese_te10", "mese_te30", "mese_te50", "mese_te70"],  # echoes, by their ms
}  # the last one is that of the exercise
real_pair = "qmritools_dixon"  # real water and fat images, if they were fetched; "" for none
echo_folder = ""  # folder of one multi-echo DICOM series of your own; "" for none
seed = 0  # of random points
output = "../output"  # folder for the tables and the figures

# %%
names = mskseg.at_hand(datasets)
loaded = [mskseg.load_segmenter(name, device=device) for name in mskseg.at_hand(models)]
take_points = [candidate for candidate in loaded if "point" in candidate.prompt_kinds]
clickers = take_points or [mskseg.load_segmenter("sam_vit_mini", device=device)]
segmenter, clicker = loaded[0], clickers[0]
box_only = [each.name for each in loaded if "point" not in each.prompt_kinds]
if box_only:
    print(f"points go to {clicker.name}, for these take boxes alone: {', '.join(box_only)}")
with_points = [prompts.OracleBox(), prompts.OraclePoint(n=10, seed=seed)]
plans = {clicker: with_points, segmenter: with_points[: 1 + (segmenter in clickers)]}
clicked_sets = prompting.first_and_drawn(names)
shown = clicked_sets[0]
in_picture, *others = prompting.models_for(shown, loaded, clicker)
print(f"clicks and resolution: {' and '.join(clicked_sets)}; pictures show {shown}")
tables, figures = Path(output, "tables"), Path(output, "figures")
print(f"mskseg {mskseg.__version__}, {loaded}, {segmenter.device}, seed {seed}")

# %% [markdown]
# ## Read what the study reports
#
# Hu and colleagues (2023) asked SAM for liver tumours in CT. Each slice was imaged in four *phases*, moments after contrast was injected. They varied three things one at a time: the number of points (at 1024 pixels), the resolution (with 10 points), and the size of the model (with 20 points at 224 pixels). SAM gives several masks for a prompt; the study reports "one of the superior" ones, that is, one chosen with the truth in sight.

# %%
study = prompting.reported("hu_2023")
study.drop(columns="where")

# %% [markdown]
# **What you see**: nine numbers, and each is **one illustrated case**. No spread, no number of patients, and the three sweeps show different cases. They are a reason to measure, not a result to match. What takes points here, unless you name another model, is a **miniature** that saw no medical image: whether *its* curves rise says nothing about SAM's. `lite_medsam`, where it is installed, is a *published* model that takes boxes alone; it speaks for itself and not for MedSAM, and whether its training data held the scans of real people is not known. Real people come first; phantoms, which are drawn, come after them.
#
# ## Click and correct
#
# The study does not say where its points were put, nor that anybody looked at a mask in between. We simulate two readers. The **corrective** one clicks the middle of the object, looks at the mask, clicks where the error is deepest (inside if something was missed, outside if something was added), and so on; with each click the model gets all clicks so far and its own last mask. The **random** one never looks: it puts its points anywhere inside the object and gives them all at once.
#
# > **Guess**: which reader is better after many clicks, and is either better than a single box?

# %%
cases = [case for name in clicked_sets for case in mskseg.load_some(name, n_subjects=n_subjects)]
counts = {*[n for n in prompting.HU_POINTS if n <= n_points], n_points}
curves = prompting.click_curves(clicker, cases, n_points=counts, n_slices=n_slices, seed=seed)
facts = mskseg.provenance(command="06_vary_points", segmenter=clicker, cases=cases, seed=seed)
evaluation.write_table(curves, tables / "06_clicks.csv", provenance=facts)

# %%
answers, keys = ["dice", "rated_dice", "best_dice"], ["dataset", "strategy", "n_points"]
all_means = evaluation.nested_mean(curves, by=keys, values=answers)
means = all_means[all_means["dataset"] == shown]
box, clicked = means[means["n_points"] == 0].iloc[0], means[means["n_points"] > 0]
at_study = all_means[all_means["n_points"].isin(prompting.HU_POINTS)]
at_study[[*keys, *answers, "dice_sd", "n_subjects", "n_objects"]].round(2)

# %% alt="Dice over the number of points for a correcting and a careless reader, with the box as a line"
last_n = clicked["n_points"].max()
last = clicked[clicked["n_points"] == last_n].set_index("strategy")["dice"]
by_clicks = prompting.sweep_chart(
    clicked,
    x="n_points",
    series="strategy",
    spread="dice_sd",
    level=("its box", box["dice"]),
    labels=("points on an object", "Dice, mean over people"),
    title=f"{shown}, {last_n:.0f} points: "
    + ", ".join(f"{name} {score:.2f}" for name, score in last.items()),
)
display.save_figure(by_clicks, figures / "06_clicks.png", provenance=facts)

# %%
one_piece = curves[(curves["n_boxes"] == 1) & (curves["strategy"] != "random")]
all_efforts = evaluation.nested_mean(one_piece[one_piece["n_points"].isin([0, 2])], by=keys)
equal_effort = all_efforts[all_efforts["dataset"] == shown]
all_efforts[[*keys, "dice", "dice_sd", "n_subjects", "n_objects"]].round(3)

# %% [markdown]
# **What you see**: three answers to the same points. `dice` is of the mask that is kept (the chart shows this one): after one point the highest rated of three, after more the single one, as SAM was trained. `rated_dice` asks for three masks every time and takes the one that the *model* rates highest; `best_dice` takes the one that *is* best, as the study did, which nobody can who does not know the truth already. Bars are standard deviations between people, tissues and slices averaged first. The dashed line is one box for each piece of a tissue.
#
# A model that was trained with few clicks need not gain from many, and one that was never shown twenty points inside one object may take them for something else. The correcting reader knows the truth, so part of what it gains is the truth.
#
# To drag a box is to aim twice, so a box costs about two clicks. "A box is best" is a claim about equal effort: the small table holds one box against two corrective clicks, on objects of one piece. With more clicks the reader may pass the box, or not: that is another question, and the last section puts seconds to it.
#
# ## Lose resolution in two ways
#
# "Resolution 224" can mean two things, and the study does not say which. The **image is coarser**: detail is gone, but the model enlarges the image to its own *frame* (the square that it was trained with: 1024 pixels for SAM, 256 for our miniature) and works as always. Or the **encoder runs on a frame of another size**: the number of cells of the embedding changes, and the encoder never saw that number. A vision transformer knows where a cell lies from *position embeddings*, a learned vector for each place, which have to be interpolated; our miniature is convolutional and has none. Above its own size an encoder sees more detail than it was trained on, below it less.
#
# To have detail to lose, a phantom is drawn finer than the model's frame; a real scan is taken as it is, without the sizes that it does not have. Prompts are oracle boxes and, for a model that takes points, 10 points beside them (the middle and nine at random), as in the study.
#
# > **Guess**: which of the two hurts more at a quarter of the model's own size?

# %%
fine = {
    name: prompting.load_fine(name, n_subjects=n_subjects, size_px=fine_px) for name in clicked_sets
}
resolved = pd.concat(
    prompting.score_resolutions(
        asked,
        scans,
        image_sizes=prompting.possible_sizes(scans, image_sizes),
        frame_sizes=prompting.possible_frames(asked, frame_sizes),
        plans=plans[asked],
        n_slices=n_slices,
    )
    for name, scans in fine.items()
    for asked in prompting.models_for(name, loaded, clicker)
)

# %%
of_size = ["dataset", "model", "prompt", "reading"]
sizes = evaluation.nested_mean(resolved, by=[*of_size, "size_px"])
in_sight = sizes[sizes["dataset"] == shown]
of_boxes = in_sight[(in_sight["prompt"] == "box") & (in_sight["model"] == in_picture.name)]
of_points = in_sight[(in_sight["prompt"] == "point") & (in_sight["model"] == clicker.name)]
facts_fine = mskseg.provenance(
    command="06_vary_points",
    segmenter=in_picture,
    tuned=others,
    cases=[case for scans in fine.values() for case in scans],
    seed=seed,
)
evaluation.write_table(resolved, tables / "06_resolution.csv", provenance=facts_fine)
sizes.pivot(index=of_size, columns="size_px", values="dice").round(3)

# %% alt="Dice over resolution for a coarser image and for an encoder at another size"
own_px = in_picture.preprocessing.image_size
by_size = prompting.sweep_chart(
    of_boxes,
    x="size_px",
    series="reading",
    spread="dice_sd",
    x_scale="log",
    labels=("pixels a side", "Dice, oracle boxes"),
    title=f"{shown}, {in_picture.name} (own size {own_px}):\none word, two experiments",
)
display.save_figure(by_size, figures / "06_resolution.png", provenance=facts_fine)

# %%
coarse = of_boxes[of_boxes["reading"] == prompting.COARSER_IMAGE].set_index("size_px")["dice"]
framed = of_boxes[of_boxes["reading"] == prompting.OTHER_FRAME].set_index("size_px")["dice"]
changes = prompting.resolution_changes(resolved)
evaluation.write_table(changes, tables / "06_resolution_changes.csv", provenance=facts_fine)
changes.sort_values("change").round(3)

# %% [markdown]
# **What you see**: two curves for one word. An image that was shrunk has lost detail for good, which matters where a tissue is narrower than a pixel. An encoder *below* its own size has fewer cells, and one cell covers more of the body; *above* it there is more detail to see, at a scale that it was not trained at. (An encoder that is built for one size, as LiteMedSAM's, stands there with that one.) Do not read its two numbers at its own size as one: its authors' code shrinks by areas, the images here were shrunk by a sharper box filter, and on two people whom we looked at that alone (not the crop, and not the whole-number boxes of its authors' code) gave better masks of the same vertebrae. In the table of means, NaN is a size that a reading was not asked for (a frame is a whole number of cells; an image cannot be shrunk to more pixels than it has).
#
# The last table compares every two sizes, the worst change on top. The study's claim is that a finer image does *not always* help: so *some* pair must exist of which the finer one is worse. Whoever looks at many pairs finds one that falls by chance, so the intervals are widened for the number of pairs (Bonferroni): all of one reading hold together. A pair counts where its whole interval is below zero; the claim is refuted where every interval rules out a loss that matters. One person gives no interval.
#
# ### Pitfall: a size that does not fit

# %%
pixels = clicker.preprocessing.image_size
try:
    prompting.score_resolutions(clicker, fine[shown], image_sizes=[], frame_sizes=[pixels + 1])
except mskseg.InputError as error:
    assert "expected a frame of a multiple of" in str(error)
    print(error)
else:
    raise AssertionError("a frame that is no multiple of a cell was accepted")

# %% [markdown]
# ## Change the size of the model
#
# The study's case rose from ViT-B to ViT-L and ViT-H, with 20 points at 224 pixels. Here every model of the list that takes points gets the corrective clicks of above, at its own size.

# %%
model_dice = {}
for other in clickers if len(clickers) > 1 else []:
    other_curves = prompting.click_curves(
        other, cases, n_points=[n_points], n_slices=n_slices, seed=seed
    )
    of_shown = other_curves[other_curves["dataset"] == shown]
    best = evaluation.nested_mean(of_shown, by=["strategy"], values=["best_dice"])
    model_dice[other.name] = best.set_index("strategy").loc["corrective", "best_dice"]
print(model_dice or f"not testable here: one model, {clicker.name}; a sweep of one is no sweep")

# %% [markdown]
# **What you see**: with the published checkpoints at hand (`models` in the parameters) this cell compares them. With one miniature it says so and stops: whether a larger SAM is a better SAM cannot be asked of a model that comes in one size.
#
# ## Combine phases
#
# The study's phases are moments after contrast was injected; it asked about each with points, and combined the answers. Ours are the images that one examination gives anyway, of every data set of the list that has several of a slice, and of phantoms where none has: of the thigh a T1-weighted one and three of a **Dixon** scan (opposed phase, water, fat), of the knee the **echoes** of a multi-echo scan, the same slice a few milliseconds later each time. All show the same anatomy in another contrast. Ask about each image of each person with the same box and, if the model takes points, the same ten points, then average the probabilities, or take their maximum.
#
# > **Guess**: will the average beat the best single image?

# %%
phase_cases = prompting.load_all_phases(names, phases, n_subjects=n_people)
combined = pd.concat(
    prompting.score_phases(asked, scans, plans=plans[asked], n_slices=phase_slices)
    for name, scans in phase_cases.items()
    for asked in prompting.models_for(name, loaded, clicker)
)
facts_phases = mskseg.provenance(
    command="06_vary_points",
    segmenter=clicker,
    tuned=[each for each in plans if each is not clicker and each.name in set(combined["model"])],
    cases=[case for scans in phase_cases.values() for case in scans],
    seed=seed,
)
evaluation.write_table(combined, tables / "06_phases.csv", provenance=facts_phases)
boxed = combined[combined["prompt"] == "box"]
phase_means = evaluation.nested_mean(
    boxed, by=["dataset", "model", "phase"], values=["dice", "agreement"]
)

# %% alt="For each data set the Dice of each image, of their average and of their maximum, as bars"
for (name, of_model), rows in phase_means.groupby(["dataset", "model"], sort=False):
    bars = prompting.phase_bars(rows, name=f"{name}, {of_model}")
    place = figures / f"06_phases_{name}_{of_model}.png"
    display.save_figure(bars, place, provenance=facts_phases)

# %%
gains = prompting.phase_gains(combined)
evaluation.write_table(gains, tables / "06_phase_gains.csv", provenance=facts_phases)
gains.round(3)

# %% [markdown]
# **What you see**: bars are means over people, with boxes; the table holds differences *within* a person, with their interval over people: where it reaches from below zero to above, there is no ranking. Each data set stands by itself, for people of one data set resemble each other. The maximum unites what any image shows, so it leaks where one leaks; the average asks for a majority. A person's best image is known only with a reference, so that comparison flatters the single image. The fair comparison is with the one that you would have chosen beforehand, on other people.
#
# ### Exercise 1: a vote of two images (10 minutes)
#
# Suppose that you may acquire two images only, such as two echoes of the knee. Which two would you average? Choose them on people of the *validation* part, and report the choice once, on the test people: the set that selects never reports. *Hint: `score_phases` takes any two images of a person; look at the row "average".*

# %% tags=["exercise"]
voted, images = list(phases.items())[-1]
practice = prompting.load_phases(voted, images, part="validation", n_subjects=min(n_people, 2))
chosen = images[:2]  # replace by the pair that you would acquire
pair = [case for case in practice if case.sequence in chosen]
of_pair = prompting.score_phases(clicker, pair, n_slices=phase_slices)
evaluation.nested_mean(of_pair, by=["phase"])[["phase", "dice", "n_subjects"]].round(3)

# %% tags=["solution"] jupyter={"source_hidden": true}
averages = {}
for two in (*pairwise(images), (images[0], images[-1])):
    votes = prompting.score_phases(
        clicker, [case for case in practice if case.sequence in two], n_slices=phase_slices
    )
    vote = evaluation.nested_mean(votes[votes["phase"] == "average"], by=["phase"])
    averages[two] = vote["dice"].iloc[0]
best_two = max(averages, key=averages.get)
print(pd.Series(averages, name="validation").sort_values(ascending=False).round(3).to_string())
of_test = prompting.load_phases(voted, best_two, n_subjects=n_people)
tested = prompting.score_phases(clicker, of_test, n_slices=phase_slices)
evaluation.nested_mean(tested, by=["phase"])[["phase", "dice", "dice_sd", "n_subjects"]].round(3)

# %% [markdown]
# **Discussion**: a vote helps where the voters err in different places. Neighbouring echoes look alike and err alike; distant ones differ, but one of the two may drag the other down. Compare your pair with its better single echo before you call it a gain. What was best on two people of the validation part need not be best on the test people: that is the price of choosing, and the number on the test people is the one to report.
#
# ## Agree without a reference
#
# On a real scan nobody may have drawn a reference. What remains is to ask whether the images **agree**: the same boxes on each, and the overlap of one image's mask with another's. The boxes are the model's own proposals on the first image (a grid of points, as in notebook 02). The last data set of above goes first, because there we can look at the truth as well. Real scans without a reference follow if they are here; of those with 0 images nothing is said.

# %%
real_scans = {
    "real legs, water and fat": prompting.load_fetched(real_pair),
    "real echoes": prompting.read_echoes(echo_folder) if echo_folder else (),
}
present = {name: scans for name, scans in real_scans.items() if scans}
print(*(f"{name}: {len(scans)} images" for name, scans in real_scans.items()), sep="\n")

# %% alt="Tables of agreement between images: of a person with a reference, and real scans where they are here"
known_name, known_cases = list(phase_cases.items())[-1]
of_one = [case for case in known_cases if case.subject == known_cases[0].subject]
in_one = {known_name: of_one} | present
agreements = {name: prompting.phase_agreement(clicker, scans) for name, scans in in_one.items()}
squares = prompting.agreement_chart(
    agreements, title="Overlap of two images' masks: agreement, not accuracy"
)
facts_scans = mskseg.provenance(
    command="06_vary_points",
    segmenter=clicker,
    cases=[case for scans in in_one.values() for case in scans],
    seed=seed,
)
display.save_figure(squares[0], figures / "06_agreement.png", provenance=facts_scans)

# %%
single_images = phase_means.dropna(subset="agreement")
both_ways = single_images.query("dataset == @known_name and model == @clicker.name")
single_images[["dataset", "model", "phase", "agreement", "dice"]].round(3)

# %% [markdown]
# **What you see**: the table is of the data sets with a reference, with their oracle boxes: how well each image agrees with the others, and with the truth. Images can agree and be wrong together: the same model makes the same mistake on each. High agreement is no licence; *low* agreement is a warning that costs nothing. Of scans without a reference only agreement is known, and it is never called Dice against truth here.
#
# ## Count the seconds
#
# Ma and colleagues (2024) let two experts annotate with MedSAM's help and timed them. We can only reckon: a click, a box and a millimetre of drawn outline cost what `Costs` says, all **assumed**. Nobody knows beforehand whether clicks will succeed, so an object that they do not bring to the goal is drawn by hand *after* them and costs both; the same holds for the box.
#
# > **Guess**: on which tissues will clicking cost more time than drawing?

# %%
costs, goals = prompting.Costs(), (0.85, 0.9)
reached = {goal: prompting.clicks_to_reach(curves, dice=goal) for goal in goals}
by_tissue = {goal: prompting.time_saved(objects, costs=costs) for goal, objects in reached.items()}
saved = pd.concat(by_tissue, names=["goal"]).reset_index("goal")
evaluation.write_table(saved, tables / "06_effort.csv", provenance=facts)
costs

# %%
reach_values = ["by_clicks", "clicks", "by_box"]
saved.pivot(index=["dataset", "tissue"], columns="goal", values=reach_values).round(2)

# %%
saved_values = ["saved_by_clicks", "saved_by_box"]
saved.pivot(index=["dataset", "tissue"], columns="goal", values=saved_values).map("{:.0%}".format)

# %% alt="Seconds for an object of each tissue when it is drawn, clicked or boxed"
easier = by_tissue[goals[0]]
cheaper = easier[easier["saved_by_clicks"] > 0]["tissue"]
seconds = prompting.seconds_chart(
    easier, title=f"Dice {goals[0]}: clicks save time on {len(cheaper)} of {len(easier)} tissues"
)
display.save_figure(seconds, figures / "06_effort.png", provenance=facts)

# %%
overall = {
    goal: prompting.time_saved(objects, costs=costs, by=["dataset"]).set_index("dataset")
    for goal, objects in reached.items()
}
shares = {
    (goal, name): prompting.share_reached(of_set)
    for goal, objects in reached.items()
    for name, of_set in objects.groupby("dataset", sort=False)
}
share_table = pd.DataFrame(shares).T.add_prefix("share_").rename_axis(["goal", "dataset"])
our_savings = pd.concat(overall, names=["goal"])[saved_values]
experts = prompting.reported("ma_2024").set_index("quantity")["value"]
print(experts.map("{:.0%}".format).to_string(header=False))
our_savings.join(share_table).map("{:.0%}".format)

# %% [markdown]
# **What you see**: `by_clicks` and `by_box` are the shares of objects (a tissue on a slice) that reach the goal, `clicks` the median number where they do, `saved_by_...` the part of the drawing time that is saved; below 0 prompting *costs* time, since what fails is drawn anyway. A mean over all tissues, as published figures are, hides on which of them the time is lost. Ma's figure is for tumours drawn by two experts with another model, ours for a simulated reader with assumed costs: the two may be laid side by side, not subtracted.
#
# ## Lay it beside the study
#
# Dice of single liver tumours and of other organs cannot be compared. Their *direction* can: from one setting to the next, does it rise or fall in both? A study's pixels are taken as a part of SAM's 1024, ours as the same part of our model's frame. Of ours, the data set that the pictures show is laid there.

# %%
beside = prompting.beside_hu(
    clicks=means, resolutions=of_points, models=model_dice, frame_px=pixels
)
evaluation.write_table(beside, tables / "06_beside_the_study.csv", provenance=facts)
beside.drop(columns="fixed").round(3)

# %% [markdown]
# **What you see**: `agrees` compares `our_step` with `study_step`. The study's *points* are laid beside both of our readers, for it does not say where it clicked; where a step disagrees, the kind of point may differ, or a miniature that was trained with few clicks has nothing more to gain. The study's *resolution* fell from 224 to 1024 pixels: a large, blurred tumour may gain from a small image, in which it fills more of each cell, while thin cartilage may lose. It may also be the one case that was shown. *Model size* is not testable here unless several published models are in the list.
#
# ## Take-aways

# %%
corrective = clicked[clicked["strategy"] == "corrective"]
first, final = corrective.iloc[0], corrective.iloc[-1]
Markdown(f"""
- On {shown}, one click: Dice {first["dice"]:.2f} (best of three {first["best_dice"]:.2f}); {final["n_points"]:.0f} corrective clicks: {final["dice"]:.2f}; a box: **{box["dice"]:.2f}**.
- At equal effort, on objects of one piece: {", ".join(f"{row.strategy} {row.dice:.2f}" for row in equal_effort.itertuples())} (the correcting reader has two clicks).
- {in_picture.name}, boxes, image shrunk from {coarse.index.max()} to {coarse.index.min()} pixels: {coarse.iloc[-1]:.2f} to {coarse.iloc[0]:.2f}; encoder at {framed.index.min()} instead of {framed.index.max()}: {framed.iloc[0]:.2f} instead of {framed.iloc[-1]:.2f}. Of {len(changes)} comparisons of two sizes, the finer was worse beyond chance in {(changes["high"] < 0).sum()}, better in {(changes["low"] > 0).sum()}.
- {clicker.name} on images of {known_name}, with boxes, from the best to the worst: {", ".join(f"{row.phase} {row.dice:.3f}" for row in phase_means.query("dataset == @known_name and model == @clicker.name").sort_values("dice", ascending=False).itertuples())}.
- Maximum less average, within a person: {"; ".join(f"{row.dataset}, {row.model}, {row.prompt} {row.change:+.3f} [{row.low:+.3f}, {row.high:+.3f}]" for row in gains.itertuples() if row.comparison == "maximum less average")}.
- Images of {known_name} agree with each other at {both_ways["agreement"].mean():.2f}, and with the truth at {both_ways["dice"].mean():.2f}: agreement is not accuracy.
- For a Dice of {goals[0]}, clicking saves time on {len(cheaper)} of {len(easier)} tissues: {", ".join(cheaper) or "none"}.
- Of {(beside["agrees"] != "").sum()} steps beside the study, {(beside["agrees"] == "yes").sum()} agree, {(beside["agrees"] == "no").sum()} do not, and {(beside["agrees"] == prompting.NOT_TESTABLE).sum()} are not testable here.
""")

# %% [markdown]
# ## Limits
#
# - Points are given to a miniature unless you name another model. Few people, so spreads are themselves uncertain, and two are too few for a verdict on points.
# - Phantoms are drawn. The real vertebrae were resampled by those who shared them: what is finer than their pixels nobody can lose here.
# - The simulated reader knows the reference, never slips and never tires; the costs are assumed.
# - The study's numbers are single cases of CT tumours; a step that agrees with them is anecdote beside measurement.
# - How often our miniature was clicked in its training was our choice; what more points do to it says nothing of SAM.
# - Agreement between images was looked at on one slice of each scan, on boxes that the model proposed.

# %% [markdown]
# ## Next
#
# Notebook 07 sets the promptable model against specialists that need no prompt.
#
# - Hu et al., *When SAM Meets Medical Images: An Investigation of Segment Anything Model (SAM) on Multi-phase Liver Tumor Segmentation*, 2023, doi:10.48550/arXiv.2304.08506
# - Ma et al., *Segment anything in medical images*, Nature Communications 2024, doi:10.1038/s41467-024-44824-z
