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
# Do more clicks, more pixels or more images of the same slice make a promptable model better, and how many seconds does a good mask cost a reader?
#
# *Deepening · 30 minutes to read and try, about 2 to run on two CPU cores · scans of real people and a published model if they are installed, then knee and thigh phantoms · previous notebook: 05_analyse_the_errors*

# %% [markdown]
# **What you will do**: repeat a liver study's sweeps (one setting varied at a time) on vertebrae, knees and thighs. Each number gets a spread between people, which the study does not show.
#
# **What you will learn**
# - to simulate a reader who corrects a mask, and to read a curve of Dice over clicks
# - to tell a coarser image from an encoder that runs at another size
# - to turn clicks into seconds, with every assumption on the table
# - to combine several images of one slice, and to tell their agreement from their accuracy
#
# **What you need**: notebooks 02 and 03, for prompts, predicted IoU, oracle boxes and Dice. No GPU, no internet. With internet, `mskseg data fetch spine_vertebrae` adds scans of real people.

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
from mskseg import display, evaluation, prompts
from mskseg_studies import prompting

# %% tags=["parameters"]
datasets = ["spine_vertebrae", "phantom_knee"]  # those that are here; real first
models = ["lite_medsam", "sam_vit_mini"]  # the same; the first that takes points gets the clicks
device = "auto"  # cuda, else mps, else cpu; or one of them
n_subjects = 2  # people of the test part
n_slices = 2  # of each person, evenly spread over those that show a tissue
n_points = 20  # most clicks on an object; the study's largest number
fine_px = 512  # pixels a side of the phantom that loses resolution; a published model: 1024
image_sizes = [56, 128, 256, 512]  # longest side in pixels; a published model: 224, 512, 1024
frame_sizes = [64, 128, 256, 512]  # of the encoder, in pixels; a published model: 224, 512, 1024
phases = {  # appendix: data sets whose images of one slice are combined, and which images
    "phantom_thigh": ["t1w", "dixon_opposed", "dixon_water", "dixon_fat"],  # T1-weighted and Dixon
}
n_people = 6  # appendix: people of the test part; a phantom has no more
phase_slices = 1  # appendix: of each of these people, from the middle
seed = 0  # of random points
output = "../output"  # folder for the tables and the figures

# %%
names = mskseg.at_hand(datasets)
loaded = [mskseg.load_segmenter(name, device=device) for name in mskseg.at_hand(models)]
take_points = [candidate for candidate in loaded if "point" in candidate.prompt_kinds]
clicker = [*take_points, mskseg.load_segmenter("sam_vit_mini", device=device)][0]
segmenter = loaded[0]
box_only = [each.name for each in loaded if "point" not in each.prompt_kinds]
if box_only:
    print(f"points go to {clicker.name}; these take boxes alone: {', '.join(box_only)}")
with_points = [prompts.OracleBox(), prompts.OraclePoint(n=10, seed=seed)]
plans = {segmenter: with_points[:1], clicker: with_points}
clicked_sets = prompting.first_and_drawn(names)
shown = clicked_sets[0]
tables, figures = Path(output, "tables"), Path(output, "figures")
print(f"clicks and resolution: {' and '.join(clicked_sets)}; pictures show {shown}")
print(f"mskseg {mskseg.__version__}, {loaded}, {segmenter.device}, seed {seed}")

# %% [markdown]
# ## Click and correct
#
# Hu and colleagues (2023) used SAM to segment liver tumours in CT. They varied the number of points and the resolution, one at a time. Each of their numbers is **one illustrated case**: no spread, no number of patients. That is a reason to measure, not a result to match. (Their nine numbers are in the appendix.)
#
# The study does not say where its points were put, nor whether anybody looked at a mask in between. So we simulate two readers.
#
# - **The reader who corrects** clicks the middle of the object and looks at the mask. The next click goes where the error is deepest: inside if something was missed, outside if something was added. With each click the model gets all clicks so far, and its own last mask.
# - **The careless reader** never looks. The points fall anywhere inside the object and are given all at once.
#
# The model that takes points is a **miniature** by default, and it saw no medical image. Whether *its* curve rises says nothing about SAM's. `lite_medsam`, if it is installed, is a *published* model, but it takes boxes alone.
#
# > **Guess**: after the most clicks, which gives the best mask?
# >
# > - **A**: the reader who corrects
# > - **B**: the careless reader
# > - **C**: a single box

