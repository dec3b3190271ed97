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
# *About 2 minutes on two CPU cores, less on a GPU · knee and thigh phantoms · previous notebook: 03_segment_zero_shot*

# %% [markdown]
# **What you will do**: repeat the sweeps of a study on livers with knees and thighs, each with a spread that the study does not show.
#
# **What you will learn**
# - to simulate a reader who corrects a mask, and to read a curve of Dice over clicks
# - to tell a coarser image from an encoder that runs at another size
# - to say when a sweep is no sweep
# - to combine several images of one slice, and to compare the result with the best single one
# - to turn clicks into seconds, with every assumption on the table
#
# **What you need**: notebooks 02 and 03. No GPU, no internet.

# %%
from itertools import pairwise
from pathlib import Path

import pandas as pd
from IPython.display import Markdown

import mskseg
from mskseg.data import phantom
from mskseg.data.selection import load_some
from mskseg.display import plots
from mskseg.evaluation import write_table
from mskseg.evaluation.clicks import click_curves
from mskseg.evaluation.effort import Costs, clicks_to_reach, share_reached, time_saved
from mskseg.evaluation.nested import nested_mean
from mskseg.evaluation.phases import make_echoes, score_phases
from mskseg.evaluation.reported import reported
from mskseg.evaluation.resolutions import COARSER_IMAGE, score_resolutions
from mskseg.models.resolution import at_frame_size
from mskseg.provenance import provenance

# %% tags=["parameters"]
dataset = "phantom_knee"  # of the manifest; scored over its first sequence
models = ["sam_vit_mini"]  # a sweep of model size needs several, such as "sam_vit_b", "sam_vit_l"
model = ""  # one model alone instead of that list; "" for the list
n_subjects = 2  # people of the test part
slice_step = 4  # take every n-th labelled slice
n_points = 20  # most clicks on an object; the study's largest number
image_sizes = [56, 128, 256, 512]  # longest side in pixels; a published model: 224, 512, 1024
frame_sizes = [64, 128, 256, 512]  # of the encoder, in pixels; a published model: 224, 512, 1024
seed = 0  # of random clicks
output = "../output"  # folder for the tables and the figures

# %%
segmenters = [mskseg.load_segmenter(name) for name in ([model] if model else models)]
segmenter = segmenters[0]
tables, figures = Path(output, "tables"), Path(output, "figures")
costs = Costs()
print(f"mskseg {mskseg.__version__}, {segmenters}, {segmenter.device}, seed {seed}")

# %% [markdown]
# ## Read what the study reports
#
# Hu and colleagues (2023) gave SAM liver tumours in CT with four contrast phases, and varied the number of points (at 1024 pixels), the resolution (with 10 points) and the size of the model (with 20 points at 224 pixels). Where several masks came back they took a superior one.

# %%
study = reported("hu_2023")
study

# %% [markdown]
# **What you see**: nine numbers, and each is **one illustrated case**. No spread, no number of patients, and the three figures may show different cases. They are a reason to measure, not a result to match. What we measure with is a **miniature** on phantoms: whether *its* curves rise says nothing about SAM's.
#
# ## Click and correct
#
# A simulated reader clicks the middle of the object, then the deepest place of the larger error, and so on; with each click the model gets all clicks and its own last mask. Beside it a careless reader, who clicks anywhere inside.
#
# > **Guess**: which reader is better after 20 clicks, and is either better than a box?

# %%
cases = load_some(dataset, n_subjects=n_subjects)
how = {"slice_step": slice_step, "seed": seed}
curves = click_curves(segmenter, cases, n_points=range(1, n_points + 1), **how)
facts = provenance(command="04_vary_points", segmenter=segmenter, cases=cases, seed=seed)
write_table(curves, tables / "04_clicks.csv", provenance=facts)

# %%
means = nested_mean(curves, by=["strategy", "n_points"], values=["dice", "best_dice"])
box, clicked = means[means["n_points"] == 0].iloc[0], means[means["n_points"] > 0]
clicked[clicked["n_points"].isin([1, 5, 10, 20])].round(2)

# %% alt="Dice over the number of clicks for a correcting and a careless reader, with the box as a line"
by_clicks = plots.sweep_chart(
    clicked,
    x="n_points",
    series="strategy",
    spread="dice_sd",
    level=("its box", box["dice"]),
    labels=("clicks", "Dice"),
    title="Where one clicks matters more than how often",
)
plots.save_figure(by_clicks, figures / "04_clicks.png", provenance=facts)

