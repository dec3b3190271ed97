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
# *Core · 30 minutes to read and try, about 1 to run on two CPU cores · built-in knee phantom, and a slice of a person if a real scan is installed · previous notebook: 01_explore_the_data*

# %% [markdown]
# **What you will do**: segment a meniscus with as few clicks as you can. Then take apart the model that answered you, and give it every kind of prompt that it knows.
#
# **What you will learn**
# - to name the three parts of SAM, what goes into each and what comes out
# - to say what is computed once per slice and what once per prompt
# - to explain why one point gives three masks, and to choose among them
# - to compare the quality that the model predicts with the quality that its mask has, and to say what selecting by it gains
# - to read the filters that turn a grid of points into "masks of everything"
#
# **What you need**: notebook 01, or to know what a slice and a label map are. No GPU, no internet.

# %% tags=["colab"] jupyter={"source_hidden": true}
import subprocess
import sys

if "google.colab" in sys.modules:  # elsewhere this cell does nothing
    install = [sys.executable, "-m", "pip", "install", "--quiet"]
    subprocess.run([*install, "mskseg[workbook,train,lite]"], check=True)

# %%
from pathlib import Path

import numpy as np
from IPython.display import Markdown

import mskseg
from mskseg import display, evaluation, prompts
from mskseg_mini.figures import random_scene_page
from mskseg_studies import model_parts

# %% tags=["parameters"]
datasets = ["phantom_knee", "spine_vertebrae"]  # the first is used; of a second a slice is shown
models = ["lite_medsam", "sam_vit_mini"]  # of the manifest; the first that learned points is used
device = "auto"  # cuda, else mps, else cpu; or one of them
n_clicks = 8  # corrections after the first click
n_draws = 5  # readers who click at random, to see how far they differ
points_per_side = 32  # of the grid for automatic masks; the published setting
min_predicted_iou = 0.6  # automatic masks below are dropped; published: 0.88
min_stability = 0.7  # the same for their stability; published: 0.95
n_subjects = 5  # people whose automatic masks are judged; all else shows the first of them
judged_points_per_side = 12  # of the grid for these masks; fewer, since it is laid over each person
slice_step = 3  # score every n-th slice
good_dice = 0.7  # from here on a tissue counts as found by an automatic mask
seed = 0  # of random points and of jitter
output = "../output"  # folder for the table and the figures

# %%
tables, figures = Path(output, "tables"), Path(output, "figures")
names, rng = mskseg.at_hand(datasets), np.random.default_rng(seed)
asked = [mskseg.load_segmenter(name, device=device) for name in mskseg.at_hand(models)]
able = [each for each in asked if each.learned_iou and each.preprocessing.name == "sam"]
segmenter = able[0] if able else mskseg.load_segmenter("sam_vit_mini", device=device)
for passed_over in [each.name for each in asked if each not in able]:
    print(f"{passed_over} takes no points or predicts no IoU: {segmenter.name} is used")
cases, others = mskseg.load_some(names[0]), [mskseg.load_some(name)[0] for name in names[1:2]]
print(f"mskseg {mskseg.__version__}, {segmenter}, {segmenter.device}, seed {seed}")

# %% [markdown]
# ## Click first
#
# Before any theory, try it. On the **canvas** below, click for a point inside the object, shift-click for one outside, drag for a box, and drag inside the box to move it; `u` undoes, `c` clears, `n` takes the next of three masks, `h` hides Dice, page up and page down change the slice, **+** zooms in. A dotted **preview** follows the pointer; it is not a prompt, and `v` switches it off. If all cells have run, the canvas already shows the prompts of the solution: press `c` first. Clicks, boxes and earlier masks are called **prompts**, and a model that answers them is **promptable**.
#
# The object is a meniscus, one of the two thin wedges of the knee joint (in other data, the first label). The canvas does not show the **reference**, the outline that counts as right: it is the dashed line of the figure below the canvas. The canvas scores your mask by **Dice**: twice the overlap of mask and reference, over the sum of both areas; 1 for the same mask, 0 for none in common. Where widgets are not shown, the same actions are methods: `explorer.add_point(x, y)`, `explorer.set_box([x0, y0, x1, y1])`.

# %%
case = cases[0]
menisci = [label for label in case.reference.labels if "meniscus" in case.tissue(label)]
thin_label = (menisci or list(case.reference.labels))[0]
thin_slice = max(case.slices(), key=lambda k: np.count_nonzero(k.label_map == thin_label))
thin_target = thin_slice.label_map == thin_label
thin_box = prompts.boxes_from_mask(thin_target, spacing_mm=thin_slice.spacing_mm)[0]

