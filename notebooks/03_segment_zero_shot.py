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
# *About 3 minutes on two CPU cores · real people and a published model where they are here, then four built-in phantoms · previous notebook: 02_meet_the_model*

# %% [markdown]
# **What you will do**: score promptable models, without any training, on scans of real people and on drawn knees, spines, hips and thighs, and write the table of Dice per tissue that a study would print.
#
# **What you will learn**
# - to prompt a model with a box, and to say what its three parts do with it
# - to compute what a *filled box* scores, and why no Dice means anything without it
# - to tell oracle boxes (taken from the reference) from boxes that a new scan really offers, and tight ones from wider ones
# - to read a Dice table: what was averaged, over how many pairs, and what was left out
# - to name the tissues on which the model adds nothing to its box
#
# **What you need**: to know what a mask and the Dice coefficient are. No GPU and no internet. `mskseg run` fetches real scans before it starts this notebook if it can; without them and without `lite_medsam` you see drawings and miniatures alone.

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
real_slice_step = 15  # of real scans every n-th slice
real_arms = False  # ask about people with jittered and neighbouring boxes too: minutes more
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
# ## Know what is asked
#
# Hoyer and colleagues (ISMRM 2024) took the Segment Anything Model (SAM), which had learned from photographs, and asked whether it segments knees, lumbar spines, hips and thighs in MR images *as it is*, zero-shot. Around each structure they drew a box from the reference mask, gave it to the model, and computed the Dice of what came back. They did the same with MedSAM, SAM's sibling tuned on medical images. SAM came out up to 0.210 above MedSAM, or similar, with a difference of 0.007; which of the two was ahead by these 0.007 the abstract does not say.
#
# We rebuild that experiment small, and ask two questions more: what would the *box alone* have scored, and what happens with boxes that a new scan really offers?
#
# **Who is asked.** `lite_medsam` is a *published* model: MedSAM, distilled by its authors into a small network for slices of 256 pixels. It speaks for itself, not for MedSAM, and whether the scans below were among its training data is not known. `sam_vit_mini` and `medsam_vit_mini` are **miniatures**: they have the design of SAM and MedSAM at a fraction of the size, and were trained by this project on synthetic scenes only. What they score says nothing about the published ones.
#
# **On whom.** First on scans of real people, where they are here; then on phantoms, which are drawn and are no evidence about patients. The published model is not asked about drawings while there is a miniature to ask. The same cells run on other scans and other models if you change two parameters.
#
# ## Load the scans
#
# An MR scan is a stack of **slices**, images of one plane through the body: *sagittal* slices are seen from the side, *coronal* ones from the front, *axial* ones from the feet. Each pixel stands for a small block of tissue, a **voxel**, usually narrow and deep: a millimetre wide or less, several millimetres thick. A **sequence** is the recipe by which the scanner measures. In a T1-weighted image (`t1w`) fat is bright, muscle grey and fluid dark; in a proton-density-weighted one with fat suppression (`pdw_fs`) fat and fatty marrow are dark, cartilage and fluid bright.
#
# A `Case` is one such image with its **reference**, the map that gives each voxel its label, on the same grid. We load a few people of each data set's test part, each in its first sequence. The vertebrae come from two sites; the second, which nobody trains on in later notebooks, is a set of its own.

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
# **What you see**: each row is a scan, named data set / person / sequence. The two asserts are not decoration: two volumes of equal shape on different grids would still give a Dice, and a wrong one. Read the last column before you trust a score: against a *synthetic* or a *manual* reference a Dice is accuracy; against an *automatic* one, which is another program's output, it is agreement; of *unknown* ones nobody says who drew them.
#
# ## Look at one slice
#
# From the first scan we take the slice that shows most tissues. Boxes are in pixels of this slice, `x0, y0, x1, y1`.

# %% alt="One slice of the first scan with the outline of each tissue of the reference and a box around each"
example = cases[0]
case_slice = mskseg.fullest_slice(example)
prompted = evaluation.prompt_slice(example, case_slice, tight)
all_boxes = prompted.prompt.boxes_xyxy
n_tissues = len(prompted.labels)
print(f"{case_slice.plane} slice {case_slice.index}: {n_tissues} tissues, {len(all_boxes)} boxes")
outlines = display.overlay(
    case_slice.image,
    spacing_mm=case_slice.spacing_mm,
    plane=case_slice.plane,
    reference=case_slice.label_map,
    tissues=example.tissues,
    boxes_xyxy=all_boxes,
    title=f"{example.name}\nBoxes overlap, and say more of some tissues than of others",
)

