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
# *Core · 40 minutes to read and try, about 3 to run on two CPU cores · real people and a published model if they are installed, then four built-in phantoms · previous notebook: 02_meet_the_model*

# %% [markdown]
# **What you will do**: score promptable models, without any training, on scans of real people and on drawn knees, spines, hips and thighs. You end with the table that a study would print: Dice for each tissue.
#
# **What you will learn**
# - to write Dice in one line, and to score a box of your own
# - to compute what a *filled box* scores, and why no Dice means anything without it
# - to tell oracle boxes (taken from the reference) from boxes that a new scan really offers
# - to read a Dice table: what was averaged, over how many pairs, and what was left out
# - to name the tissues on which the model adds nothing to its box
#
# **What you need**: to know what a mask is. No GPU and no internet. `mskseg run` fetches real scans before it starts this notebook, if it can. Without them, and without the published model `lite_medsam`, you see drawings and miniatures only.

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
from mskseg_studies import prompting

# %% tags=["parameters"]
datasets = [  # of the manifest, real people first; those that are not here are left out
    "spine_vertebrae", "qmritools_thigh", "qmritools_leg", "tptbox_vertebra",
    "phantom_knee", "phantom_spine", "phantom_hip", "phantom_thigh",
]  # fmt: skip
models = ["lite_medsam", "sam_vit_mini", "medsam_vit_mini"]  # the same; published ones first
device = "auto"  # cuda, else mps, else cpu; or one of them
n_people = 2  # of each set of real scans, and of its other site
real_slice_step = 20  # of real scans every n-th slice
real_arms = False  # give people jittered and neighbouring boxes too: minutes more
n_subjects = 2  # people of each phantom's test part; with one there is no spread between people
n_sequences = 1  # of each person, the first ones of the data set; more cost as much again
slice_step = 2  # of phantoms every n-th slice; neighbouring slices are then n slices apart
jitter_px = 5.0  # pixels; each side of a box moves by up to this much, on its own
margins_px = [2.0, 4.0, 8.0]  # pixels of the slice that oracle boxes are widened by on every side
outward_px = 4.0  # which of these stands in every table
neighbour_px = 2.0  # pixels; added around the previous slice's prediction
seed = 0  # of the jitter
results = "../results"  # folder with tables of a longer run, if there are any
output = "../output"  # folder for the tables and the figures

# %%
names = mskseg.at_hand(datasets)
segmenters = [mskseg.load_segmenter(name, device=device) for name in mskseg.at_hand(models)]
segmenter = segmenters[0]  # the one that is shown on single slices; all are scored
tables, figures = Path(output, "tables"), Path(output, "figures")
widths_px = sorted({0.0, outward_px, *margins_px})
widened = [prompts.OracleBox(margin_px=width) for width in widths_px]  # the tight one is the first
tight, outward = widened[0], prompts.OracleBox(margin_px=outward_px)
jittered = prompts.OracleBox(jitter_px=jitter_px, seed=seed)
neighbour = prompts.NeighbourBox(margin_px=neighbour_px)
arms = [tight, outward, jittered, neighbour]
print(f"mskseg {mskseg.__version__}, {segmenters}, {segmenter.device}, seed {seed}")

