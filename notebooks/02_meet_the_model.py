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
# # Meet the model
#
# What happens between a click and a mask, and how far can the model be trusted to judge its own answer?
#
# *About 1 minute on two CPU cores, seconds on a GPU · built-in knee phantom · previous notebook: 01_explore_the_data*

# %% [markdown]
# **What you will do**: take a promptable model apart, give it every kind of prompt that it knows, and segment a meniscus with as few clicks as you can.
#
# **What you will learn**
# - to name the three parts of SAM, what goes into each and what comes out
# - to say what is computed once for a slice and what once for a prompt
# - to explain why one point gives three masks, and to choose among them
# - to compare the quality that the model predicts with the quality that its mask has
# - to read the filters that turn a grid of points into "masks of everything"
#
# **What you need**: notebook 01, or to know what a slice and a label map are. No GPU, no internet.

# %%
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown

import mskseg
from mskseg import display
from mskseg.datasets.selection import fullest_slice, load_some
from mskseg.display.canvas.widget import PromptExplorer, widgets_work
from mskseg.evaluation.metrics import dice
from mskseg.evaluation.tables import score_cases, write_table
from mskseg.models.automatic import grid_candidates
from mskseg.prompts import boxes_from_mask, central_point, error_point, jitter_boxes, random_points
from mskseg.prompts.oracle_plans import OracleBox, OraclePoint
from mskseg.provenance import provenance
from mskseg_mini import figures as scene_figures
from mskseg_mini.scenes import random_scenes
from mskseg_studies import model_parts
from mskseg_studies.model_parts.parts import count_parameters, describe_prompts, shapes_of
from mskseg_studies.model_parts.views import (
    embedding_colours,
    embedding_likeness,
    slice_px_per_cell,
)

# %% tags=["parameters"]
dataset = "phantom_knee"  # a data set of the manifest
model = "sam_vit_mini"  # a model of the manifest that learned points; "sam_vit_b" is published
n_clicks = 8  # corrections after the first click
points_per_side = 32  # of the grid for automatic masks; the published setting
min_predicted_iou = 0.6  # automatic masks below are dropped; published: 0.88
min_stability = 0.7  # the same for their stability; published: 0.95
slice_step = 3  # score every n-th slice
good_dice = 0.7  # from here on a tissue counts as found by an automatic mask
seed = 0  # of random points and of jitter
output = "../output"  # folder for the table and the figures

# %%
tables, figures = Path(output, "tables"), Path(output, "figures")
named, rng = mskseg.load_segmenter(model), np.random.default_rng(seed)
segmenter = named if named.learned_iou else mskseg.load_segmenter("sam_vit_mini")
if segmenter is not named:
    print(f"{named.name} answers boxes alone and rates nothing: {segmenter.name} is asked instead")
cases = load_some(dataset)
print(f"mskseg {mskseg.__version__}, {segmenter}, {segmenter.device}, seed {seed}")

# %% [markdown]
# ## Name the three parts
#
# Kirillov and colleagues (2023) asked for a model that answers any *prompt*, a click, a box, a rough mask, with a sensible mask, fast enough that a person can wait for it. Their answer has three parts: a heavy **image encoder**, a tiny **prompt encoder** and a light **mask decoder**.
#
# What you take apart here is `sam_vit_mini`, a **miniature** that this project trained on synthetic scenes. Its prompt encoder and mask decoder are SAM's own code, built narrower; its image encoder is another, smaller network. Put `"sam_vit_b"` into the parameters and the same cells take the published model apart.
#
# > **Guess**: which part holds most of the parameters, and which takes most of the time?

# %% alt="The three parts of the model with the sizes of what passes between them"
parts = count_parameters(segmenter)
drawing = model_parts.draw_architecture(
    shapes_of(segmenter),
    parameters=dict(zip(parts["part"], parts["parameters"], strict=True)),
    title="A slice is encoded once; a prompt costs a small decoder",
)