# %%
explorer = mskseg.PromptExplorer(case, segmenter)
explorer.go_to(thin_slice.index, label=thin_label)
explorer

# %% alt="The slice of the canvas as a static figure, close up, with the outline of the meniscus"
x0, y0, x1, y1 = display.frame_around(thin_box, shape=thin_target.shape, margin=0.8)
explorer.go_to(thin_slice.index, plane=case.plane, label=thin_label)  # wherever you went
canvas_ax = explorer.figure()
canvas_ax.set(xlim=(x0, x1), ylim=(y1, y0))
corners = thin_box.round().astype(int).tolist()
canvas_title = canvas_ax.set_title(f"{case.tissue(thin_label)}: x0, y0, x1, y1 = {corners}")

# %% [markdown]
# ### Exercise 1: the fewest prompts (15 minutes)
#
# Get a Dice as high as you can with as few prompts as you can: on the canvas, or by the line of code below. (The title of the figure has the box of the reference. Try without it first.) *Hint: a box first; then look where the mask is wrong. The log counts for you; two readers can compare theirs.*

# %% tags=["exercise"]
# Without a canvas: explorer.add_point(*prompts.central_point(thin_target))
counted = ["seconds", "action", "tissue", "slice", "points", "boxes", "dice"]
explorer.log[counted].round(2)

# %% tags=["solution"] jupyter={"source_hidden": true}
explorer.go_to(thin_slice.index, plane=case.plane, label=thin_label)
explorer.clear()
explorer.set_box(thin_box)
error_xy, error_label = prompts.error_point(thin_target, explorer.session.mask)
explorer.add_point(*error_xy, inside=bool(error_label))
explorer.log[counted].round(2)

# %% [markdown]
# **Discussion**: on a small, thin tissue a box says where to stop, and a point cannot. Whether a correction helps depends on where it is clicked; the simulated one goes to the deepest place of the error.
#
# ## Name the three parts
#
# Now, what answered you? Kirillov and colleagues (2023) asked for a model that answers any prompt with a sensible mask, fast enough that a person can wait for it. Their answer, **SAM** (Segment Anything Model), has three parts: an **image encoder**, a **prompt encoder** and a **mask decoder**.
#
# The model here is `sam_vit_mini`, a **miniature** that this project trained on synthetic scenes. Its prompt encoder and mask decoder are SAM's own code, built narrower; its image encoder is another, smaller network. `lite_medsam` is published and has the same three parts, but it learned boxes only, so it is left to notebook 03. Put `"sam_vit_b"` first in `models`, and the same cells take the published SAM apart.
#
# > **Guess**: which part holds most of the *parameters*, the numbers that training sets?
# >
# > - **A**: the image encoder
# > - **B**: the prompt encoder
# > - **C**: the mask decoder

# %% alt="The three parts of the model with the sizes of what passes between them"
drawing = model_parts.draw_architecture(
    segmenter, title="A slice is encoded once; a prompt costs a small decoder"
)
parts = model_parts.count_parameters(segmenter).set_index("part")
print(f"Answer: {'ABC'[int(parts['share'].argmax())]}, the {parts['share'].idxmax()}.")
parts.round(3)

# %% [markdown]
# **What you see**: most of the model sits in the image encoder. That is the point of the design: the expensive part runs once for a slice. A reader who clicks ten times waits for the encoder once, and for the decoder ten times. In ViT-B, the smallest SAM that was published, the split is more extreme: 89.7 million parameters against 4.1 million.
#
# ## Encode a slice
#
# The encoder turns a slice into its **embedding**: a coarse grid of cells, and for each cell a list of numbers that say what is there. Everything after it sees the embedding, never the slice. We take the slice with the most tissues, and its largest tissue as the object.
#
# What is in those numbers? There are two ways to look. Paint the three directions in which the cells differ most as red, green and blue. Or take the cell under one point and ask which others resemble it (yellow: alike, blue: not).

# %%
case_slice = mskseg.fullest_slice(case)
label_map, spacing_mm = case_slice.label_map, case_slice.spacing_mm
largest = max(case.reference.labels, key=lambda k: np.count_nonzero(label_map == k))
target, tissue = label_map == largest, case.tissue(largest)
embedding = segmenter.embed(case_slice.image)
print(f"{tissue}: {tuple(embedding.features.shape)} numbers in {1000 * embedding.encode_s:.0f} ms")

