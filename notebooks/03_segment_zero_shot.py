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
# # Segment without training
#
# How much of a segmentation does a promptable model do by itself, and how much is already in the box it is given?
#
# *About 1 minute on two CPU cores, seconds on a GPU · built-in thigh phantom, or any data set with image and reference · previous notebook: none, this is the first written*

# %% [markdown]
# **What you will do**: score a model that never saw a leg on every slice of a thigh scan, and write its table of Dice per tissue.
#
# **What you will learn**
# - to prompt a model with a box, and read what comes back
# - to compute what a *filled box* scores, and why no Dice means anything without it
# - to tell oracle boxes (taken from the reference) from boxes that a new scan really offers
# - to measure how a score falls when boxes are drawn less exactly
# - to name the tissues on which the model adds nothing to its box
#
# **What you need**: to know what a mask and the Dice coefficient are. No GPU, no internet, nothing to download.

# %%
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Markdown

import mskseg
from mskseg.data.datasets import list_subjects
from mskseg.display import plots
from mskseg.evaluation import NeighbourBox, OracleBox, OraclePoint, dice, summarise
from mskseg.evaluation.tables import score_cases, write_table
from mskseg.models.painting import predict_label_map
from mskseg.prompts import boxes_from_mask, fill_boxes
from mskseg.provenance import provenance

# %% tags=["parameters"]
dataset = "phantom_thigh"  # a data set of the manifest; "qmritools_thigh" is a real scan
model = "sam_vit_mini"  # a model of the manifest; "sam_vit_b" is the published one (375 MB)
n_subjects = 2  # people; each costs about half a minute
slice_step = 1  # take every n-th slice; neighbouring slices are then n slices apart
jitter_px = 5.0  # pixels; each side of a box moves by up to this much, on its own
margin_px = 2.0  # pixels; added around the previous slice's prediction
seed = 0  # of the jitter
output = "../output"  # folder for the table and the figures

# %%
tables, figures = Path(output, "tables"), Path(output, "figures")
segmenter = mskseg.load_segmenter(model)
tight, jittered = OracleBox(), OracleBox(jitter_px=jitter_px, seed=seed)
neighbour = NeighbourBox(margin_px=margin_px)
print(f"mskseg {mskseg.__version__}, {segmenter}, {segmenter.device}, seed {seed}")

# %% [markdown]
# ## Know what is asked
#
# Hoyer and colleagues (ISMRM 2024) asked whether the Segment Anything Model (SAM), trained on photographs, segments knees, spines, hips and thighs in MR images *as it is*. They took a box around each structure from the reference mask, gave it to the model, and computed Dice. SAM came out level with or above MedSAM, its sibling tuned on medical images.
#
# This notebook rebuilds that experiment small. **Two miniatures stand in for the real thing**: `sam_vit_mini` has SAM's design at a fraction of its size and was trained by this project on synthetic scenes only; the phantom is a drawn thigh. What they score says nothing about the published SAM or about patients. What you learn here is how to *ask* the question, and the same cells run on a real scan and the published model if you change two parameters.
#
# ## Load the scans
#
# A `Case` is an image with its reference on the same grid. The phantom's labels are exact; for a real scan, look at where the reference comes from before you trust a score against it.

# %%
subjects = list_subjects(dataset)[:n_subjects]
cases = mskseg.load_cases(dataset, subjects=subjects, progress=False)
case = cases[0]
print(f"{cases}, reference: {case.reference_provenance}")
print(f"{case.name}: {case.image}, {case.plane} slices")
assert case.image.shape == case.reference.shape
assert np.allclose(case.image.affine, case.reference.affine)
assert set(case.reference.labels) <= set(cases.tissues) or not cases.tissues

# %% [markdown]
# **What you see**: image and reference share one grid, and every label has a name (or says that it has none). The first assert is not decoration: two volumes of equal shape on different grids would still give a Dice, and a wrong one.

# %% [markdown]
# ## Look at one slice
#
# We take the slice with the most tissues. Boxes are in pixels of this slice, `x0, y0, x1, y1`.