# %% [markdown]
# **What you see**: nearly everything sits in the image encoder. That is the point of the design: the expensive part runs once for a slice, and a reader who clicks ten times waits for the decoder ten times. In the published ViT-B the split is more extreme still: 89.7 million parameters against 4.1 million.
#
# ## Encode a slice
#
# The encoder turns a slice into its **embedding**: a coarse grid of cells, and for each cell a list of numbers that say what is there. Everything after it sees the embedding, never the slice. We take the slice with the most tissues, and its largest tissue as the object to ask for.

# %%
case = cases[0]
one = fullest_slice(case)
largest = max(case.reference.labels, key=lambda k: np.count_nonzero(one.label_map == k))
target, tissue = one.label_map == largest, case.tissue(largest)
print(f"{case.name}, slice {one.index}: {one.image.shape} pixels, asked for: {tissue}")

# %%
embedding = segmenter.embed(one.image)
print(f"{tuple(embedding.features.shape)} numbers in {1000 * embedding.encode_s:.0f} ms")

# %% [markdown]
# What is in those numbers? Two ways to look: paint the three directions in which the cells differ most as red, green and blue; or take the cell under one point and ask which others resemble it.

# %% alt="A slice, its embedding in false colours, and how much each cell resembles the one under a point"
inside = central_point(target, spacing_mm=one.spacing_mm)
seen = display.embedding_beside(
    one,
    colours=embedding_colours(embedding, segmenter=segmenter),
    likeness=embedding_likeness(embedding, tuple(inside), segmenter=segmenter),
    cell_px=slice_px_per_cell(embedding, segmenter),
    point=inside,
    title="The encoder has roughly sorted the slice before anybody prompts",
)

# %% [markdown]
# **What you see**: the embedding is coarse, one cell for many pixels, and neighbouring cells of one tissue tend to one colour although nobody named a tissue (where a cell lies also colours it). What is thinner than a cell has to be hidden in the cell's many numbers; keep that in mind when cartilage fails.
#
# ## Turn prompts into tokens
#
# The prompt encoder knows nothing of the image. It turns a point into a *token*: where (a position encoding) plus what (inside, outside, corner of a box). An earlier mask becomes a *dense part*, which is added to the embedding cell by cell.
#
# > **Guess**: how many tokens is a point? A box? A box with a point?

# %%
box = boxes_from_mask(target, spacing_mm=one.spacing_mm)[0]
first = segmenter.predict(embedding, boxes_xyxy=box)
a_point = {"point_coords": inside[None], "point_labels": [1]}
three = {"point_coords": random_points(target, 3, rng=rng), "point_labels": [1, 1, 1]}
its_mask = {"mask_logits": first.low_res_logits[:, 0]}

# %%
prompts = {
    "one point": a_point,
    "three points": three,
    "a box": {"boxes_xyxy": box},
    "a box and a point": {"boxes_xyxy": box, **a_point},
    "a box and its mask": {"boxes_xyxy": box, **its_mask},
}
describe_prompts(segmenter, one.image.shape, prompts).set_index("prompt")

# %% [markdown]
# **What you see**: a box is its two corners. Points alone get one more token, of padding, which says "no box came"; the model learned it that way, and leaving it out changes the answer.
#
# ## Ask in every way
#
# The decoder lets tokens and cells look at each other (attention, in both directions, twice), then paints masks at low resolution: for each pixel a *logit*, a number that is above 0 where the model says "inside". What comes back is compared with the reference by **Dice**, twice the overlap over the sum of both areas: 1 for the same mask, 0 for none in common. The same object, asked for in five ways:

# %% alt="The answers to five kinds of prompt, side by side on the slice"
answers = {
    name: segmenter.predict(embedding, **prompt).masks[0, 0] for name, prompt in prompts.items()
}
headings = [f"{name}: {dice(target, mask):.2f}" for name, mask in answers.items()]
asked = display.masks_beside(
    one, list(answers.values()), titles=headings, title=f"Dice of the {tissue} by kind of prompt"
)