# %% [markdown]
# **What you see**: one box per connected piece of each tissue; pieces under 30 mm² get none. The letters at the edges are directions in the patient: A(nterior) is the front, P(osterior) the back, S(uperior) towards the head, I(nferior) towards the feet, R and L the patient's right and left. Boxes overlap a great deal, and some tissues fill theirs far better than others.
#
# > **Guess**: which tissue will the model find hardest, given nothing but its box?
#
# ## Prompt with one box
#
# SAM has three parts. The **image encoder**, by far the largest, reads the slice once and turns it into a grid of numbers, the *embedding*. The **prompt encoder** turns a box or a click into a few numbers of the same kind. The **mask decoder**, small and quick, brings the two together and draws a mask. This is why there are two calls: `embed` once for a slice, and `predict` as often as you have something to ask about it.
#
# We ask about a tissue of middling size that is in one piece.

# %% alt="Close-up of one tissue: the outline of the reference dashed, that of the prediction solid, and the box"
in_one_piece = [label for label in prompted.labels if len(prompted.prompts[label]) == 1]
by_area = sorted(in_one_piece, key=lambda label: prompted.references[label].sum())
label = by_area[len(by_area) // 2]
reference, box_xyxy = prompted.references[label], prompted.prompts[label].boxes_xyxy
embedding = segmenter.embed(case_slice.image)
prediction = segmenter.predict(embedding, boxes_xyxy=box_xyxy)
mask, opinion = prediction.masks[0, 0], prediction.predicted_iou[0, 0]
print(f"{segmenter.name}, {example.tissue(label)}: {prediction}, predicted IoU {opinion:.2f}")
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
# **What you see**: a close-up, reference dashed, prediction solid. The line printed above says what came back: for one prompt one mask, and the *predicted IoU*, the model's own opinion of how well it overlaps (intersection over union, a stricter relative of Dice; `nan` if it never learned to judge itself). The box was computed from the very reference we score against: it is an **oracle box**. Nobody has it on a new scan, and it gives away size and place before the model has done anything.
#
# ## Fill the box
#
# So what is the box worth alone? Fill it, call that the prediction, and score it. This *filled box* is the baseline of every table in this workbook.
#
# > **Guess**: the Dice of a filled box around the tissue above. Around a perfect disc?

# %%
filled = prompts.fill_boxes(box_xyxy, reference.shape)
by_hand = 2 * (reference & mask).sum() / (reference.sum() + mask.sum())  # all that Dice is
assert np.isclose(by_hand, evaluation.dice(reference, mask))
scores = {"model": by_hand, "filled box": evaluation.dice(reference, filled)}
pd.Series(scores, name="Dice").to_frame().round(3)

# %% [markdown]
# **What you see**: whatever the model scored, only its distance to the filled box is its own work.
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
print(f"a filled box around a disc: Dice {disc_dice:.3f}")

# %% [markdown]
# **Discussion**: the disc covers about 79 % of its square, which makes a Dice of nearly 0.9 without any model. Muscles in cross-section, vertebral bodies and the ends of long bones are often as compact as that. A table without this column flatters every model in it.
#
# ## Score people first
#
# One slice proves nothing. Now every model gets oracle boxes on slices of several people, tight ones and wider ones.
#
# The width matters more than it seems. MedSAM and LiteMedSAM learned from boxes whose sides lay outwards of the tight ones, by up to 20 pixels of a frame of 1024, and the script with which MedSAM's authors ran SAM for their comparison adds 20 on every side. On a slice of 256 pixels that is 5. A tight box is therefore the edge of what they saw, and no side of a box ever lay inside the object. SAM's boxes were moved both ways. A wider box says less, and the filled box shows how much less.
#
# > **Guess**: with tight boxes on real vertebrae, which is higher, the published medical model or the filled box? And with boxes wider by two pixels?
#
# A run of hours asked more people than this one will, with the same cells (`make results`). Its table comes first: vertebrae of people of two sites, and drawn spines.

# %%
study = prompting.committed_results(results, "03_margins*.csv")
print(study.origin)
prompting.margin_table(study.rows).round(3) if study else study.rows

# %% [markdown]
# **What you see**: whose weights the tables are of, then for each data set the filled box and below it each model, from tight boxes to the widest; no rows where nothing is committed. `n_subjects` counts people. A drawing that ranks model and box as people do was a good rehearsal; where the order differs, the drawing misled. Now the same on fewer people, by the models that you have here.

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
    evaluation.score_cases(
        each, chosen, prompts=boxes, slice_step=step, progress=False, kept=predictions
    )
    for chosen, boxes, step, asked in plan
    for each in (asked if chosen else [])
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
# **What you see**: for each data set the filled box, then each model, from tight boxes to the widest. All got the very same boxes. Without real scans here the rows are of phantoms.
#
# Read the published model first, in the column of tight boxes: is it above the *filled box*, which is a rectangle and no model at all? Then go to the right. Two pixels on every side, about what a careful person adds without thinking, take a good part from the rectangle. Do they take as much from the model? A study that reports only one of these columns has chosen its conclusion with the margin, whether it meant to or not.

# %% alt="Dice over the margin of the box, a panel for each data set, a line for each model and one for the filled box"
margin_axes = prompting.margin_panels(by_margin, seen_px=prompting.seen_margins_px(cases))
display.save_figure(margin_axes[0], figures / "03_margins.png", provenance=facts)
ahead = prompting.model_ahead(by_margin)
above_box = prompting.above_box_by_margin(by_margin)
above_box.rename_axis(columns="data sets above the filled box, by margin in px")

# %% [markdown]
# **What you see**: the table counts the data sets on which a model is above the very boxes that it was given, at each margin in pixels. In the figure, diamonds are the boxes filled, and the grey band is what MedSAM's training covered, converted to pixels of these slices. Look at three things. Does a model *rise* at first? Then tight boxes are not what it knows best. Does its line fall less than the diamonds? Then it finds the border by itself instead of trusting the box. And does the model that is ahead change from left to right? Then "which model?" has no answer without the margin. Hoyer found SAM ahead, Ma and colleagues MedSAM; the margin may be part of what divides them, and neither text says how wide its boxes were in the end.
#
# Where a miniature is ahead of the published model, read it with care: the miniature learned from drawn scenes with boxes moved both ways, so tight boxes on blocks with clear borders are its home. It shows that a box leaves little to do there, not that it is the better model.
#
# ## Look at the masks
#
# Numbers do not say *how* a model fails. The masks behind the table were kept, so nothing is predicted again. Here is the fullest of the scored slices of each data set: boxes and reference, then what each model made of them. Each tissue is the answer to its own boxes, so answers may overlap; where they do, the smaller tissue is drawn on top.

# %% alt="For each data set the slice with boxes and reference, and beside it the answer of each model, one colour per tissue"
for prompted_slice, answers in prompting.fullest_answers(table, predictions, cases, tight):
    scan = prompted_slice.case.name
    heading = f"{scan}: mean Dice of oracle boxes, reference dashed"
    answer_axes = prompting.boxes_and_predictions(prompted_slice, answers, title=heading)
    target = figures / f"03_overlay_{prompted_slice.case.subject}.png"
    display.save_figure(answer_axes[0], target, provenance=facts)

# %% [markdown]
# **What you see**: look for masks that leak over a border without contrast, for holes and flecks, for a mask that stops short of a tight box on every side, and for a sheet of cartilage whose answer is the bone it covers: both fit the box. The ring of subcutaneous fat has a box that holds the whole thigh, muscles and all; whether a model answers with the ring or with everything inside it, you see from the outlines.
#
# ## Score every slice of the drawings
#
# A phantom is drawn from its labels, so its reference has no error, and every slice of it is cheap. So here are all slices and all tissues, under four plans for the boxes (with data sets of your own and no phantom: the plans and slices that were scored above):
#
# - **oracle**: tight boxes from the reference, as we read the study (it says that boxes were computed from the reference, not whether a margin was added)
# - **oracle, margin**: the same, every side moved outwards by a few pixels, as a careful person draws, and as MedSAM was trained
# - **oracle, jitter**: each side moved at random, outwards or inwards, as a person in a hurry would draw
# - **neighbour**: *one* oracle slice per tissue, the one where it is largest; from there up and down, each slice gets the box of what was *predicted* on the slice before
#
# The last is the only one that you could use on a new scan, with one careful box per tissue in place of the oracle's. It needs neighbouring slices, so real scans, of which we took every n-th, have no such row unless `real_arms` asks for it.
#
# > **Guess**: order the four by Dice. How far apart are the first and the last?

# %%
in_arms = table["box_source"].isin([each.box_source for each in arms])
shown = prompting.by_site(table[in_arms & (is_drawn | ~is_drawn.any())])
of_plan = ["dataset", "segmenter", "prompt", "box_source"]
by_plan = evaluation.summarise(shown, by=of_plan).set_index(["dataset", "segmenter", "box_source"])
by_plan.drop(columns=["prompt", "filled_box_dice_sd", "n_labels", "n_slices"]).round(3)

# %% [markdown]
# **What you see**: one row for each data set, model and plan; the column `miniature` says who is ours.
#
# - `dice` is a mean of means. Within a person, all slices that hold a tissue are averaged (of all sequences, if you loaded more than one), then the tissues, then the people. A long muscle weighs no more than a short one.
# - `dice_sd` is the standard deviation *between people* of their means. It is empty with one person, and with two it is a hint, not an error bar.
# - `filled_box_dice` is what the very boxes of this row score with no model, so it falls when the boxes get worse.
# - `n_pairs` counts the pairs of slice and tissue in the mean. It is the same for all plans and models, so they are compared on the same pairs.
# - What is left out is counted: tissue with no piece large enough for a prompt (`n_too_small`); slices beyond a structure's end, where the neighbour plan went on and predicted something (`n_beyond_end`) or rightly nothing (`n_both_empty`).
#
# Look at `n_beyond_end`. Nothing tells a model that is given a box that the box is empty: it segments *something*. Those slices would score 0, and how many there are depends on how far the scan goes on beyond the structure, so they stay outside the mean and beside it.

# %% [markdown]
# ## Compare tissues
#
# A mean over all tissues hides the ones that fail. Here is the table that the study is about. It has *our layout: the abstract's cells are not public*. Rows are data sets and tissues, columns are models and box sources; the number of pairs of slice and tissue stands in brackets beside every mean.
#
# > **Guess**: on how many tissues is the model above its filled box?

# %% alt="Dice of each tissue by data set, one dot per slice, the mean, and a diamond for the filled box"
row = ["dataset", "tissue", "segmenter", "prompt", "box_source"]
by_tissue = evaluation.summarise(prompting.by_site(table[in_arms]), by=row)
evaluation.write_table(by_tissue, tables / "03_dice_by_tissue.csv", provenance=facts)
tissue_axes = prompting.dice_by_tissue(shown[shown["box_source"] == tight.box_source])
display.save_figure(tissue_axes, figures / "03_dice_by_tissue.png", provenance=facts)
prompting.dice_table(shown)

# %% [markdown]
# **What you see**: read *oracle minus filled box* first. It is what the model adds, and the rows are sorted by it. Where it is near zero or negative, drawing a rectangle does as well. That happens for two opposite reasons. A tissue that is nearly a rectangle leaves the model nothing to add, and every rounded corner costs it. A thin, curved sheet fills so little of its box that the box does not say what is meant, and the model takes the bulk inside it. Both columns are then low; look for the hip's cartilage, and set it against the knee's flat plates. Hoyer's data had all of these: thin cartilage, ring-shaped subcutaneous fat, elliptical vertebral bodies and discs.
#
# The last column of each model is the honest one. Where it falls far below *oracle*, the oracle did the work. Compare two models row by row rather than mean by mean: they can have one mean and fail on different tissues.
#
# The figure shows the means of tight boxes with every slice behind them. A diamond to the right of its dot means that the rectangle would have done better. Wide rows of small dots are tissues whose shape changes from slice to slice: look there for slices near an end.
#
# Now by **kind of tissue**, tight boxes only, people and drawings apart. "SAM draws more than its box says" may hold of muscles and not of cartilage, so a mean over all of them settles little.

# %%
of_tight = table[table["box_source"] == tight.box_source]
kinds = ["reference_provenance", "group", "segmenter", "prompt", "box_source"]
by_kind = evaluation.summarise(of_tight, by=kinds)
by_kind.insert(5, "above_box", by_kind["dice"] - by_kind["filled_box_dice"])
evaluation.write_table(by_kind, tables / "03_above_box_by_kind.csv", provenance=facts)
by_kind.sort_values("above_box").set_index(kinds[:3]).drop(columns=kinds[3:]).round(3)

# %% [markdown]
# **What you see**: `above_box` is what the model adds to its tight box, lowest first. The first column says whose references these are; only *synthetic* ones are drawings. Kinds are those of the manifest, so vertebrae of two data sets are one kind; `other` is what nobody named. A row with few labels or people is an example, not a finding.
#
# ## Set the models side by side
#
# Hoyer's question was which of the two siblings to start from. Per data set and kind of box, the means of the models on the same pairs, who is ahead, and by how much before the next. The abstract gives SAM up to 0.210 more than MedSAM, or a difference of 0.007 without a sign.
#
# > **Guess**: `medsam_vit_mini` was tuned on CT-like and endoscopy-like scenes, with tight boxes only. On which plan will it lose most?

# %%
of_arms = evaluation.summarise(prompting.by_site(table[in_arms]), by=of_plan)
means = of_arms.pivot_table("dice", of_plan[::3], "segmenter", sort=False)
lead = np.ptp(np.sort(means.fillna(0), axis=1)[:, -2:], axis=1)  # of the best before the next
compared = means.assign(ahead=means.idxmax(axis=1), by=lead)
evaluation.write_table(compared.reset_index(), tables / "03_models.csv", provenance=facts)
compared.round(3)

# %% [markdown]
# **What you see**: an empty cell is a model that was not asked there; `by` is 0 if you loaded one model. **Between our two miniatures the winner proves nothing about the published models**: we made both, `medsam_vit_mini` by tuning `sam_vit_mini` for minutes on synthetic scenes of another domain, so who wins here is our construction. What carries over is how to ask: same slices, same boxes, each model with *its own* preprocessing (SAM pads the slice to a square, MedSAM squashes it; fed with the other's, each would lose for no reason of its own), one table.
#
# ## Look at the worst
#
# The slices above were chosen for their number of tissues. The next ones are chosen by the table: of each data set the worst pair of slice and tissue of the first model.

# %% alt="Close-ups of the worst slice and tissue of each data set: reference, prediction and box"
by_set = prompting.by_site(of_tight).groupby("dataset", sort=False)
oracle = of_tight[of_tight["segmenter"] == by_set["segmenter"].transform("first")]
worst = oracle.loc[prompting.by_site(oracle).groupby("dataset", sort=False)["dice"].idxmin()]
failures = [predictions[row] for row in worst.index]
close_ups = display.montage(
    [failure.case_slice for failure in failures],
    titles=[f"{row.segmenter}, {row.tissue}: {row.dice:.2f}" for row in worst.itertuples()],
    title="Lowest Dice of each data set: reference blue and dashed, prediction orange, box white",
)
for ax, failure in zip(close_ups, failures, strict=True):
    display.draw_boxes(ax, failure.boxes_xyxy)
    display.draw_label_map(ax, failure.reference, colours={1: "#56B4E9"}, linestyle="dashed")
    display.draw_label_map(ax, failure.prediction, colours={1: "#E69F00"})
    x0, y0, x1, y1 = display.frame_around(failure.boxes_xyxy, shape=failure.reference.shape)
    ax.set(xlim=(x0, x1), ylim=(y1, y0))

# %% [markdown]
# **What you see**: ask of each whether a person, given this box and nothing else, would have known what was meant. Often the failure is the prompt's.
#
# ### Exercise 2: clicks instead of a box (10 minutes)
#
# Score oracle *points* on the first scan, with a model that answers points: one per piece at its most central place, then five per piece. Is a click worth more or less than a box, and do four more help? *Hint: `OraclePoint()` and `OraclePoint(n=5)` go where `tight` stands; the column `n_points` tells them apart.*

# %% tags=["exercise"]
pointed = next((k for k in segmenters if "point" in k.prompt_kinds), None)
pointed_at = pointed or mskseg.load_segmenter("sam_vit_mini", device=device)
mine = [tight]  # replace this line by two plans of points
tried = evaluation.score_cases(pointed_at, example, prompts=mine, slice_step=4, progress=False)
groups = ["segmenter", "prompt", "n_points", "box_source"]
evaluation.summarise(tried, by=groups)[[*groups, "dice", "filled_box_dice", "n_pairs"]].round(3)

# %% tags=["solution"] jupyter={"source_hidden": true}
clicks = [tight, prompts.OraclePoint(), prompts.OraclePoint(n=5, seed=seed)]
clicked = evaluation.score_cases(pointed_at, example, prompts=clicks, slice_step=4, progress=False)
evaluation.summarise(clicked, by=groups)[[*groups, "dice", "filled_box_dice", "n_pairs"]].round(3)

# %% [markdown]
# **Discussion**: a click says where, a box says where and how large. A point inside a muscle may mean the muscle, a bundle of it, or the whole leg, and more points inside do not say where it ends. SAM was built to answer a single click with three masks, which is the subject of a later notebook. The filled box beside a click is that of the tissue's own box, which the click does not know.
#
# ## Take-aways

# %%
words = {
    tight.box_source: "tight boxes",
    outward.box_source: f"{outward_px:g} pixels more on each side",
    jittered.box_source: f"sides off by up to {jitter_px:g} pixels",
    neighbour.box_source: "the neighbouring slice's boxes",
}
lines = [
    f"- **{dataset}**, {model}: {rows['filled_box_dice'].iloc[0]:.2f} for the tight boxes, filled; "
    + ", ".join(f"{row.dice:.2f} with {words[row.box_source]}" for row in rows.itertuples())
    for (dataset, model), rows in of_arms.groupby(["dataset", "segmenter"], sort=False)
]

# %%
of_tissues = by_tissue[by_tissue["box_source"] == tight.box_source]
nothing = (of_tissues["dice"] <= of_tissues["filled_box_dice"]).groupby(of_tissues["segmenter"])
adds_nothing = [f"{name} on {k.sum()} of {len(k)} tissues" for name, k in nothing]
margins = [
    f"{name} with tight boxes on {row.iloc[0]} of {row['of']}, with {widths_px[1]:g} pixels more on {row.iloc[1]}"
    for name, row in above_box.iterrows()
]
kinds_of_reference = ", ".join(sorted({case.reference_provenance for case in cases}))
Markdown(f"""Mean Dice; references: {kinds_of_reference}.

{chr(10).join(lines)}
- Data sets above the filled box ({"real people" if people else "phantoms"}): {"; ".join(margins)}.
- Widen the boxes by up to {widths_px[-1]:g} pixels, and the model that is ahead changes on **{(ahead.nunique(axis=1) > 1).sum()} of {len(ahead)}** of these data sets.
- Nothing is added to tight boxes by {"; ".join(adds_nothing)}.
- Beyond a structure's end the neighbour plan still predicted something on **{of_arms["n_beyond_end"].sum()}** pairs of slice and tissue.
""")

# %% [markdown]
# ## Limits
#
# - Of real people there are few, and of each a few slices; of the single scans nobody says who drew the reference, or a program did. Whether LiteMedSAM's training data held these scans is not known; if they did, its scores flatter it.
# - The miniatures and phantoms are made by this project; their scores are no evidence about SAM, MedSAM or patients, and if one miniature is above another, that is our construction.
# - Oracle boxes flatter: finding the structure is half of the work, and they do it. The neighbour plan still takes one slice per tissue from the reference, and the reference names the tissues.
# - One sequence each unless you ask for more, slice by slice. Dice favours large tissues and knows nothing of millimetres; boundary distances stand in other columns of the first table.
# - The cells of the study's own table are not public, nor are its data; the layout and the numbers here are ours.

# %% [markdown]
# ## Next
#
# Notebook 04 tunes the model on a few people, and asks what that gains on others. Before it, put other scans into `datasets` or another published model into `models` and run all cells again here, and lay the table beside the thicknesses and contrasts of notebook 01: which of the two explains where the model adds nothing?
#
# - Hoyer et al., *Towards a Generalizable Foundation Model for Multi-Tissue Musculoskeletal MRI Segmentation*, ISMRM 2024, 0651, doi:10.58530/2024/0651
# - Kirillov et al., *Segment Anything*, ICCV 2023, doi:10.1109/ICCV51070.2023.00371
# - Ma et al., *Segment anything in medical images* (MedSAM), Nature Communications 2024, doi:10.1038/s41467-024-44824-z