# %% alt="A slice, its embedding in false colours, and how much each cell resembles the one under a point"
centre = prompts.central_point(target, spacing_mm=spacing_mm)
embedding_panels = model_parts.embedding_beside(
    case_slice,
    embedding,
    segmenter=segmenter,
    point=centre,
    title="The encoder has roughly sorted the slice before anybody prompts",
)

# %% [markdown]
# **What you see**: the embedding is coarse, one cell for many pixels. Neighbouring cells of one tissue tend to have one colour, although nobody named a tissue (where a cell lies affects its colour, too). What is thinner than a cell has to be hidden in the cell's many numbers. Keep that in mind when cartilage fails.
#
# ## Turn prompts into tokens
#
# The prompt encoder knows nothing of the image. It turns a point into a **token**, a short list of numbers: where it is, plus what it is (inside, outside, corner of a box). An earlier mask becomes a *dense part*: numbers for each cell, which are added to the embedding.
#
# > **Guess**: how many tokens does a single point become?
# >
# > - **A**: one
# > - **B**: two
# > - **C**: four

# %%
box = prompts.boxes_from_mask(target, spacing_mm=spacing_mm)[:1]
box_logits = segmenter.predict(embedding, boxes_xyxy=box).low_res_logits[:, 0]
point, inside = centre[None, None], np.array([[1]])
points = prompts.random_points(target, 3, rng=rng)[None]

# %%
prompt_kinds = {
    "one point": prompts.Prompt(point_coords=point, point_labels=inside),
    "three points": prompts.Prompt(point_coords=points, point_labels=np.ones((1, 3), int)),
    "a box": prompts.Prompt(boxes_xyxy=box),
    "a box and a point": prompts.Prompt(box, point_coords=point, point_labels=inside),
    "a box and its mask": prompts.Prompt(box, mask_logits=box_logits),
}
try:  # a mistake: beside the slice
    segmenter.predict(embedding, point_coords=[[target.shape[1] + 9.0, 5.0]], point_labels=[1])
except mskseg.InputError as error:
    assert "outside" in str(error)
    print(error)
else:
    raise AssertionError("a point outside the slice was accepted")
as_tokens = model_parts.describe_prompts(segmenter, target.shape, prompt_kinds).set_index("prompt")
print(f"Answer: {dict(zip((1, 2, 4), 'ABC', strict=True))[as_tokens['tokens'].iloc[0]]}.")
as_tokens

# %% [markdown]
# **What you see**: first the message that refuses a point beside the slice. Prompts are x, y, and arrays are indexed row, column: swap the two, and a prompt lands elsewhere, in silence unless it falls outside. Then the tokens. A box is its two corners. Points without a box get one more token, which says "there is no box". The model learned it that way, and leaving it out changes the answer. Only an earlier mask gives a dense part that differs from place to place.
#
# ## Ask in every way
#
# The decoder lets tokens and cells look at each other (*attention*, in both directions, twice). Then it paints masks at low resolution: for each pixel a **logit**, a number above 0 where the model says "inside". The same object, asked for in five ways:

# %% alt="The answers to five kinds of prompt, side by side on the slice"
masks = {
    kind: segmenter.predict(embedding, prompt).masks[0, 0] for kind, prompt in prompt_kinds.items()
}
dice_by_prompt = {kind: evaluation.dice(target, mask) for kind, mask in masks.items()}
prompt_panels = model_parts.masks_beside(
    case_slice,
    list(masks.values()),
    titles=[f"{kind}: {score:.2f}" for kind, score in dice_by_prompt.items()],
    title=f"Dice of the {tissue} by kind of prompt",
)

# %% [markdown]
# **What you see**: a point says where; a box says where and how large. In the last panel the model got its own answer back and could refine it, as it does after every correction. One object on one slice proves nothing; notebook 06 counts clicks over many.
#
# ## Let one point be ambiguous
#
# A click on a kneecap: does it mean the kneecap, its cartilage with it, or the whole knee? SAM answers with **three masks** and predicts the **IoU** of each. IoU (intersection over union) is the overlap over the area that either mask covers, a stricter relative of Dice. In training only the best of the three was corrected, so that each could specialise.