# %% [markdown]
# **What you see**: a point says where, a box says where and how large. Feeding back the mask of an earlier answer lets the model refine it, which matters once corrections come in. One object on one slice proves nothing; notebook 06 counts points over many.
#
# ## Let one point be ambiguous
#
# A click on a kneecap: the kneecap, its cartilage with it, or the whole knee? SAM answers with **three masks** and predicts the **IoU** of each (intersection over union, overlap over the area that either covers: a stricter relative of Dice). In training only the best of the three was corrected, so that each could specialise.

# %%
candidates = segmenter.predict(embedding, **a_point, multimask=True)
predicted, three_masks = candidates.predicted_iou[0], candidates.masks[0]
true = [(mask & target).sum() / (mask | target).sum() for mask in three_masks]

# %% alt="Three masks for one point, with predicted and true IoU of each"
ways = display.masks_beside(
    one,
    three_masks,
    titles=[f"predicted {p:.2f}, true {t:.2f}" for p, t in zip(predicted, true, strict=True)],
    point=inside,
    title="One point, three masks, and what the model thinks of each",
)

# %% [markdown]
# **What you see**: who knows what was meant takes the best of the three (that needs the reference, so it is an *oracle*); the model itself can only take the one it rates highest. The two differ as often as its ratings are wrong, so let us look at those.
#
# ## Compare predicted with true IoU
#
# > **Guess**: may a predicted IoU be above 1?

# %%
plans = [OracleBox(), OraclePoint()]
table = score_cases(segmenter, cases, prompts=plans, slice_step=slice_step)
facts = provenance(command="02_meet_the_model", segmenter=segmenter, cases=cases, seed=seed)
write_table(table, tables / "02_predicted_iou.csv", provenance=facts)

# %% alt="Predicted against true IoU of every tissue on every slice, for boxes and for points"
pairs = table.dropna(subset=["predicted_iou", "iou"])
by_prompt = {name: (rows["predicted_iou"], rows["iou"]) for name, rows in pairs.groupby("prompt")}
r = pairs["predicted_iou"].corr(pairs["iou"])
agreement = display.estimate_chart(by_prompt, title=f"It knows something about itself: r = {r:.2f}")
display.save_figure(agreement, figures / "02_predicted_iou.png", provenance=facts)

# %% [markdown]
# **What you see**: the prediction comes from a small regression head. Nothing bounds it to 0..1, and nothing taught it about a tissue that it never saw. It ranks masks; it is not a probability. Notebook 08 asks when such a number may be trusted.
#
# ## Correct with clicks
#
# Now the loop that SAM was trained with: click the middle of the object, look where the mask is wrong, click there, and again. With each click the model gets all clicks so far and its own last mask. The simulated reader clicks where the error is deepest: inside if a part was missed, outside if too much was painted.

# %%
points, labels, scores, fed_back = [inside], [1], [], {}
for _ in range(n_clicks + 1):
    clicks = {"point_coords": points, "point_labels": labels}
    answer = segmenter.predict(embedding, **clicks, **fed_back)
    fed_back = {"mask_logits": answer.low_res_logits[:, 0]}
    scores.append(dice(target, answer.masks[0, 0]))
    point, label = error_point(target, answer.masks[0, 0])
    points, labels = [*points, point], [*labels, label]
print("Dice after each click: " + ", ".join(f"{score:.2f}" for score in scores))

# %% alt="The slice with all clicks and the mask after the last one"
(clicked,) = display.masks_beside(
    one,
    answer.masks[0],
    titles=[f"{len(scores)} clicks: Dice {scores[0]:.2f} to {scores[-1]:.2f}"],
)
display.draw_label_map(clicked, target, colours={1: "white"}, linestyle="dashed")
all_clicks = display.draw_points(clicked, points[: len(scores)], point_labels=labels[: len(scores)])