# %% [markdown]
# **What you see**: `dice` is of the mask that the model rates highest; after one click, `best_dice` is of the best of its three, which nobody knows without the reference (the study's "superior mask"). Bars are standard deviations between people. A model that was trained with few corrections need not gain from many.
#
# ### Beside the study
#
# In the study's case 1, 5 and 20 points gave a rising Dice. Compare the *direction* here: if the line of the correcting reader rises it agrees, and if it falls behind the box then boxes beat points here, as the other studies say. The kind of click is not stated in the text at hand.
#
# ## Lose resolution in two ways
#
# "Resolution 224" can mean two things. The **image is coarser**: detail is gone, but the model enlarges it to its own frame and works as always. Or the **encoder runs at another size**: all detail that fits is there, but the number of cells changes, which the encoder never saw (a transformer's position embeddings have to be interpolated; ours is convolutional and has none). To have detail to lose, the knee is drawn at 512 pixels.
#
# > **Guess**: which of the two hurts more at a quarter of the size?

# %%
people = phantom.SPLIT["test"][:n_subjects]
fine = [phantom.make_phantom("knee", k, shape=(512, 512, 8)) for k in people]
both_sizes = {"image_sizes": image_sizes, "frame_sizes": frame_sizes}
resolved = score_resolutions(segmenter, fine, **both_sizes, slice_step=2)

# %%
sizes = nested_mean(resolved, by=["reading", "size_px"])
facts_fine = provenance(command="04_vary_points", segmenter=segmenter, cases=fine)
write_table(resolved, tables / "04_resolution.csv", provenance=facts_fine)

# %% alt="Dice over resolution for a coarser image and for an encoder at another size"
by_size = plots.sweep_chart(
    sizes,
    x="size_px",
    series="reading",
    spread="dice_sd",
    labels=("pixels", "Dice, oracle boxes"),
    title="The same word, two experiments",
)
plots.save_figure(by_size, figures / "04_resolution.png", provenance=facts_fine)

# %% [markdown]
# **What you see**: shrinking the image costs little until thin tissues vanish; running the encoder at a size that it was not trained for costs more. The study's case got *better* from 1024 to 224 pixels (0.54 to 0.84 with 10 points). With a large, blurred tumour a small image may do; with cartilage of two millimetres it does not. Read any claim about resolution with the object in mind.
#
# ### Pitfall: a size that does not fit
#
# An encoder's frame is a whole number of cells.

# %%
try:
    at_frame_size(segmenter, segmenter.preprocessing.image_size + 1)
except mskseg.InputError as error:
    assert "takes multiples of" in str(error)
    print(error)
else:
    raise AssertionError("a frame that is no multiple of a cell was accepted")

# %% [markdown]
# ## Change the size of the model
#
# The study's case rose from ViT-B to ViT-L and ViT-H, with 20 points at 224 pixels.

# %%
at_most = {"n_points": [n_points], "strategies": ["corrective"], **how}
sweep = {each.name: click_curves(each, cases, **at_most) for each in segmenters[1:] and segmenters}
for name, some in sweep.items():
    print(name, nested_mean(some, by=["strategy", "n_points"]).round(3).to_dict("records"))
if not sweep:
    print(f"not testable here: one model, {segmenter.name}. A sweep of one is no sweep.")

# %% [markdown]
# **What you see**: with the published checkpoints in `models` this cell compares them. With one miniature it says so and stops.
#
# ## Combine phases
#
# The study's phases are moments after contrast was injected. Ours are the images that one Dixon scan gives: water, fat, opposed phase, and a T1-weighted one; and the echoes of a multi-echo scan of the knee. All show the same slice. Ask about each, then average the probabilities, or take their maximum.
#
# > **Guess**: will the average beat the best single image?

# %%
thighs = load_some("phantom_thigh", n_subjects=1, n_sequences=4)
of_thigh = score_phases(segmenter, list(thighs), slice_step=slice_step)
echoes = make_echoes(people[0], (10, 30, 50, 70))
of_knee = score_phases(segmenter, echoes, slice_step=2)

# %%
both = pd.concat([of_thigh, of_knee])
facts_both = provenance(command="04_vary_points", segmenter=segmenter, cases=[*thighs, *echoes])
write_table(both, tables / "04_phases.csv", provenance=facts_both)

# %% alt="Dice of each image of the thigh, their average and their maximum"
of_dixon = nested_mean(of_thigh, by=["phase"])
bars = plots.ranked_bars(
    of_dixon, name="phase", title="Thigh: the images of one scan, alone and together"
)