# %%
cases = [case for name in clicked_sets for case in mskseg.load_some(name, n_subjects=n_subjects)]
counts = {*[n for n in prompting.HU_POINTS if n <= n_points], n_points}
curves = prompting.click_curves(clicker, cases, n_points=counts, n_slices=n_slices, seed=seed)
facts = mskseg.provenance(command="06_vary_points", segmenter=clicker, cases=cases, seed=seed)
evaluation.write_table(curves, tables / "06_clicks.csv", provenance=facts)

# %% alt="Dice over the number of points for a correcting and a careless reader, with the box as a line"
keys = ["dataset", "strategy", "n_points"]
all_means = evaluation.nested_mean(curves, by=keys, values=["dice", "best_dice"])
means = all_means[all_means["dataset"] == shown]
box, clicked = means[means["n_points"] == 0].iloc[0], means[means["n_points"] > 0]
readers = {"corrective": "reader who corrects", "random": "careless reader"}
last = clicked[clicked["n_points"] == n_points].set_index("strategy")["dice"]
by_clicks = prompting.sweep_chart(
    clicked.assign(reader=clicked["strategy"].map(readers)),
    x="n_points",
    series="reader",
    spread="dice_sd",
    level=("one box", box["dice"]),
    labels=("clicks or points on an object", "Dice, mean over people"),
    title=f"{shown}, {n_points} points:\n"
    + ", ".join(f"{readers[name]} {score:.2f}" for name, score in last.items()),
)
display.save_figure(by_clicks, figures / "06_clicks.png", provenance=facts)

# %%
ways = {"A": last["corrective"], "B": last["random"], "C": box["dice"]}
scores = ", ".join(f"{way} {score:.2f}" for way, score in ways.items())
best = " and ".join(way for way in ways if ways[way] > max(ways.values()) - 0.01)
print(f"Answer: {best} ({scores}; less than 0.01 apart counts as equal).")

# %% [markdown]
# **What you see**: mean Dice after so many clicks. Bars are standard deviations between people; tissues and slices are averaged first. The dashed line is one box around each piece of a tissue. More clicks are not always better: a model that saw few clicks in its training need not gain from many. Points that are given at once, and that nobody checks, can even harm.
#
# The correcting reader knows the reference, so part of what it gains is the reference.
#
# Move the slider: which tissues need more clicks, and which are never right? The tissues stay in the order of the last click. (The slider needs a kernel. Without one, look at the curves above, which average over tissues.)


# %%
def dice_after(clicks: int) -> object:
    corrected = curves[curves["strategy"] == "corrective"]
    means = corrected.pivot_table("dice", "tissue", "n_points").sort_values(n_points)[clicks]
    title = f"after {clicks} click{'s' if clicks > 1 else ''}"
    return means.plot.barh(xlim=(0, 1), xlabel="Dice", ylabel="", title=title)


prompting.picture_slider("clicks", range(1, n_points + 1), dice_after)

# %% [markdown]
# ### Exercise 1: compare at equal effort (10 minutes)
#
# To drag a box is to aim twice, so a box costs about as much as two clicks. "A box is the best prompt" is then a claim about *one box against two clicks*. The cell compares them on objects of one piece. After how many corrective clicks does the reader pass the box, if ever? *Hint: the rows with `n_points` 0 are the box; add more numbers to `isin`.*

# %% tags=["exercise"]
one_piece = curves[(curves["n_boxes"] == 1) & (curves["strategy"] != "random")]
equal_effort = one_piece[one_piece["n_points"].isin([0, 2])]  # add 3, 4, ...
evaluation.nested_mean(equal_effort, by=keys)[[*keys, "dice", "dice_sd"]].round(3)

# %% tags=["solution"] jupyter={"source_hidden": true}
by_effort = evaluation.nested_mean(one_piece, by=["dataset", "n_points"])
ahead = by_effort.pivot(index="n_points", columns="dataset", values="dice")
ahead.sub(ahead.loc[0]).drop(index=0).round(3)