# %% [markdown]
# **What you see**: read the line above from left to right. Early corrections usually gain most, and a click can also *lose*: the last mask is a hint, and the whole mask is drawn anew. Circles say inside, crosses outside; dashed is the reference.
#
# ## Simulate the prompts of training
#
# Nobody clicked eleven million photographs for training. Prompts were drawn from masks: a point anywhere inside, or a box whose corners were moved by noise. A model that saw only perfect boxes would be lost with a reader's.
#
# The miniature saw no photograph either, nor any scan or phantom: its masks are those of scenes that a program draws without end. Below are some of them, then boxes with such noise on our slice.

# %% alt="Eight synthetic training scenes, up to five objects of each outlined"
scenes = random_scenes(8, generator=torch.Generator().manual_seed(seed))
page = scene_figures.scene_page(
    scenes, title="Drawn, not scanned: SAM-mini learned from scenes like these"
)

# %% alt="Ten noisy boxes around one object"
noisy = jitter_boxes(np.repeat(box[None], 10, axis=0), shape=target.shape, rng=rng, relative=0.1)
moved = segmenter.predict(embedding, boxes_xyxy=noisy).masks[:, 0]
spread = sorted(dice(target, each) for each in moved)
drawn = display.show_slice(one.image, spacing_mm=one.spacing_mm)
drawn.set_title(f"Boxes moved by a tenth: Dice {spread[0]:.2f} to {spread[-1]:.2f}")
all_boxes = display.draw_boxes(drawn, noisy)

# %% [markdown]
# **What you see**: some scenes are limbs in section, joints and bands by design, so that "zero-shot" holds for images here, less for shapes. On our slice the answer moves with the box, and not always downwards. A spread over moved boxes is the cheapest measure of how sure an answer is; notebook 08 makes maps of it.
#
# ## Segment everything
#
# Without any prompt: put a grid of points over the slice, take three masks for each, and throw most of them away. Three filters do that: a mask must be **good** (predicted IoU), **stable** (nearly the same if it is cut at a higher or at a lower logit than 0, so that its border is sharp), and **new** (no better mask with nearly the same box).
#
# This is how SA-1B, the data set that SAM was trained on, came about: first annotators clicked with the model's help (*assisted*), then the model filled in what it was sure of and they added the rest (*semi-automatic*), then it ran alone from such a grid (*fully automatic*): 1.1 billion masks.

# %%
everything = grid_candidates(segmenter, one.image, points_per_side=points_per_side)
good = everything.where(everything.predicted_iou >= min_predicted_iou)
stable = good.where(good.stability >= min_stability)
new = stable.without_duplicates()
left = {"candidates": everything, "good": good, "stable": stable, "new": new}
pd.Series({name: len(some) for name, some in left.items()}, name="masks left").to_frame()

# %% alt="The masks that remain, each in a colour"
how_many = f"{len(new)} masks remain of {len(everything)}"
remaining = display.show_slice(one.image, spacing_mm=one.spacing_mm, title=how_many)
all_masks = display.draw_masks(remaining, new.masks)

# %% [markdown]
# **What you see**: pieces without names. Automatic masks find what has a border; whether that is a tissue, a part of one or a shadow they cannot say. For segmentation of named tissues this is a source of proposals, not an answer.
#
# ## Prompt by hand
#
# Now you. On the **canvas** below, click for a point inside, shift-click for one outside, drag for a box; `u` undoes, `c` clears, `n` takes the next of three masks, page up and page down change the slice. It starts on a tissue that is much harder than the first: a meniscus, one of the two thin wedges of the knee joint (in other data, whatever label comes first). Where widgets are not shown (a page of HTML, some viewers) you see a figure, and the same actions are methods: `explorer.add_point(x, y)`, `explorer.set_box([x0, y0, x1, y1])`.

# %%
menisci = [k for k in case.reference.labels if "meniscus" in case.tissue(k)]
wanted = (menisci or list(case.reference.labels))[0]
there = max(case.slices(), key=lambda each: np.count_nonzero(each.label_map == wanted))
meniscus = there.label_map == wanted
corners = boxes_from_mask(meniscus, spacing_mm=there.spacing_mm)[0]