# %% [markdown]
# ## Know the question
#
# Hoyer and colleagues (ISMRM 2024) took the Segment Anything Model (SAM), which had learned from photographs. They asked whether it segments knees, lumbar spines, hips and thighs in MR images *as it is*. This is called **zero-shot**: no training on the task at all. They drew a box around each structure of the reference, gave it to the model, and computed the Dice of what came back. They did the same with MedSAM, SAM's sibling tuned on medical images. The abstract gives SAM up to 0.210 more than MedSAM, or about the same: a difference of 0.007, without saying in whose favour.
#
# We rebuild that experiment small, and ask two more questions. What would the *box alone* have scored? And what happens with boxes that a new scan really offers?
#
# **The models.** `lite_medsam` is *published*: its authors trained a small network to imitate MedSAM on slices of 256 pixels. It speaks for itself, not for MedSAM, and nobody has said whether the scans below were among its training data. `sam_vit_mini` and `medsam_vit_mini` are **miniatures**. They have the design of SAM and MedSAM at a fraction of the size, and this project trained them on synthetic scenes only. Their scores say nothing about the published models.
#
# **The scans.** First real people, if their scans are installed; then phantoms, which are drawings and no evidence about patients. The published model skips the drawings while there is a miniature to score them. Change two parameters, and the same cells run on other scans and other models.
#
# ## Load the scans
#
# An MR scan is a stack of **slices**, images of one plane through the body: *sagittal* slices are seen from the side, *coronal* ones from the front, *axial* ones from the feet. Each pixel stands for a small block of tissue, a **voxel**: often a millimetre wide or less, and several millimetres deep. A **sequence** is the recipe by which the scanner measures. In a T1-weighted image (`t1w`) fat is bright, muscle grey and fluid dark. In a proton-density-weighted image with fat suppression (`pdw_fs`) fat and fatty marrow are dark, and cartilage and fluid are bright.
#
# A `Case` is one such image with its **reference**, the map that gives each voxel its label, on the same grid. We load a few people of each data set's test part, each in its first sequence. The vertebrae come from two sites. No later notebook trains on the second site, so it counts as a data set of its own.

# %%
sets = prompting.load_people(names, n_people=n_people, n_drawn=n_subjects, n_sequences=n_sequences)
drawings = sets.pop(prompting.PHANTOMS, [])
people = [case_set for group in sets.values() for case_set in group]
of_people = [case for case_set in people for case in case_set]
of_drawings = [case for case_set in drawings for case in case_set]
cases = [*of_people, *of_drawings]
for case in cases:
    assert case.image.shape == case.reference.shape
    assert np.allclose(case.image.affine, case.reference.affine)
prompting.describe_scans(cases)

# %% [markdown]
# **What you see**: each row is a scan, named data set / person / sequence. The two asserts matter: two volumes of equal shape on different grids would still give a Dice, and a wrong one. Read the last column before you trust a score. Against a *synthetic* or a *manual* reference, Dice measures accuracy. Against an *automatic* reference, the output of another program, it measures agreement. *Unknown* means that nobody says who drew it.
#
# ## Look at one slice
#
# We take the slice of the first scan that shows most objects. Boxes are given in pixels of this slice, as `x0, y0, x1, y1`.

# %% alt="One slice of the first scan with the outline of each tissue of the reference and a box around each"
example = cases[0]
case_slice = mskseg.fullest_slice(example)
prompted = evaluation.prompt_slice(example, case_slice, tight)
all_boxes = prompted.prompt.boxes_xyxy
print(f"{case_slice.plane} slice {case_slice.index}: {len(all_boxes)} boxes")
outlines = display.overlay(
    case_slice.image,
    spacing_mm=case_slice.spacing_mm,
    plane=case_slice.plane,
    reference=case_slice.label_map,
    tissues=example.tissues,
    boxes_xyxy=all_boxes,
    title=f"{example.name}\nSome objects fill their boxes better than others",
)

# %% [markdown]
# **What you see**: one box for each connected piece; pieces under 30 mm² get none. The letters at the edges are directions in the patient: A(nterior) is the front, P(osterior) the back, S(uperior) towards the head, I(nferior) towards the feet, R and L the patient's right and left. Neighbouring boxes can overlap, and a tilted or hollow object leaves much of its box empty.
#
# ## Prompt with one box
#
# SAM has three parts (notebook 02). The **image encoder** reads the slice once and turns it into a grid of numbers, the *embedding*. The **prompt encoder** turns a box or a click into a few numbers of the same kind. The **mask decoder** brings the two together and draws a mask. So there are two calls: `embed` once for a slice, and `predict` for each question about it.
#
# We ask about an object of medium size that is in one piece.