# %% alt="One slice of the scan with the outline of each tissue of the reference and a box around each"
counts = [len(np.unique(one.label_map)) for one in case.slices()]
one = case.slice(int(np.argmax(counts)))
labels = [int(label) for label in np.unique(one.label_map) if label]
boxes = {k: boxes_from_mask(one.label_map == k, spacing_mm=one.spacing_mm) for k in labels}
outlines = plots.overlay(
    one.image,
    spacing_mm=one.spacing_mm,
    reference=one.label_map,
    tissues=cases.tissues,
    plane=one.plane,
    title=f"{case.name}: {len(labels)} tissues on slice {one.index}",
)
all_boxes = np.concatenate(list(boxes.values()))
boxed = plots.draw_boxes(outlines, all_boxes)

# %% [markdown]
# **What you see**: one box per connected piece of each tissue. Neighbouring boxes overlap a great deal, and some tissues fill their box far better than others.
#
# > **Guess**: which tissue will the model find hardest, given nothing but its box?

# %% [markdown]
# ## Prompt with one box
#
# The model reads the slice once (`embed`) and then answers any number of prompts about it (`predict`). We take a tissue of middling size that is one piece.

# %%
areas = {k: int((one.label_map == k).sum()) for k in labels if len(boxes[k]) == 1}
chosen = sorted(areas, key=areas.get)[len(areas) // 2]
reference = one.label_map == chosen
prediction = segmenter.predict(segmenter.embed(one.image), boxes_xyxy=boxes[chosen])
mask = prediction.masks[0, 0]
print(f"{case.tissue(chosen)}: {prediction}, Dice {dice(reference, mask):.2f}")

# %% alt="The reference outline, the predicted outline and the box of one tissue"
single = plots.overlay(
    one.image,
    spacing_mm=one.spacing_mm,
    reference=reference,
    prediction=mask,
    boxes_xyxy=boxes[chosen],
    plane=one.plane,
    title=f"{case.tissue(chosen)}: Dice {dice(reference, mask):.2f}",
)
# %% [markdown]
# **What you see**: reference dashed, prediction solid. This box was computed from the very reference we score against: it is an **oracle box**. Nobody has it on a new scan, and it gives away size and place before the model has done anything.

# %% [markdown]
# ## Fill the box
#
# So what is the box worth alone? Fill it, call that the prediction, and score it. This *filled box* is the baseline of every table in this workbook.
#
# > **Guess**: the Dice of a filled box around the tissue above. Around a perfect disc?

# %%
filled = fill_boxes(boxes[chosen], reference.shape)
pd.Series(
    {"model": dice(reference, mask), "filled box": dice(reference, filled)}, name="Dice"
).to_frame().round(3)

# %% [markdown]
# **What you see**: whatever the model scored, only the distance to the filled box is its own work.

# %% [markdown]
# ### Exercise 1: the box of a disc (5 minutes)
#
# Draw a disc of radius 40 pixels in an empty image, take its box, and compute the filled box's Dice. *Hint: `boxes_from_mask` wants the pixel spacing; use 1 mm.*

# %% tags=["exercise"]
rows, columns = np.mgrid[:100, :100]
disc = np.zeros((100, 100), dtype=bool)  # replace this line: which pixels lie in the disc?
disc_boxes = boxes_from_mask(disc, spacing_mm=(1.0, 1.0))
len(disc_boxes)

# %% tags=["solution"] jupyter={"source_hidden": true}
round_disc = (rows - 50) ** 2 + (columns - 50) ** 2 < 40**2
round_box = boxes_from_mask(round_disc, spacing_mm=(1.0, 1.0))
disc_dice = dice(round_disc, fill_boxes(round_box, round_disc.shape))
print(f"a filled box around a disc: Dice {disc_dice:.3f}")

# %% [markdown]
# **Discussion**: the disc covers about 79 % of its square, which makes a Dice of nearly 0.9 without any model. Muscles in cross-section are often rounder than one thinks. A table without this column flatters every model in it.

# %% [markdown]
# ## Score every slice
#
# Now all slices, all tissues, under three plans for the boxes:
#
# - **oracle**: tight boxes from the reference, as in the study
# - **oracle, jitter**: the same, each side moved at random, as a person in a hurry would draw
# - **neighbour**: *one* oracle slice per tissue; from there each slice gets the box of what was predicted on the slice before. No reference needed but once.
#
# > **Guess**: order the three by Dice. How far apart are the first and the last?

# %%
table = score_cases(
    segmenter, cases, prompts=[tight, jittered, neighbour], slice_step=slice_step, progress=False
)
facts = provenance(command="03_segment_zero_shot", cases=cases, segmenter=segmenter, seed=seed)
write_table(table, tables / "03_zero_shot.csv", provenance=facts)
print(f"{len(table)} rows: {table['status'].value_counts().to_dict()}")

# %%
plans = summarise(table)
plans.drop(columns=["segmenter", "prompt"]).round(3)

# %% [markdown]
# **What you see**: one row per plan: the model's mean Dice beside that of the very boxes it was given. The mean is over slices within a tissue, then over tissues, then over people, so that a long muscle weighs no more than a short one. `n_pairs` counts the pairs of slice and tissue behind it; tissues too small for a prompt, and pairs where both masks are empty, are counted and left out, never averaged in silence. The column `miniature` says when the model is no published one.

# %% [markdown]
# ## Compare tissues
#
# A mean over all tissues hides the ones that fail.
#
# > **Guess**: on how many tissues is the model above its filled box?

# %% alt="Dice of each tissue, one dot per slice, the mean, and a diamond for the filled box"
tissue_axes = plots.dice_by_tissue(table[table["box_source"] == "oracle"])
plots.save_figure(tissue_axes, figures / "03_dice_by_tissue.png", provenance=facts)

# %%
per_tissue = summarise(table, by=["tissue", "segmenter", "prompt", "box_source"])
wide = per_tissue.pivot(index="tissue", columns="box_source", values="dice")
of_oracle = per_tissue[per_tissue["box_source"] == "oracle"].set_index("tissue")
wide.insert(0, "filled box", of_oracle["filled_box_dice"])
wide.insert(0, "n", of_oracle["n_pairs"])
wide.sort_values("oracle", ascending=False).round(2)

# %% [markdown]
# **What you see**: best tissues on top; the title counts those above the filled box, and a diamond right of the dot means that drawing the rectangle would have done better. Rings and thin, curved structures are where a box says least: Hoyer's data had both, in subcutaneous fat and cartilage.

# %% [markdown]
# ## Look at the masks
#
# Numbers do not say *how* a model fails. Here are all tissues of one slice at once; where two claim a pixel, the surer one has it.

# %% alt="Image with boxes, reference and prediction side by side, one colour per tissue"
prompts = [(label, {"boxes_xyxy": boxes[label]}) for label in labels]
predicted_map = predict_label_map(segmenter, one.image, prompts)
frame = [*all_boxes[:, :2].min(axis=0), *all_boxes[:, 2:].max(axis=0)]
panels = plots.triptych(
    one.image,
    one.label_map,
    predicted_map,
    spacing_mm=one.spacing_mm,
    tissues=cases.tissues,
    plane=one.plane,
    boxes_xyxy=all_boxes,
    zoom_xyxy=frame,
    title=f"{segmenter.name}{' (miniature)' if segmenter.miniature else ''}, oracle boxes, {case.name}",
)
plots.save_figure(panels[0], figures / "03_overlay.png", provenance=facts)

# %% [markdown]
# **What you see**: look for smoothed corners, for masks that leak over a border without contrast, and for tissues that swallow their neighbour.
#
# The slice above was chosen for its number of tissues. The next one is chosen by the table: the worst pair of slice and tissue.

# %% alt="The slice and tissue with the lowest Dice: reference and predicted outlines and the box"
of_case = table[(table["subject"] == case.subject) & (table["sequence"] == case.sequence)]
worst = of_case.loc[of_case["dice"].where(of_case["box_source"] == "oracle").idxmin()]
bad = case.slice(int(worst["slice"]))
bad_box = boxes_from_mask(bad.label_map == worst["label"], spacing_mm=bad.spacing_mm)
bad_map = predict_label_map(segmenter, bad.image, [(1, {"boxes_xyxy": bad_box})])
failure = plots.overlay(
    bad.image,
    spacing_mm=bad.spacing_mm,
    reference=bad.label_map == worst["label"],
    prediction=bad_map,
    boxes_xyxy=bad_box,
    plane=bad.plane,
    title=f"{worst['tissue']}, slice {bad.index}: Dice {worst['dice']:.2f}",
)
# %% [markdown]
# **What you see**: ask whether a person, given this box and nothing else, would have known what was meant. Often the failure is the prompt's.
#
# ## Run into a wall
#
# A box that leaves the slice is refused, not clipped: a box in the wrong order or from another image would otherwise give a plausible mask of the wrong thing.

# %%
height, width = one.image.shape
try:
    segmenter.predict(segmenter.embed(one.image), boxes_xyxy=[10, 10, width + 1, 60])
except mskseg.InputError as error:
    assert "outside" in str(error)
    print(error)
else:
    raise AssertionError("a box beyond the edge was accepted")

# %% [markdown]
# ### Exercise 2: one click instead of a box (10 minutes)
#
# Score oracle *points*, one per piece, at its most central place, on the first case. Is a click worth more or less than a box? *Hint: `OraclePoint()` goes where `tight` went; take every third of the slices above.*

# %% tags=["exercise"]
plan = tight  # replace this line by a plan of points
mine = score_cases(segmenter, case, prompts=plan, slice_step=3 * slice_step, progress=False)
summarise(mine)[["prompt", "dice", "filled_box_dice", "n_pairs"]].round(3)

# %% tags=["solution"] jupyter={"source_hidden": true}
clicks = score_cases(
    segmenter, case, prompts=OraclePoint(), slice_step=3 * slice_step, progress=False
)
summarise(clicks)[["prompt", "dice", "filled_box_dice", "n_pairs"]].round(3)

# %% [markdown]
# **Discussion**: a click says where, a box says where and how large. A point inside a muscle may mean the muscle, a bundle, or the whole leg; SAM was built to answer that with three masks, which is the subject of a later notebook.

# %% [markdown]
# ## Take-aways

# %%
best = plans.set_index("box_source")["dice"]
box_alone = plans.set_index("box_source")["filled_box_dice"]
above = int((wide["oracle"] > wide["filled box"]).sum())
kind = "a miniature, not a published model" if segmenter.miniature else "a published model"
Markdown(f"""
- {segmenter.name} ({kind}) reached a mean Dice of **{best["oracle"]:.2f}** with oracle boxes on {dataset}; the boxes alone, filled, **{box_alone["oracle"]:.2f}**.
- It was above its filled box on **{above} of {len(wide)}** tissues.
- Boxes off by up to {jitter_px:g} pixels a side changed the mean by **{best[jittered.box_source] - best["oracle"]:+.2f}** (the filled box by {box_alone[jittered.box_source] - box_alone["oracle"]:+.2f}).
- With one oracle slice per tissue and the neighbour's prediction from there on: **{best[neighbour.box_source]:.2f}**.
- The reference of these scans is *{case.reference_provenance}*. Against an automatic one, a Dice would be agreement, not accuracy.
""")

# %% [markdown]
# ## Limits
#
# - The built-in model and phantom are miniatures made by this project; their scores are no evidence about SAM, MedSAM or patients.
# - Oracle boxes flatter: finding the structure is half of the work, and they do it. The neighbour plan still takes one slice from the reference.
# - One anatomy, few people, two-dimensional slices. Dice favours large tissues; boundary distances stand in the table's other columns.
# - The study's numbers are not repeated here: its data and fine-tuning are not public.

# %% [markdown]
# ## Next
#
# Change `dataset` to a real scan, or `model` to a published one, and run all cells again.
#
# - Kirillov et al., *Segment Anything*, ICCV 2023, doi:10.1109/ICCV51070.2023.00371
# - Ma et al., *Segment anything in medical images*, Nature Communications 2024, doi:10.1038/s41467-024-44824-z
# - Mazurowski et al., *Segment anything model for medical image analysis: an experimental study*, Medical Image Analysis 2023, doi:10.1016/j.media.2023.102918