# %%
explorer = PromptExplorer(case, segmenter)
explorer.choose_tissue(wanted)
explorer.go_to(there.index)
print("the canvas works in JupyterLab" if widgets_work() else "no kernel: use the methods")
explorer

# %% alt="The slice of the canvas as a static figure, with the outline of the meniscus"
frame = display.frame_around(corners, shape=meniscus.shape, margin=0.8)
static = explorer.figure()
limits = static.set(xlim=frame[[0, 2]], ylim=frame[[3, 1]])
heading = static.set_title(
    f"{case.tissue(wanted)}: x0, y0, x1, y1 = {corners.round().astype(int).tolist()}"
)

# %% [markdown]
# ### Exercise 1: the fewest prompts (15 minutes)
#
# Ask for this tissue with as few prompts as you can, for a Dice as high as you can: on the canvas, or here. *Hint: a box first; then look where the mask is wrong. The log counts for you; two readers can compare theirs.*

# %% tags=["exercise"]
explorer.add_point(*central_point(meniscus))  # or click on the canvas
explorer.log[["seconds", "action", "points", "boxes", "dice"]].round(2)

# %% tags=["solution"] jupyter={"source_hidden": true}
explorer.clear()
explorer.set_box(corners)
where, what = error_point(meniscus, explorer.session.mask)
explorer.add_point(*where, inside=bool(what))
explorer.log[["seconds", "action", "points", "boxes", "dice"]].round(2)

# %% [markdown]
# **Discussion**: on a small, thin tissue a box is worth its two clicks: it says where to stop, which a point cannot. Whether a correction helps depends on where it is clicked; the simulated one goes to the deepest error.
#
# ### Pitfall: a prompt beside the image
#
# Coordinates are x, y; arrays are indexed row, column. Swap the two and a prompt lands elsewhere, in silence, unless it falls outside.

# %%
try:
    segmenter.predict(embedding, point_coords=[[target.shape[1] + 9.0, 5.0]], point_labels=[1])
except mskseg.InputError as error:
    assert "outside" in str(error)
    print(error)
else:
    raise AssertionError("a point outside the slice was accepted")

# %% [markdown]
# ## Take-aways

# %%
best = {
    k: max((dice(one.label_map == k, mask) for mask in new.masks), default=0.0)
    for k in np.unique(one.label_map[one.label_map > 0])
}
Markdown(f"""
- The image encoder holds **{parts["share"].iloc[0]:.0%}** of the parameters and runs once for a slice.
- One point on the {tissue}: Dice {dice(target, answers["one point"]):.2f}; its box: {dice(target, first.masks[0, 0]):.2f}.
- The best of three masks has IoU {max(true):.2f}; the one that the model rates highest has {true[int(predicted.argmax())]:.2f}.
- Predicted and true IoU correlate with **r = {r:.2f}** over {len(pairs)} answers; the highest prediction is {pairs["predicted_iou"].max():.2f}.
- {n_clicks} corrections took Dice from {scores[0]:.2f} to {scores[-1]:.2f}.
- Of {len(everything)} automatic masks {len(new)} remain; {sum(score >= good_dice for score in best.values())} of {len(best)} tissues are among them with a Dice of {good_dice} or more.
""")

# %% [markdown]
# ## Limits
#
# - One person, one sequence, one slice for most figures: they show *how* the model works, not how well.
# - The miniature's encoder is not a vision transformer; what its embedding looks like is no statement about SAM's.
# - Simulated clicks use the reference; no reader was asked.

# %% [markdown]
# ## Next
#
# Notebook 03 asks how well all this works without any training on knees, and what a Dice is worth beside that of the filled box.
#
# - Kirillov et al., *Segment Anything*, ICCV 2023, doi:10.1109/ICCV51070.2023.00371
# - Ma et al., *Segment anything in medical images*, Nature Communications 2024, doi:10.1038/s41467-024-44824-z