# %% alt="Three masks for one point, with predicted and true IoU of each"
ambiguous = segmenter.predict(embedding, prompt_kinds["one point"], multimask=True)
predicted_iou, three_masks = ambiguous.predicted_iou[0], ambiguous.masks[0]
true_iou = [evaluation.iou(target, mask) for mask in three_masks]
pairs = zip(predicted_iou, true_iou, strict=True)
three_panels = model_parts.masks_beside(
    case_slice,
    three_masks,
    titles=[f"predicted {predicted:.2f}, true {true:.2f}" for predicted, true in pairs],
    point=centre,
    title="One point, three masks, and what the model thinks of each",
)

# %% [markdown]
# **What you see**: whoever knows what was meant takes the best of the three. That needs the reference, so it is called an *oracle*. The model itself can only take the mask that it rates highest. The two differ as often as its ratings are wrong.
#
# ## Compare predicted with true IoU
#
# The **correlation** r says how well one number follows the other: 1 on a rising line, 0 without any connection.
#
# > **Guess**: what is r between predicted and true IoU?
# >
# > - **A**: above 0.9
# > - **B**: 0.5 to 0.9
# > - **C**: below 0.5

# %% alt="Predicted against true IoU of every tissue on every slice, for boxes and for points"
plans = [prompts.OracleBox(), prompts.OraclePoint()]
table = evaluation.score_cases(
    segmenter, cases, prompts=plans, slice_step=slice_step, progress=False
)
facts = mskseg.provenance(command="02_meet_the_model", segmenter=segmenter, cases=cases, seed=seed)
evaluation.write_table(table, tables / "02_predicted_iou.csv", provenance=facts)
estimates = table.dropna(subset=["predicted_iou", "iou"])
r = estimates["predicted_iou"].corr(estimates["iou"])
print(f"Answer: {'A' if r > 0.9 else 'B' if r >= 0.5 else 'C'}, r = {r:.2f}.")
estimate_ax = model_parts.estimate_chart(
    estimates, title=f"What it predicts for its masks, and what they reach: r = {r:.2f}"
)
display.save_figure(estimate_ax, figures / "02_predicted_iou.png", provenance=facts)

# %% [markdown]
# **What you see**: a dot is a mask; on the line the model is right about itself. At the upper left it is sure and wrong: on the built-in knee, these are boxes around the femoral cartilage, where it drew something else in the box. The prediction comes from a small extra network, and nothing keeps it between 0 and 1. It is not a probability. That it follows the true IoU over *all* masks does not mean that it picks the best of *three*: they are close together, and the scatter here is wide. Notebook 05 counts how often its favourite is the best, beside chance.
#
# ## Correct with clicks
#
# SAM was trained in a loop: click on the object, look where the mask is wrong, click there, and again. With each click the model gets all clicks so far and its own last mask. A click says *inside* where a part was missed, *outside* where too much was painted.
#
# But where in the error does a reader click? In **training** the click was drawn at random: each pixel of the error had the same chance. When SAM was **evaluated**, clicks went to the deepest place of the largest mistake, as a careful reader clicks. Here are both.
#
# > **Guess**: after the last click, which reader is ahead?
# >
# > - **A**: the careful one
# > - **B**: the one who clicks at random (mean of several)
# > - **C**: neither by more than 0.01

# %%
readers = model_parts.simulated_readers(
    segmenter, embedding, target, n_corrections=n_clicks, n_drawn=n_draws, seed=seed
)
dice_by_click = model_parts.dice_by_click(readers)
lead = dice_by_click["deepest"].iloc[-1] - dice_by_click["drawn, mean"].iloc[-1]
print(
    f"Answer: {'C' if abs(lead) <= 0.01 else 'AB'[int(lead < 0)]}, {lead:+.3f} for the careful one."
)
dice_by_click.round(3)

# %% alt="A film strip: the mask after each click of the careful reader, the clicks with their numbers"
film = model_parts.film_strip(
    case_slice, readers["deepest"], target, title="The careful reader, click by click"
)

# %% [markdown]
# **What you see**: in the table, read the columns downwards. *Drawn* columns stand for several random readers: their mean and their lowest Dice after each click. In the film, a number on blue says inside, on orange outside; the dashed line is the reference. Early corrections usually gain most. A click can also *lose*, since the last mask is only a hint and the whole mask is drawn anew. A study that reports "Dice after ten clicks" has chosen one of these readers, and yours may be neither.
#
# ## Simulate the prompts of training
#
# Nobody clicked on eleven million photographs for training. Prompts were drawn from masks: a point anywhere inside, or a box whose corners were moved at random. A model that saw only perfect boxes would be lost with a reader's boxes.
#
# The miniature saw no photograph either, and no scan or phantom: its masks are those of scenes that a program draws without end. Below are some of them, then boxes moved at random on our slice.