# %% alt="Close-up of one tissue: the outline of the reference dashed, that of the prediction solid, and the box"
in_one_piece = [label for label in prompted.labels if len(prompted.prompts[label]) == 1]
by_area = sorted(in_one_piece, key=lambda label: prompted.references[label].sum())
label = by_area[len(by_area) // 2]
reference, box_xyxy = prompted.references[label], prompted.prompts[label].boxes_xyxy
embedding = segmenter.embed(case_slice.image)
prediction = segmenter.predict(embedding, boxes_xyxy=box_xyxy)
mask = prediction.masks[0, 0]
print(f"{segmenter.name}, {example.tissue(label)}: {prediction}")
close_up = display.overlay(
    case_slice.image,
    spacing_mm=case_slice.spacing_mm,
    plane=case_slice.plane,
    reference=reference,
    prediction=mask,
    boxes_xyxy=box_xyxy,
    zoom_xyxy=display.frame_around(box_xyxy, shape=reference.shape),
    title=f"{example.tissue(label)}: Dice {evaluation.dice(reference, mask):.2f}",
)

# %% [markdown]
# **What you see**: a close-up, with the reference dashed and the prediction solid. One prompt gave one mask. The box was computed from the very reference we score against, so it is an **oracle box**. Nobody has it on a new scan, and it gives away place and size before the model has done anything.
#
# ## Fill the box
#
# **Dice** is twice the overlap of two masks, divided by the sum of their areas: 1 if they are the same, 0 if they do not touch. It takes one line, the second one below.
#
# So what is the box worth alone? Fill it, call that the prediction, and score it. This *filled box* is the baseline of every table in this workbook.
#
# > **Guess**: a perfect disc touches its box on four sides. What is the Dice of the filled box? (Exercise 1 answers this. The next cell fills the box of the object above.)
# >
# > - **A**: about 0.7
# > - **B**: about 0.8
# > - **C**: about 0.9

# %%
filled = prompts.fill_boxes(box_xyxy, reference.shape)
by_hand = 2 * (reference & mask).sum() / (reference.sum() + mask.sum())  # all that Dice is
assert np.isclose(by_hand, evaluation.dice(reference, mask))
scores = {"model": by_hand, "filled box": evaluation.dice(reference, filled)}
pd.Series(scores, name="Dice").to_frame().round(3)

# %% [markdown]
# **What you see**: whatever the model scored, only the difference to the filled box is its own work.
#
# ### Exercise 1: the box of a disc (5 minutes)
#
# Draw a disc of radius 40 pixels in an empty image, take its box, and compute the filled box's Dice. *Hint: a pixel lies in the disc if the squares of its distances in rows and in columns from the centre add up to less than the radius squared.*

# %% tags=["exercise"]
rows, columns = np.mgrid[:100, :100]
disc = np.zeros((100, 100), dtype=bool)  # replace this line: which pixels lie in the disc?
disc_boxes = prompts.boxes_from_mask(disc, spacing_mm=(1.0, 1.0))
len(disc_boxes)

# %% tags=["solution"] jupyter={"source_hidden": true}
round_disc = (rows - 50) ** 2 + (columns - 50) ** 2 < 40**2
round_box = prompts.boxes_from_mask(round_disc, spacing_mm=(1.0, 1.0))
disc_dice = evaluation.dice(round_disc, prompts.fill_boxes(round_box, round_disc.shape))
letter_of_disc = "ABC"[int(disc_dice > 0.75) + int(disc_dice > 0.85)]
print(f"Answer: {letter_of_disc}. A filled box around a disc has a Dice of {disc_dice:.3f}.")

# %% [markdown]
# **Discussion**: the disc covers about 79 % of its square, and that alone makes a Dice of nearly 0.9. Muscles in cross-section, vertebral bodies and the ends of long bones are often as compact as that. A table without this column flatters every model in it.
#
# ## Draw a box yourself
#
# The **canvas** below shows the same slice, with a first box around the object of the close-up: its sides lie three pixels outside of the tight ones. Look which object it is, press `c` to take the box away (a drag inside a box moves it), and drag your own box, without looking at the oracle's box above. The canvas shows no reference. Then run the cell after it: there the reference is dashed. If you draw nothing, the first box stays. Where widgets are not shown, `explorer.set_box([x0, y0, x1, y1])` does the same.

# %%
explorer = mskseg.PromptExplorer(example, segmenter)
explorer.go_to(case_slice.index, plane=case_slice.plane, label=label)
explorer.set_box(box_xyxy[0] + np.array([-3, -3, 3, 3]))
explorer

# %% alt="The slice of the canvas as a static figure: the box that was drawn, the mask, and the reference dashed"
explorer.go_to(case_slice.index, plane=case_slice.plane, label=label)  # wherever you went
drawn_ax = explorer.figure()
drawn_ax.set(xlim=close_up.get_xlim(), ylim=close_up.get_ylim())
drawn = {"the oracle's": box_xyxy, "yours": explorer.session.prompt.boxes_xyxy}
prompting.compare_boxes(segmenter, case_slice.image, reference, drawn).round(3)

# %% alt="The close-up with a tight box; a slider gives wider ones"
wider = {w: prompts.pad_boxes(box_xyxy, pixels=w, shape=reference.shape) for w in widths_px}
prompting.box_slider("margin px", wider, segmenter, case_slice, reference)

# %% [markdown]
# **What you see**: the table has two boxes, for the same slice and the same model. (Only the oracle's is there if you took yours away.) The filled box loses with every pixel that you added. Does the model lose too, or does it gain? Move the slider, which widens the oracle's box: the answer is orange, the reference blue and dashed. (The slider needs a kernel. Without one, you see the tight box.) The next section asks this of many people.
#
# ## Score people first
#
# One slice proves nothing. Now every model gets oracle boxes on slices of several people, tight ones and wider ones.
#
# The width matters more than it seems. In training, the sides of MedSAM's and LiteMedSAM's boxes lay outside of the tight ones, by up to 20 pixels of a frame of 1024, and never inside. On a slice of 256 pixels that is up to 5. So a tight box is the very edge of what these two have seen. SAM's boxes were moved both ways. A wider box says less, and the filled box shows how much less.
#
# > **Guess**: which scores higher on real people, the published model or its box, filled?
# >
# > - **A**: the model, with tight boxes and with boxes 2 pixels wider on each side
# > - **B**: the filled box if it is tight, the model if it is 2 pixels wider
# > - **C**: the filled box both times
#
# The next cell takes most of this notebook's time (some minutes).

# %%
predictions = evaluation.KeptPredictions()  # in the order of the table's rows
all_plans = [*widened, jittered, neighbour]
on_people = all_plans if real_arms else widened
on_drawings = arms if people else all_plans
miniatures = [each for each in segmenters if each.miniature]
plan = [
    (of_people, on_people, real_slice_step, segmenters),
    (of_drawings, on_drawings, slice_step, miniatures or segmenters),
]
parts = [
    evaluation.score_cases(each, chosen, prompts=boxes, slice_step=step, kept=predictions)
    for chosen, boxes, step, models_asked in plan
    for each in (models_asked if chosen else [])
]
table = pd.concat(parts, ignore_index=True)
print(f"{len(table)} rows: {table['status'].value_counts().to_dict()}")

# %%
facts = mskseg.provenance(
    command="03_segment_zero_shot",
    cases=cases,
    segmenter=segmenter,
    seed=seed,
    models=", ".join(f"{each.name} {each.fingerprint}" for each in segmenters),
    splits=", ".join(f"{each.name} {each.split_sha256}" for each in (*people, *drawings)),
)
evaluation.write_table(table, tables / "03_zero_shot.csv", provenance=facts)
person = ["dataset", "site", "subject", "reference_provenance", "tissue", "group"]
by_person = evaluation.summarise(table, by=[*person, "segmenter", "prompt", "box_source"])
evaluation.write_table(by_person, tables / "03_people.csv", provenance=facts)
is_drawn = table["reference_provenance"] == "synthetic"
first = prompting.by_site(table[is_drawn.all() | ~is_drawn])  # people, or drawings without any
by_margin = prompting.margin_means(first, widths_px)
evaluation.write_table(by_margin, tables / "03_margins.csv", provenance=facts)
prompting.margin_table(by_margin).round(3)

# %% [markdown]
# **What you see**: the line above counts the masks that were *scored*, that lie *beyond the end* of their object, and that belong to pieces *too small* for a box; only the *scored* ones enter a mean. Then, for each data set of people that is here (or of phantoms, if none is), the filled box and below it each model, from tight boxes to the widest. `n_subjects` counts people, `n_pairs` pairs of slice and tissue. All models got the very same boxes. Read the published model first, in the column of tight boxes: is it above the *filled box*, which is a rectangle and no model at all? Then go to the right. Two pixels on every side are about what a careful person adds without thinking. They cost the rectangle much of its Dice. Do they cost the model as much? A study that reports only one of these columns has chosen its conclusion with the margin, whether it meant to or not.

# %% alt="Dice over the margin of the box, a panel for each data set, a line for each model and one for the filled box"
margin_axes = prompting.margin_panels(by_margin, seen_px=prompting.seen_margins_px(cases))
display.save_figure(margin_axes[0], figures / "03_margins.png", provenance=facts)
above_box = prompting.above_box_by_margin(by_margin)
wins = above_box.iloc[0] > above_box["of"].iloc[0] / 2
print(f"Answer: {'A' if wins.iloc[0] else 'B' if wins.iloc[1] else 'C'} ({above_box.index[0]}).")
above_box.rename_axis(columns="data sets above the filled box")

# %% [markdown]
# **What you see**: the table counts the data sets on which a model is above the boxes it was given, at each margin in pixels. In the figure, diamonds are the filled boxes. The grey band is what MedSAM's training covered, converted to pixels of these slices. Look at three things. Does a model *rise* at first? Then tight boxes are not what it knows best. Does its line fall less than the diamonds? Then it finds the border by itself. Does the leading model change from left to right? Then "which model is better?" has no answer without the margin. Hoyer found SAM ahead, Ma and colleagues MedSAM. The margin may be one reason, and neither text says how wide its boxes were in the end.
#
# Read a lead of a miniature over the published model with care. The miniature learned from drawn scenes, with boxes moved both ways, so tight boxes around blocks with clear borders suit it best. Such a lead shows that a tight box leaves little to do, not that the miniature is the better model.
#
# A run of several hours scored more people, with the same cells (`make results`). Here is its table, for vertebrae of people at two sites.

# %%
study = prompting.committed_results(results, "03_margins*.csv")
print(study.origin)
prompting.margin_table(study.rows).round(3) if study else study.rows

# %% [markdown]
# **What you see**: the first lines name the model, its weights and the date; below is the table as above. (No rows: no such table is there.) Does it say the same as your run? Rows of a drawn spine stand below those of people: what would you believe about the published model if you had seen only the drawings?
#
# ## Look at the masks
#
# Numbers do not say *how* a model fails. The masks behind the table were kept. Here is one full slice of each data set, of those that were scored the one with most objects (it may lie at their edge): boxes and reference, then the answer of each model. Each tissue has its own boxes and its own answer, so answers may overlap. Where they do, the smaller tissue is drawn on top.

# %% alt="For each data set the slice with boxes and reference, and beside it the answer of each model, one colour per tissue"
for prompted_slice, answers in prompting.fullest_answers(table, predictions, cases, tight):
    scan = prompted_slice.case.name
    heading = f"{scan}: mean Dice of oracle boxes, reference dashed"
    answer_axes = prompting.boxes_and_predictions(prompted_slice, answers, title=heading)
    target = figures / f"03_overlay_{prompted_slice.case.subject}.png"
    display.save_figure(answer_axes[0], target, provenance=facts)

# %% [markdown]
# **What you see**: look for four things. Masks that leak over a border without contrast. Holes and flecks. Masks that stop short of a tight box on every side. And a sheet of cartilage whose answer is the bone beneath it, since both fit the box. The box around the ring of subcutaneous fat holds the whole thigh, muscles and all. Did the model answer with the ring, or with something else inside the box?
#
# ## Try boxes that a new scan offers
#
# A phantom is drawn from its labels, so its reference has no error, and a slice of it costs little. So the drawings are scored with four kinds of boxes, here called **plans** (if you loaded no phantom: the people and plans from above):
#
# - **oracle**: tight boxes from the reference, as we read the study (it says that boxes came from the reference, not whether a margin was added)
# - **oracle, margin**: the same with every side moved outwards by a few pixels, as a careful person draws, and as MedSAM was trained
# - **oracle, jitter**: each side moved at random, outwards or inwards, as a person in a hurry draws
# - **neighbour**: *one* oracle slice per tissue, the one where it is largest. From there, up and down, each slice gets the box of what was *predicted* on the slice before
#
# Only the last one works on a new scan, with a careful box by hand in place of the oracle's. It needs neighbouring slices. Of real scans we took every n-th slice, so the table has no such row for people unless `real_arms` asks for it.
#
# > **Guess**: which plan scores lowest?
# >
# > - **A**: the margin
# > - **B**: the jitter
# > - **C**: the neighbour's boxes

# %%
in_arms = table["box_source"].isin([each.box_source for each in arms])
shown = prompting.by_site(table[in_arms & (is_drawn | ~is_drawn.any())])
of_arms = evaluation.summarise(shown, by=["dataset", "segmenter", "prompt", "box_source"])
evaluation.write_table(of_arms, tables / "03_plans.csv", provenance=facts)
by_plan = of_arms.pivot_table("dice", ["dataset", "box_source"], "segmenter", sort=False)
of_plans = of_arms.groupby("box_source", sort=False)
same_boxes = of_arms.groupby(["dataset", "box_source"], sort=False)["filled_box_dice"].mean()
lowest = of_plans["dice"].mean().drop(tight.box_source).idxmin()
letter_of_plan = "ABC"[[each.box_source for each in arms[1:]].index(lowest)]
print(f"Answer: {letter_of_plan}. Lowest on average is {lowest!r}.")
print(f"Masks predicted beyond an object's end: {of_plans['n_beyond_end'].sum().to_dict()}")
by_plan["filled box"] = same_boxes
by_plan.round(3)

# %% [markdown]
# **What you see**: Dice of each model for each data set and plan, and of the same boxes, filled (neighbour boxes differ between models; for them we show the mean). A Dice here is a mean of means. For each person, all slices of a tissue are averaged, then the tissues, then the people. So a long muscle weighs no more than a short one. All plans and models are compared on the same pairs of slice and tissue. A tissue with no piece large enough for a box is left out, and counted in `03_plans.csv` (`n_too_small`). The spread between people (`dice_sd`) is in that file too.
#
# Look at the line of masks beyond an object's end. Nothing tells a model that its box is empty: it segments *something*. Those slices would score 0. How many there are depends on how far the scan goes on beyond the object, so they stay outside the mean and are counted beside it.
#
# **Between our two miniatures the winner proves nothing about the published models.** We made both: `medsam_vit_mini` is `sam_vit_mini`, tuned for minutes on synthetic scenes of another kind, with tight boxes only. What carries over is how to ask: same slices, same boxes, one table, and for each model *its own* preprocessing. SAM pads the slice to a square, MedSAM squashes it; with the other's input, each would lose for no reason of its own.
#
# ## Compare tissues
#
# A mean over all tissues hides those that fail. So here is Dice by tissue, with tight boxes, and a table of the extremes: the three pairs of tissue and model with the largest gain over the filled box, and the three with the smallest. The whole table is in `03_dice_by_tissue.csv`.
#
# > **Guess**: on how many of the drawn tissues is the first miniature above its filled box?
# >
# > - **A**: on nine of ten or more
# > - **B**: on half or more
# > - **C**: on fewer than half

# %% alt="Dice of each tissue by data set, one dot per slice, the mean, and a diamond for the filled box"
tissue_axes = prompting.dice_by_tissue(shown[shown["box_source"] == tight.box_source])
display.save_figure(tissue_axes, figures / "03_dice_by_tissue.png", provenance=facts)
row = ["dataset", "tissue", "segmenter", "prompt", "box_source"]
by_tissue = evaluation.summarise(prompting.by_site(table[in_arms]), by=row)
evaluation.write_table(by_tissue, tables / "03_dice_by_tissue.csv", provenance=facts)
of_tissues = by_tissue[by_tissue["box_source"] == tight.box_source].dropna(subset="dice")
of_tissues["model minus box"] = of_tissues["dice"] - of_tissues["filled_box_dice"]
ranked = of_tissues.sort_values("model minus box", ascending=False)
is_first = ranked["segmenter"] == shown["segmenter"].iloc[0]
of_first = ranked[is_first & ranked["dataset"].isin(shown["dataset"])]  # drawings, if any
share_above = (of_first["model minus box"] > 0).mean()
letter_of_share = "A" if share_above >= 0.9 else "B" if share_above >= 0.5 else "C"
print(
    f"Answer: {letter_of_share}. {of_first['segmenter'].iloc[0]}: {share_above:.0%} of its tissues."
)
extremes = pd.concat([ranked.head(3), ranked.tail(3)]).set_index(["dataset", "tissue", "segmenter"])
four = extremes[["dice", "filled_box_dice", "model minus box", "n_pairs"]].round(3)
four.rename(columns={"dice": "Dice", "filled_box_dice": "filled box", "n_pairs": "slices"})

# %% [markdown]
# **What you see**: *model minus box* is what the model adds. (*label 16* and the like: a data set that names no tissues.) Where it is near zero or negative, a rectangle does as well or better, often for one of two opposite reasons. A tissue that is nearly a rectangle leaves nothing to add, and every rounded corner costs. A thin, curved sheet fills so little of its box that the box does not say what is meant, and the model takes the bulk inside it. And an object may be only a few pixels wide, so that nothing is found. Hoyer's data had both kinds: thin cartilage and ring-shaped fat, and elliptical vertebral bodies and discs.
#
# In the figure, a diamond to the right of its dot means that the rectangle would have done better. Wide rows of small dots are tissues whose shape changes from slice to slice; their lowest dots are often slices near an end. Compare two models row by row: they can have the same mean and fail on different tissues.
#
# ## Look at the worst
#
# The slices above were chosen for their number of tissues. The next ones are chosen by the table: for each data set, the pair of slice and tissue with the lowest Dice of the first model.

# %% alt="Close-ups of the worst slice and tissue of each data set: reference, prediction and box"
oracle = prompting.by_site(table[table["box_source"] == tight.box_source])
leading = oracle.groupby("dataset", sort=False)["segmenter"].transform("first")
at = oracle[oracle["segmenter"] == leading].groupby("dataset", sort=False)["dice"].idxmin()
worst, failures = oracle.loc[at], [predictions[number] for number in at]
titles = [f"{r.dataset}\n{r.segmenter}, {r.tissue}: {r.dice:.2f}" for r in worst.itertuples()]
close_ups = prompting.close_ups(failures, titles)

# %% [markdown]
# **What you see**: where you see no orange line, the model found nothing. Ask of each panel whether a person, given this box and nothing else, would have known what was meant. Sometimes the prompt is to blame, not the model.
#
# ### Exercise 2: clicks instead of a box (10 minutes)
#
# Score oracle *points* on the first scan, with a model that takes points: one per piece at its most central place, then five per piece. Is a click worth more or less than a box, and do four more help? *Hint: put `prompts.OraclePoint()` and `prompts.OraclePoint(n=5)` into the list beside `tight`; the column `n_points` tells them apart.*

# %% tags=["exercise"]
pointed = next((k for k in segmenters if "point" in k.prompt_kinds), None)
pointed_at = pointed or mskseg.load_segmenter("sam_vit_mini", device=device)
mine = [tight]  # add two plans of points
tried = evaluation.score_cases(pointed_at, example, prompts=mine, slice_step=4, progress=False)
groups = ["segmenter", "prompt", "n_points", "box_source"]
evaluation.summarise(tried, by=groups)[[*groups, "dice", "filled_box_dice", "n_pairs"]].round(3)

# %% tags=["solution"] jupyter={"source_hidden": true}
clicks = [tight, prompts.OraclePoint(), prompts.OraclePoint(n=5, seed=seed)]
clicked = evaluation.score_cases(pointed_at, example, prompts=clicks, slice_step=4, progress=False)
evaluation.summarise(clicked, by=groups)[[*groups, "dice", "filled_box_dice", "n_pairs"]].round(3)

# %% [markdown]
# **Discussion**: a click says where; a box says where and how large. A point inside a vertebra may mean the vertebra, a part of it, or the whole spine, and more points inside do not say where it ends. The single click is the most central one; five are drawn at random, some of them near a border, and can score lower. The filled box beside a click is that of the tissue's own box, which the click does not know.

# %% [markdown] tags=["quiz"]
# ## Quiz
#
# **1.** A paper reports a Dice of 0.85 for vertebrae, with boxes from the reference. What do you ask first?
#
# <details><summary>Answer</summary>
#
# What the filled box scores, and how wide the boxes were. In the table of margins the rectangle comes close to such a Dice, or passes it, as long as it is tight.
#
# </details>
#
# **2.** Why can no model be given an oracle box on a new scan?
#
# <details><summary>Answer</summary>
#
# The oracle box is computed from the reference, and a new scan has none. Somebody or something has to find the object first, and that is a good part of the work.
#
# </details>
#
# **3.** A model is below its filled box with tight boxes and far above it with wider ones. Is it a bad model?
#
# <details><summary>Answer</summary>
#
# Not by this alone. It may have learned from wider boxes. Look whether its line in the figure of margins *rises* at first while the diamonds fall.
#
# </details>
#
# **4.** A thin sheet and a thick block: the model adds nothing to the box of either. Why is the reason not the same?
#
# <details><summary>Answer</summary>
#
# The block fills its box, so nothing is left to add. The sheet fills so little that the box does not say what is meant. Its filled box scores low, the block's high: compare the diamonds in the figure of tissues.
#
# </details>
#
# **5.** The neighbour plan predicts masks beyond the end of an object. Why are these slices not part of its mean Dice?
#
# <details><summary>Answer</summary>
#
# Each would count 0, and their number depends on how far the scan goes on beyond the object. So they are counted beside the mean; hiding them would be worse.
#
# </details>

# %% [markdown]
# ## Take-aways
#
# **If you remember one thing**: a Dice says little until you know what the filled box scores, and how wide the box was.

# %%
of_set = by_margin[by_margin["dataset"] == by_margin["dataset"].iloc[0]]
boxes_of_set = of_set["filled_box_dice"]
lines = [
    f"{name} {rows['dice'].iloc[0]:.2f} and {rows['dice'].iloc[-1]:.2f}"
    for name, rows in of_set.groupby("segmenter", sort=False)
]
margins = [
    f"{name} on {row.iloc[0]} of {row['of']} with tight boxes, on {row.iloc[1]} with {widths_px[1]:g} pixels more"
    for name, row in above_box.iterrows()
]
changes = (prompting.model_ahead(by_margin).nunique(axis=1) > 1).sum()
Markdown(f"""
- Mean Dice on **{of_set["dataset"].iloc[0]}**, first with tight boxes, then with {widths_px[-1]:g} pixels more: filled box {boxes_of_set.iloc[0]:.2f} and {boxes_of_set.iloc[-1]:.2f}; {"; ".join(lines)}.
- Above the filled box: {"; ".join(margins)} (data sets of {"real people" if people else "phantoms"}). The leading model changes with the margin on **{changes} of {above_box["of"].iloc[0]}**.
- {"Drawings" if is_drawn.any() else "People"}, mean of models: {", ".join(f"{source} {dice:.2f}" for source, dice in of_plans["dice"].mean().items())}.
""")

# %% [markdown]
# ## Limits
#
# - There are few real people, and few slices of each. The references of the single scans come from a program, or nobody knows from whom. LiteMedSAM may have been trained on these very scans; if so, its scores flatter it.
# - Miniatures and phantoms are made by this project. Their scores are no evidence about SAM, MedSAM or patients. If one miniature is above another, that is our construction.
# - Oracle boxes flatter: finding the object is half of the work, and they do it. The neighbour plan still takes one slice per tissue from the reference, and the reference names the tissues.
# - One sequence each unless you ask for more, slice by slice. Dice favours large tissues and knows nothing of millimetres; boundary distances stand in other columns of `03_zero_shot.csv`.
# - The study's own data, and the cells of its table, are not public. Layout and numbers here are ours.

# %% [markdown]
# ## Next
#
# Notebook 04 tunes the model on a few people, and asks what that gains on others. Before you go there: put other scans into `datasets` or another published model into `models`, and run all cells again. Then lay the result beside the thicknesses and contrasts of notebook 01: which of the two explains where the model adds nothing?
#
# - Hoyer et al., *Towards a Generalizable Foundation Model for Multi-Tissue Musculoskeletal MRI Segmentation*, ISMRM 2024, 0651, doi:10.58530/2024/0651
# - Kirillov et al., *Segment Anything*, ICCV 2023, doi:10.1109/ICCV51070.2023.00371
# - Ma et al., *Segment anything in medical images* (MedSAM), Nature Communications 2024, doi:10.1038/s41467-024-44824-z