# %% alt="Dice of each echo of the knee, their average and their maximum"
of_echo = nested_mean(of_knee, by=["phase"])
echo_bars = plots.ranked_bars(
    of_echo, name="phase", title="Knee: echoes of one scan, alone and together"
)

# %% [markdown]
# **What you see**: the maximum unites what any image shows, so it leaks where one leaks; the average asks for agreement. Which single image is best is known only with a reference: the fair comparison is with the one that you would have chosen. For a real scan without reference, `mskseg.evaluation.phases.phase_agreement` compares the images' masks with each other: agreement, never accuracy.
#
# ### Exercise 1: a vote of the echoes (10 minutes)
#
# Suppose that you may acquire two echoes only. Which two would you average? *Hint: `score_phases` takes any two of `echoes`; look at the row "average".*

# %% tags=["exercise"]
chosen = [echoes[0], echoes[1]]  # replace by the pair that you would acquire
pair = score_phases(segmenter, chosen, slice_step=2)
pair.groupby("phase", sort=False)["dice"].mean().round(3).to_frame()

# %% tags=["solution"] jupyter={"source_hidden": true}
averages = {}
for pair_of in pairwise(echoes):
    some_two = score_phases(segmenter, pair_of, slice_step=2).query("phase == 'average'")
    averages[" and ".join(each.sequence for each in pair_of)] = some_two["dice"].mean()
pd.Series(averages, name="Dice of the average").sort_values(ascending=False).round(3).to_frame()

# %% [markdown]
# **Discussion**: late echoes are dark and noisy, early ones bright and flat. Neighbouring echoes err in the same places, so averaging them gains little: votes help where errors differ.
#
# ## Count the seconds
#
# Ma and colleagues (2024) report that annotation with MedSAM's help took two experts 82 % less time. Whether clicks save time depends on what a click costs. We assume: a click, a box and a speed of drawing, all in `costs`; an object that clicks do not bring to the goal is drawn by hand *after* the clicks.

# %%
print(costs)
good = clicks_to_reach(curves, dice=0.85)
saved = time_saved(good, costs=costs)
saved.round(2)

# %%
share_reached(curves, goals=(0.85, 0.9)).round(2).to_frame()

# %% [markdown]
# **What you see**: `saved` is the part of the drawing time; below 0 clicking *costs* time, since what fails is drawn anyway. Bones repay it, thin tissues do not. A mean over all tissues, as published figures are, hides that.
#
# ## Take-aways

# %%
last = clicked[(clicked["strategy"] == "corrective")].iloc[-1]
one_click = clicked[(clicked["strategy"] == "corrective")].iloc[0]
coarse = sizes[sizes["reading"] == COARSER_IMAGE].set_index("size_px")["dice"]
ahead = saved[saved["saved"] > 0]["tissue"]
Markdown(f"""
- One click: Dice {one_click["dice"]:.2f} (best of three {one_click["best_dice"]:.2f}); {last["n_points"]:.0f} corrective clicks: {last["dice"]:.2f}; a box: **{box["dice"]:.2f}**.
- Shrinking the image from {coarse.index.max()} to {coarse.index.min()} pixels: {coarse.loc[coarse.index.max()]:.2f} to {coarse.loc[coarse.index.min()]:.2f}.
- Thigh, best single image {of_dixon.query("phase not in ('average', 'maximum')")["dice"].max():.3f}, average {of_dixon.query("phase == 'average'")["dice"].iloc[0]:.3f}, maximum {of_dixon.query("phase == 'maximum'")["dice"].iloc[0]:.3f}.
- Clicking saves time on {len(ahead)} of {len(saved)} tissues: {", ".join(ahead) or "none"}.
""")

# %% [markdown]
# ## Limits
#
# - A miniature on phantoms; few people, so spreads are themselves uncertain.
# - The simulated reader knows the reference, never slips and never tires; the costs are assumed.
# - The study's numbers are single cases of CT tumours; agreement or not with them is anecdote against anecdote.

# %% [markdown]
# ## Next
#
# Notebook 05 tunes the model on what it is bad at.
#
# - Hu et al., *When SAM Meets Medical Images: An Investigation of Segment Anything Model (SAM) on Multi-phase Liver Tumor Segmentation*, 2023, doi:10.48550/arXiv.2304.08506
# - Ma et al., *Segment anything in medical images*, Nature Communications 2024, doi:10.1038/s41467-024-44824-z