# %% alt="Eight synthetic training scenes, up to five objects of each outlined"
scene_panels = random_scene_page(
    8, seed=seed, title="Drawn, not scanned: SAM-mini learned from scenes like these"
)

# %% alt="Ten boxes around one object whose sides were moved at random, with a slider for how far"
ten = np.repeat(box, 10, axis=0)
moved = {  # by this part of the box's width and height
    part: prompts.jitter_boxes(ten, shape=target.shape, rng=rng, relative=part)
    for part in (0.1, 0.2, 0.3, 0.4)
}
model_parts.box_slider("moved by", moved, segmenter, case_slice, target)

# %% [markdown]
# **What you see**: some scenes show limbs in section, joints and bands, and that is on purpose. So "zero-shot" (never trained on this task) holds for the images here, less for the shapes. On our slice the answer moves with the box; the slider moves its sides farther. Orange is the answer to the first of the ten boxes, blue and dashed the reference. (The slider needs a kernel. Without one, you see boxes moved by a tenth.) How far the answer moves is the cheapest measure of how sure it is; notebook 08 makes maps of it.
#
# ## Segment everything
#
# Without any prompt: put a grid of points over the slice, take three masks for each, and throw most of them away. Three filters do that. A mask must be **good** (predicted IoU), **stable** (nearly the same if it is cut at a higher or at a lower logit than 0, which means that its border is sharp), and **new** (no better mask has nearly the same box).
#
# This is how SA-1B, the data set that SAM was trained on, came about. First, annotators clicked with the model's help. Then the model filled in what it was sure of, and they added the rest. Finally it ran alone from such a grid: 1.1 billion masks.

# %%
image, side = case_slice.image, points_per_side
candidates = model_parts.grid_candidates(segmenter, image, points_per_side=side)
good = candidates.where(candidates.predicted_iou >= min_predicted_iou)
stable = good.where(good.stability >= min_stability)
new = stable.without_duplicates()
print(f"{len(candidates)} candidates, {len(good)} good, {len(stable)} stable, {len(new)} new")

# %% alt="The masks that remain, each in a colour; those of them that are a tissue; the same on a person"
tissues_here = [label_map == label for label in np.unique(label_map[label_map > 0])]
best = [
    max(new.masks, key=lambda m: evaluation.dice(of, m), default=of & ~of) for of in tissues_here
]
best_dice = [evaluation.dice(of, mask) for of, mask in zip(tissues_here, best, strict=True)]
hits = [mask for mask, score in zip(best, best_dice, strict=True) if score >= good_dice]
found = np.array(hits, bool).reshape(-1, *target.shape)
shown = {
    "what remains": (case_slice, new.masks),
    f"Dice {good_dice:g} or more": (case_slice, found),
}
for other in others:
    limits = min_predicted_iou, min_stability
    of_person = model_parts.filtered_masks(segmenter, other, judged_points_per_side, limits)
    shown[f"a person, {other.dataset}"] = of_person
mask_axes = model_parts.mask_panels(shown)

# %% [markdown]
# **What you see**: on the left, pieces without names. In the middle, those of them that fit a tissue. If scans of people are here, a slice of one stands on the right, with a coarser grid. Automatic masks find what has a border. They cannot say whether that is a tissue, a part of one or a shadow. For named tissues this is a source of proposals, not an answer.
#
# ### Ask whether its rating selects
#
# The first filter trusts the model's opinion of itself. Does it deserve that? We lay a coarser grid over one slice of each of several people and take the masks of the points that lie on a tissue, since the reference cannot judge the others. The quality of a mask is its IoU with the piece of tissue that it fits best. Then we keep the half with the highest predicted IoU.
#
# > **Guess**: a perfect judge keeps the best half. How much of that judge's gain does the model get?
# >
# > - **A**: more than 80 %
# > - **B**: 40 to 80 %
# > - **C**: less than 40 %