# %% [markdown]
# **Discussion**: the table of the solution shows Dice after so many clicks minus the Dice of the box, so above 0 the reader is ahead. If no row is above 0, more clicks never pay off for *this* model. If some are, ask how many seconds they cost; the section on seconds does that.
#
# ### The race (10 minutes, for a group)
#
# Can you beat the reader who corrects? You get two minutes on a tissue of middling difficulty. The score is the Dice of your last mask less 0.01 for each point and each box. Press **start**, click or drag, and show Dice at the end. For the next group, change the name and run the cell again. (The guide in `notebooks/README.md` says how to lead a race. Without a kernel, read the simulated reader's line in the table.)

# %%
scan = cases[-1]
difficulty = curves[curves["dataset"] == scan.dataset].groupby("tissue")["dice"].mean()
middling = difficulty.sort_values().index[len(difficulty) // 2]
place = Path(output, "race", f"{scan.subject} {middling}")
race = prompting.Race(scan, middling, folder=place, reader="Group 1", segmenter=clicker)
race.canvas

# %%
race.leaderboard()

# %% [markdown]
# **What you see**: a row for each group that has set a prompt, and one for the simulated reader. It knows the reference, clicks where the error is deepest, and stops when a click gains less than it costs. Who beat it, and with a box or with points?
#
# ## Lose resolution in two ways
#
# "Resolution 224" can mean two things, and the study does not say which.
#
# - **The image is coarser.** Detail is gone, but the model enlarges the image to its own *frame* and works as always. The frame is the square that the model was trained with: 1024 pixels for SAM, 256 for our miniature.
# - **The encoder runs at another size.** The embedding has more or fewer cells than in training. Each cell covers less or more of the body, and the encoder never saw that scale.
#
# To have detail to lose, a phantom is drawn finer than the model's frame. A real scan is taken as it is. Prompts are boxes from the reference, and beside them 10 points for a model that takes points.
#
# > **Guess**: which loses more Dice between its best and its smallest size?
# >
# > - **A**: the coarser image
# > - **B**: the encoder at another size
# > - **C**: both the same, within 0.02

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
facts_fine = mskseg.provenance(
    command="06_vary_points",
    segmenter=clicker,
    tuned=[each for each in plans if each is not clicker],
    cases=[case for scans in fine.values() for case in scans],
    seed=seed,
)
evaluation.write_table(resolved, tables / "06_resolution.csv", provenance=facts_fine)
of_boxes = resolved[resolved["prompt"] == "box"]
sizes = evaluation.nested_mean(of_boxes, by=["dataset", "model", "reading", "size_px"])
sizes.pivot(index=["dataset", "model", "reading"], columns="size_px", values="dice").round(2)

# %% alt="Dice over resolution for a coarser image and for an encoder at another size"
own_px = clicker.preprocessing.image_size
in_sight = sizes[(sizes["dataset"] == shown) & (sizes["model"] == clicker.name)]
heights = in_sight.pivot(index="size_px", columns="reading", values="dice")
lost = heights.max() - heights.apply(lambda sizes_of: sizes_of.dropna().iloc[0])
by_size = prompting.sweep_chart(
    in_sight,
    x="size_px",
    series="reading",
    spread="dice_sd",
    x_scale="log",
    labels=("pixels a side", "Dice, boxes from the reference"),
    title=f"{shown}, {clicker.name} (own size {own_px}), lost at the smallest size:\n"
    + ", ".join(f"{reading} {loss:.2f}" for reading, loss in lost.items()),
)
display.save_figure(by_size, figures / "06_resolution.png", provenance=facts_fine)

# %%
more = lost[prompting.COARSER_IMAGE] - lost[prompting.OTHER_FRAME]
letter = "C" if abs(more) < 0.02 else "A" if more > 0 else "B"
print(f"Answer: {letter}. The title says what each of the two lost.")
changes = prompting.resolution_changes(resolved)
evaluation.write_table(changes, tables / "06_resolution_changes.csv", provenance=facts_fine)
changes.sort_values("change").drop(columns="miniature").head().round(3)

# %% [markdown]
# **What you see**: two curves for one word. An image that was shrunk has lost detail for good; that matters where a tissue is narrower than a pixel. An encoder at another size has lost nothing of the image, but works at a scale that it does not know. In the table of means, an empty place (NaN) is a size that was not possible: an image cannot be shrunk to more pixels than it has, and an encoder that is built for one size, such as LiteMedSAM's, runs at that one only. LiteMedSAM's two numbers at its own size differ because two programs shrank the image in two ways: even that can matter.
#
# The last table holds the five worst changes from a coarser to a finer size, with their intervals over people (`low` to `high`). The study's claim is that a finer image does *not always* help. For that, one pair of sizes has to exist at which the whole interval lies below zero. Whoever looks at many pairs finds one that falls by chance. So the intervals are made wider for the number of pairs (a *Bonferroni* correction).
#
# ### Pitfall: a size that does not fit

# %%
try:
    prompting.score_resolutions(clicker, fine[shown], image_sizes=[], frame_sizes=[own_px + 1])
except mskseg.InputError as error:
    assert "expected a frame of a multiple of" in str(error)
    print(error)
else:
    raise AssertionError("a frame that is no multiple of a cell was accepted")

# %% [markdown]
# ## Count the seconds
#
# Ma and colleagues (2024) let two experts annotate with MedSAM's help, and timed them. We can only estimate. The seconds of a click, of a box and of a millimetre of drawn outline stand in `Costs`, and all are **assumed**.
#
# Nobody knows beforehand whether clicks will succeed. So an object that they do not bring to the goal is drawn by hand *after* them, and costs both. The same holds for the box.
#
# > **Guess**: on how many tissues does clicking cost *more* time than drawing by hand?
# >
# > - **A**: on none
# > - **B**: on some, but no more than half
# > - **C**: on more than half

# %%
costs, goals = prompting.Costs(), (0.85, 0.9)
reached = {goal: prompting.clicks_to_reach(curves, dice=goal) for goal in goals}
by_tissue = {goal: prompting.time_saved(objects, costs=costs) for goal, objects in reached.items()}
saved = pd.concat(by_tissue, names=["goal"]).reset_index("goal")
evaluation.write_table(saved, tables / "06_effort.csv", provenance=facts)
costs

# %% alt="Seconds for an object of each tissue when it is drawn, clicked or boxed"
easier = by_tissue[goals[0]]
dearer = easier[easier["saved_by_clicks"] < 0]["tissue"]
seconds = prompting.seconds_chart(
    easier, title=f"Dice {goals[0]}: clicks cost time on {len(dearer)} of {len(easier)} tissues"
)
display.save_figure(seconds, figures / "06_effort.png", provenance=facts)

# %%
share = "A" if dearer.empty else "B" if len(dearer) <= len(easier) / 2 else "C"
print(f"Answer: {share}. On {len(dearer)} of {len(easier)}: {', '.join(dearer) or 'none'}.")

# %%
words = {
    "by_clicks": "reached by clicks",
    "by_box": "reached by the box",
    "saved_by_clicks": "time saved by clicks",
    "saved_by_box": "time saved by the box",
}
overall = {
    goal: prompting.time_saved(objects, costs=costs, by=["dataset"]).set_index("dataset")
    for goal, objects in reached.items()
}
our_savings = pd.concat(overall, names=["goal"])[[*words]].rename(columns=words)
experts = prompting.reported("ma_2024").set_index("quantity")["value"]
print(experts.map("{:.0%}".format).to_string(header=False))
our_savings.map("{:.0%}".format)

# %% [markdown]
# **What you see**: above, what the experts saved; below, shares of *our* objects that reach the goal, and the part of the drawing time that is saved. Below 0 the prompt *costs* time, since what fails is drawn anyway. One mean over all tissues, as published figures are, hides on which of them the time is lost: look at the figure. Ma's figure is of tumours, drawn by two experts with another model. Ours is of a simulated reader with assumed costs. Lay the two side by side; do not subtract them.
#
# ### Exercise 2: how slow may a click be? (5 minutes)
#
# A click is assumed to cost a second or two. At how many seconds does clicking save nothing any more, over all objects of a data set? *Hint: double `click_s` until a number falls below 0.*

# %% tags=["exercise"]
slower = prompting.Costs(click_s=2 * costs.click_s)  # double it again
with_slower = prompting.time_saved(reached[goals[0]], costs=slower, by=["dataset"])
with_slower[["dataset", "saved_by_clicks"]].round(2)

# %% tags=["solution"] jupyter={"source_hidden": true}
tried = {}
for click_s in (0.5, 1.5, 3, 6, 12):
    cost = prompting.Costs(click_s=click_s)
    sums = prompting.time_saved(reached[goals[0]], costs=cost, by=["dataset"])
    tried[click_s] = sums.set_index("dataset")["saved_by_clicks"]
pd.DataFrame(tried).rename_axis(columns="seconds for a click").round(2)

# %% [markdown]
# **Discussion**: where most objects are reached in a click or two, a click may be slow. Where half of them fail, even a fast click is time lost. The share that fails matters more than the seconds of a click.
#
# ---
#
# ## Appendix: combine several images of one slice
#
# The study's CT was taken in four *phases*, moments after contrast was injected. It asked SAM about each, and combined the answers. Ours are images that one examination of the thigh gives anyway: a T1-weighted one, and three of a **Dixon** scan (opposed phase, water, fat). They show the same anatomy in another contrast. Ask about each image with the same prompts, then average the probabilities, or take their maximum.
#
# > **Guess**: the average of all images, against the one image that is best for each person?
# >
# > - **A**: the average is better
# > - **B**: the average is worse
# > - **C**: these people are too few to tell

# %%
phase_cases = {
    name: prompting.load_phases(name, chosen, n_subjects=n_people)
    for name, chosen in phases.items()
}
combined = pd.concat(
    prompting.score_phases(clicker, scans, plans=with_points, n_slices=phase_slices)
    for scans in phase_cases.values()
)
of_phases = [case for scans in phase_cases.values() for case in scans]
facts_phases = mskseg.provenance(
    command="06_vary_points", segmenter=clicker, cases=of_phases, seed=seed
)
gains = prompting.phase_gains(combined)
evaluation.write_table(combined, tables / "06_phases.csv", provenance=facts_phases)
evaluation.write_table(gains, tables / "06_phase_gains.csv", provenance=facts_phases)
gains.drop(columns="miniature").round(3)

# %% alt="For each data set the Dice of each image, of their average and of their maximum, as bars"
phase_means = evaluation.nested_mean(
    combined[combined["prompt"] == "box"], by=["dataset", "phase"], values=["dice", "agreement"]
)
for name, rows in phase_means.groupby("dataset", sort=False):
    bars = prompting.phase_bars(rows, name=f"{name}, {clicker.name}")
    display.save_figure(bars, figures / f"06_phases_{name}.png", provenance=facts_phases)

# %%
against_best = "comparison == \"average less a person's best\" and prompt == 'box'"
row = gains.query(against_best).iloc[0]
verdict = "A" if row["low"] > 0 else "B" if row["high"] < 0 else "C"
print(
    f"Answer: {verdict}. Difference {row['change']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]."
)
singles = phase_means.dropna(subset="agreement")
singles[["dataset", "phase", "agreement", "dice"]].round(3)

# %% [markdown]
# **What you see**: the first table holds differences of Dice *within* a person, with their interval over people; where it reaches from below zero to above, there is no ranking. The maximum unites what any image shows, so it leaks where one of them leaks. The average asks for a majority. A person's best image is known only with a reference, so that comparison flatters the single image.
#
# The last table lays two things beside each other: how much the mask on one image overlaps with those on the others (`agreement`, which needs no reference), and Dice against the reference. Images can agree and be wrong together, since the same model makes the same mistake on each. High agreement is no proof. *Low* agreement is a warning that costs nothing.
#
# Last, the study's nine numbers, with our readers beside the first three. A study can take the best of three masks only because it knows the truth, and these columns do the same. Compare *directions*: do the numbers rise or fall from one setting to the next?

# %%
ours = clicked.pivot(index="n_points", columns="strategy", values="best_dice")
ours.index = ours.index.astype(str)
hu = prompting.reported("hu_2023").drop(columns="where").rename(columns={"dice": "Hu 2023, Dice"})
hu.join(ours.rename(columns=readers), on="setting").round(2).astype(object).fillna("")

# %% [markdown]
# **What you see**: in the study more points help, and more pixels *hurt*. A large, blurred tumour may gain from a small image, in which it fills more of each cell, while thin cartilage may lose. It may also be due to the one case that was shown. The size of the model is not tested here: a sweep needs more than one size.

# %% [markdown] tags=["quiz"]
# ## Quiz
#
# **1.** A paper shows one case that improves from 1 to 20 points. Which two things do you need to know before you believe that more points help?
#
# <details><summary>Answer</summary>
#
# A spread over people, and how the points were chosen (at random, or where the mask is wrong). The curve of the two readers shows how much the second matters.
#
# </details>
#
# **2.** Why is the simulated reader who corrects better than most people would be?
#
# <details><summary>Answer</summary>
#
# It knows the reference, so it always finds the deepest error. It never slips and never tires.
#
# </details>
#
# **3.** You shrink an image to a quarter, and the model enlarges it again. Which is the same as before: the detail, or the number of cells of the embedding?
#
# <details><summary>Answer</summary>
#
# The number of cells. The detail is lost. With the encoder at another size it is the other way round.
#
# </details>
#
# **4.** Clicks fail on half of the menisci. Why can clicking then take longer than drawing all of them?
#
# <details><summary>Answer</summary>
#
# What fails is drawn after all, so it costs the clicks *and* the outline. See the menisci in the figure of seconds.
#
# </details>
#
# **5.** The masks on four images of a slice agree almost perfectly. Is the mask right?
#
# <details><summary>Answer</summary>
#
# Not necessarily: one model can make the same mistake on each image. Compare the columns `agreement` and `dice` in the appendix.
#
# </details>

# %% [markdown]
# ## Take-aways
#
# **If you remember one thing**: ask *where* the points were put and *what happened when they failed*, before you ask how many there were.

# %%
corrective = clicked[clicked["strategy"] == "corrective"]
first, final = corrective.iloc[0], corrective.iloc[-1]
worst = changes.loc[changes["change"].idxmin()]
Markdown(f"""
- On {shown}, one click gives a Dice of {first["dice"]:.2f}, {final["n_points"]:.0f} corrective clicks {final["dice"]:.2f}, as many careless points {last["random"]:.2f}; a box gives **{box["dice"]:.2f}**.
- {clicker.name} with boxes, from its best to its smallest size: the coarser image loses {lost[prompting.COARSER_IMAGE]:.2f}, the encoder at another size {lost[prompting.OTHER_FRAME]:.2f}.
- Of {len(changes)} comparisons of two sizes, the finer was worse beyond chance in {(changes["high"] < 0).sum()}, better in {(changes["low"] > 0).sum()}.
- For a Dice of {goals[0]}, clicking costs time on {len(dearer)} of {len(easier)} tissues: {", ".join(dearer) or "none"}.
- Images of one slice agree with each other at {singles["agreement"].mean():.2f}, and with the reference at {singles["dice"].mean():.2f}: agreement is not accuracy.
""")

# %% [markdown]
# ## Limits
#
# - Points are given to a miniature unless you name another model. How many clicks it got in training was our choice.
# - There are few people, so even the spreads are uncertain. Two people are too few for a verdict on points.
# - Phantoms are drawn. The real vertebrae were resampled by those who shared them; detail finer than their pixels cannot be lost here.
# - The simulated reader knows the reference, and the costs are assumed.
# - The study's numbers are single cases of CT tumours. A step that agrees with one of them is an anecdote.

# %% [markdown]
# ## Next
#
# Notebook 07 sets the promptable model against specialists that need no prompt.
#
# - Hu et al., *When SAM Meets Medical Images: An Investigation of Segment Anything Model (SAM) on Multi-phase Liver Tumor Segmentation*, 2023, doi:10.48550/arXiv.2304.08506
# - Ma et al., *Segment anything in medical images*, Nature Communications 2024, doi:10.1038/s41467-024-44824-z