# %%
people = mskseg.load_some(names[0], n_subjects=n_subjects)
judged = model_parts.score_grid_masks(segmenter, people, points_per_side=judged_points_per_side)
selection = model_parts.selection_gain(judged)
all_facts = mskseg.provenance(
    command="02_meet_the_model", segmenter=segmenter, cases=people, seed=seed
)
evaluation.write_table(selection, tables / "02_selection.csv", provenance=all_facts)
share = selection["gain_share"].mean()
print(f"Answer: {'A' if share > 0.8 else 'B' if share >= 0.4 else 'C'}, {share:.0%} on average.")
in_words = {
    "iou_all": "all masks",
    "iou_kept": "half it rates highest",
    "iou_best": "best half",
    "gain_share": "share of the gain",
}
selection.set_index("subject")[[*in_words]].rename(columns=in_words).round(3)

# %% [markdown]
# **What you see**: a row for each person: the mean IoU of all masks, of the half that the model rates highest, and of the half that is best in truth. *Share of the gain* compares the two gains: 0 is what a blind choice gains on average, 1 a perfect judge; below 0 the rating misleads. A mask of the whole limb may be a good answer and counts as a bad one here, since the reference does not name it.

# %% [markdown] tags=["quiz"]
# ## Quiz
#
# **1.** You click ten times on one slice. How often does the image encoder run?
#
# <details><summary>Answer</summary>
#
# Once. The prompt encoder and the decoder run ten times. The figure of the three parts says which is which.
#
# </details>
#
# **2.** Why does one point give three masks, and one box usually one?
#
# <details><summary>Answer</summary>
#
# A point can mean a part, an object or the whole that it belongs to. A box says how large the object is, so less is left open.
#
# </details>
#
# **3.** A predicted IoU of 0.9: is the mask right with a probability of 90 %?
#
# <details><summary>Answer</summary>
#
# No. It is a guess at an overlap, made by a small network. Look how wide the dots scatter around the line.
#
# </details>
#
# **4.** Two papers report Dice after ten clicks. What must you know before you compare them?
#
# <details><summary>Answer</summary>
#
# Where the clicks went: to the deepest error, or anywhere in it. The table of the two readers shows the difference on one object.
#
# </details>
#
# **5.** Can "segment everything" replace prompts for a study of cartilage?
#
# <details><summary>Answer</summary>
#
# Not by itself. Its masks have no names, and only some of them are a tissue: compare the first two panels of that section.
#
# </details>

# %% [markdown]
# ## Take-aways
#
# **If you remember one thing**: the slice is encoded once, each prompt is cheap, and the model's rating of its own mask is an opinion.

# %%
Markdown(f"""
- The image encoder holds **{parts.loc["image encoder", "share"]:.0%}** of the parameters and runs once for a slice.
- One point on the {tissue}: Dice {dice_by_prompt["one point"]:.2f}; its box: {dice_by_prompt["a box"]:.2f}.
- The best of three masks has IoU {max(true_iou):.2f}; the one that the model rates highest has {true_iou[int(predicted_iou.argmax())]:.2f}.
- Predicted and true IoU correlate with **r = {r:.2f}** over {len(estimates)} masks; the highest prediction is {estimates["predicted_iou"].max():.2f}.
- {n_clicks} corrections where the error is deepest took Dice from {dice_by_click["deepest"].iloc[0]:.2f} to {dice_by_click["deepest"].iloc[-1]:.2f}; drawn at random, from {dice_by_click["drawn, mean"].iloc[0]:.2f} to {dice_by_click["drawn, mean"].iloc[-1]:.2f} (mean of {n_draws} readers).
- Keeping the half of the automatic masks that it rates highest takes the mean IoU from {selection["iou_all"].mean():.2f} to {selection["iou_kept"].mean():.2f}; a perfect judge would reach {selection["iou_best"].mean():.2f} ({len(selection)} people).
- Of {len(candidates)} automatic masks {len(new)} remain; {len(hits)} of {len(best_dice)} tissues are among them with a Dice of {good_dice} or more.
""")

# %% [markdown]
# ## Limits
#
# - One person, one sequence, one slice for most figures: they show *how* the model works, not how well.
# - The miniature's encoder is not a vision transformer; what its embedding looks like says nothing about SAM's.
# - Simulated clicks use the reference; no reader was asked.

# %% [markdown]
# ## Next
#
# Notebook 03 asks how well all this works on people and on phantoms without any training on them, and what a Dice is worth next to the Dice of the filled box.
#
# - Kirillov et al., *Segment Anything*, ICCV 2023, doi:10.1109/ICCV51070.2023.00371
# - Ma et al., *Segment anything in medical images*, Nature Communications 2024, doi:10.1038/s41467-024-44824-z
