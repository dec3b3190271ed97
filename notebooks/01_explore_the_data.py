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
# # Explore the data
#
# What in a musculoskeletal MR data set decides which tissues are easy and which are hard, before any model is asked?
#
# *Core · 35 minutes to read and try, about 1 to run on two CPU cores, no use for a GPU · real scans if you have fetched them, and four built-in phantoms · previous notebook: none*

# %% [markdown]
# **What you will do**: fill in the table of data sets with which every segmentation study begins. It covers four anatomies, and you measure its numbers yourself.
#
# **What you will learn**
# - to name anatomy, contrast and plane of a slice, and to say which sequence shows a border
# - to check that an image and its labels lie on the same grid, and to know what no check can find
# - to choose an intensity window, and to see a slice as SAM and as MedSAM receive it
# - to say what a split by person guarantees and what a split by slices gives away
# - to measure area, thickness and contrast of a tissue, which later help to explain its Dice
#
# **What you need**: no MRI background (there is a glossary at the end), no GPU, no internet. With internet, `mskseg run` fetches the real scans before it starts this notebook; `mskseg data fetch qmritools_thigh` fetches one.

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
from mskseg_studies import exploration

# %% tags=["parameters"]
datasets = [  # of the manifest, real people first; those that are not here are left out
    "spine_vertebrae",
    "phantom_knee",
    "phantom_spine",
    "phantom_hip",
    "phantom_thigh",
]
models = ["sam_vit_mini"]  # of the manifest; only the size of the first one's input is used here
device = "auto"  # cuda, else mps, else cpu; or one of them
real_scan = "qmritools_thigh"  # a real thigh beside the phantom, if it was fetched; "" for none
untuned_scan = "spine_vertebrae"  # real vertebrae that no phantom was tuned to; "" for none
n_subjects = 2  # people of each data set's test part
slice_step = 1  # measure every n-th slice
real_slice_step = 4  # the same of real scans, whose slices may be thin
seed = 0  # of the phantom beside the real scan: another seed, another person
output = "../output"  # folder for the table and the figures

# %%
names = mskseg.at_hand(datasets)
tables, figures = Path(output, "tables"), Path(output, "figures")
segmenter = mskseg.load_segmenter(mskseg.at_hand(models)[0], device=device)
print(f"mskseg {mskseg.__version__}, {segmenter.name}, {segmenter.device}, seed {seed}")

# %% [markdown]
# ## Load the anatomies
#
# Hoyer and colleagues (ISMRM 2024) asked one model to segment knees, lumbar spines, hips and thighs: in many sequences, in quantitative maps, and in scans of which only an eighth was acquired. Their data are not ours to share. If you have fetched the real scans, you see vertebrae of real people, with masks drawn by hand. The **phantoms** are drawn by this project: anatomy from formulas, signal from relaxation times, noise and blur from a simulated scanner. Their labels are exact, since the image is drawn from them. A phantom teaches methods. It is no evidence about patients.
#
# We load a few people of each data set's *test* part. You will see below why we take that part.

# %%
sets = [mskseg.load_some(name, n_subjects=n_subjects) for name in names]
cases = [some[0] for some in sets]
is_drawn = [case.reference_provenance == "synthetic" for case in cases]
assert all(case.image.shape == case.reference.shape for case in cases)
assert all(np.isfinite(case.image.array).all() for case in cases)
exploration.describe_scans(cases)

# %% [markdown]
# **What you see**: one row for each scan. Pixels within a slice are about a millimetre or less. Where slices are several millimetres apart, the volume between them is a guess. `orientation` says in which direction of the patient each array index grows: R(ight), A(nterior), S(uperior) and so on. It differs from scan to scan, so we never index an array without asking for a plane. `VB2` and `VB3` are the two sites of the real vertebrae; the person's name (`VB2_17`) says which one the scan is from, and scans from VB2 are T2-weighted. Always read the last column: *synthetic*, *manual*, *semi-automatic* and *automatic* references are four different things to be measured against.
#
# ## Look at each anatomy
#
# Before you look at the second row, try to find the thinnest tissue of each image in the first.

# %% alt="One slice of each anatomy, and below it the same slice with its labels in colour and a legend"
slices = [mskseg.fullest_slice(case) for case in cases]
panels = display.montage(
    slices,
    titles=[f"{case.dataset}\n{case.sequence}" for case in cases],
    tissues=[case.tissues for case in cases],
    columns=len(slices),
    title=f"{sum(len({*some.tissues.values()}) for some in sets)} tissues: sheets, rings, blocks",
)
facts = mskseg.provenance(command="01_explore_the_data", cases=cases, seed=seed)
display.save_figure(panels[0], figures / "01_anatomies.png", provenance=facts)

# %% [markdown]
# **What you see**: scans of people first, then drawings. Letters at the edges say where the patient's right (R), left (L), front (A), back (P), head (S) and feet (I) are. A patient's right is on *your* left. Cartilage is a curved sheet of two or three pixels, a vertebral body is a block, and the fat under the skin is a ring around everything else. All this is called "segmentation", and the tasks are very different.
#
# ## Compare sequences
#
# A *sequence* is a recipe of radio pulses. It decides what is bright. A *map* is a measurement and not a picture: each voxel of a T2 map is a time in milliseconds. `_8x` means that an eighth of the data was acquired and the rest was reconstructed.
#
# > **Guess**: how many of the tissues are brighter than their surroundings in one sequence of the same slice, and darker in another?
# >
# > - **A**: none
# > - **B**: some, up to half
# > - **C**: more than half

# %% alt="The same slice of one person in several sequences side by side"
number = is_drawn.index(True) if any(is_drawn) else 0  # a phantom can be drawn in every sequence
first, first_slice = cases[number], slices[number]
many = mskseg.load_some(names[number], n_sequences=None)
contrasts = display.montage(
    [case.slice(first_slice.index) for case in many],
    titles=[case.sequence for case in many],
    title=f"One {many[0].anatomy}, one slice: the recipe decides what is bright",
)
by_sequence = exploration.tissue_properties(many, slice_step=2).query("subject == @many[0].subject")
by_recipe = by_sequence.pivot_table(
    index="tissue", columns="sequence", values="contrast", sort=False, observed=True
)
turned = ((by_recipe.min(axis=1) < 0) & (by_recipe.max(axis=1) > 0)).mean()
print(f"Answer: {'A' if turned == 0 else 'B' if turned <= 0.5 else 'C'}, {turned:.0%} of them.")
by_recipe.round(1)

# %% [markdown]
# **What you see**: the contrast of each tissue: its outer 3 mm less the 3 mm around it, divided by the standard deviation in the two. Where it is negative, the tissue is darker than its surroundings. Near zero there is, on average, no border to see. The numbers change from one sequence to the next while the labels stay the same. A map shows a time and not a signal, so many tissues change sign there. Suppose that a model is tuned on one recipe and learns "cartilage is bright". The next recipe may contradict it. Hoyer and colleagues tested this when they tuned on one sequence and scored another.
#
# ## Put the phantoms beside real scans
#
# How far can you trust a drawing? Here are a drawn thigh and a drawn spine, each beside a real one, if it was fetched. Both thighs show the same sequence, opposed-phase Dixon. Its dark lines are where fat meets water, since the two signals cancel there. The spines are T2-weighted. A name stands above each image.

# %% alt="A slice of the phantom thigh and of the phantom spine, each beside a real one if that was fetched"
drawn = exploration.make_phantom(
    "thigh", 17, sequence="dixon_opposed", shape=(170, 170, 24), seed=seed
)
real = exploration.load_fetched(real_scan)
limbs = {case.dataset: exploration.limb_of(case) for case in (drawn, *real)}
at_hand = mskseg.datasets.list_at_hand(untuned_scan)[:1] if untuned_scan else ()
spines = [exploration.make_phantom("spine", 17, sequence="t2w", seed=seed)]
spines += mskseg.datasets.load_cases(untuned_scan, subjects=at_hand) if at_hand else []
beside = display.montage(
    [limb.middle_slice() for limb in limbs.values()] + [mskseg.fullest_slice(c) for c in spines],
    titles=[*limbs, *(spine.dataset for spine in spines)],
    title="The drawings have the parts; what do real scans have besides?",
)
if not (real and at_hand):
    print("Where no real scan was fetched, the drawing stands alone.")

# %% [markdown]
# **What you see**: a drawing has the parts and the noise. Its borders are tidier, and the finer texture is missing. Impressions are cheap, so here are the same measurements of drawing and scan. `snr` is signal over noise in muscle or vertebrae. `edge_width_mm` is how wide an edge is (thighs only). `spectrum_slope` says how fast fine detail fades: it is the slope of the power spectrum.

# %%
textures = {c.dataset: exploration.texture_of(c, kind="vertebra") for c in spines}
pd.DataFrame({name: vars(limb.realism) for name, limb in limbs.items()} | textures).round(2)

# %% alt="Radial power spectra on logarithmic axes, drawn over one another for phantom and real thigh"
of_detail = exploration.spectra(
    {name: limb.spectrum() for name, limb in limbs.items()},
    band_per_mm=(0.03, 0.25),
    title="Power falls with spatial frequency; the slope is fitted in the grey band",
)
display.save_figure(of_detail, figures / "01_spectra.png", provenance=facts)

# %% [markdown]
# **What you see**: a column for each scan, and the power of the thighs at each frequency. The thighs prove little. The phantom was *tuned* to the scan `qmritools_thigh`, and a test of this project holds its three numbers within a quarter of that scan's. Agreement with what one was tuned to is no evidence.
#
# Nobody tuned the spine to the vertebrae, so those two columns are the fairer check. But scanner and pixels differ too (the real spines were resampled to 1 mm, which smooths noise). So read the size of a difference, not its last digit. With one column only, the drawing has not been checked here. A phantom is a fair place to *practise*. It is not a patient.
#
# ## Check orientation and grid
#
# Image and labels come from two files. Suppose that another program wrote the labels with every axis reversed. They are the same labels in the same places of the patient, in an array of the same shape, but stored the other way round. Overlaid index by index, they would be upside down and mirrored.

# %%
reverse = str.maketrans("RLAPSI", "LRPAIS")
stored_reversed = first.reference.reoriented(first.image.orientation.translate(reverse))
back = stored_reversed.reoriented(first.image.orientation)
assert np.array_equal(back.array, first.reference.array)
half_off = first.reference.affine.copy()
half_off[:3, 3] += half_off[:3, 0] / 2  # half a voxel along the first axis
try:
    mskseg.Case(
        subject=first.subject,
        image=first.image,
        reference=mskseg.LabelMap(first.reference.array, half_off),
    )
except mskseg.InputError as error:
    assert "different grids" in str(error)
    print(error)
else:
    raise AssertionError("labels half a voxel off were accepted")

# %% [markdown]
# **What you see**: the reversed labels come back exactly, and no voxel is interpolated, because the file says where it lies in the patient (its *affine*). A `Case` turns such labels back by itself and says so. Labels that are half a voxel off are refused, since they could only be moved inexactly. The message says how the grids differ and what to do.
#
# ### Exercise 1: the mirror that no check can see (10 minutes)
#
# Now suppose that a script flipped the labels and *not* the affine. Every check passes. Mirror the reference of `first`, the scan of the sequences above, across its slices and compute the Dice of each tissue with the unmirrored one. (**Dice** is twice the common pixels over the sum of both masks: 1 if they agree, 0 if they share nothing.) *Hint: `np.flip(array, axis=across)` mirrors an array; the slices lie along the axis of largest spacing, here `across`; `with_array` puts an array on the same grid; `mask(label)` gives one tissue; `evaluation.dice(a, b)` compares two masks.*

# %% tags=["exercise"]
across = int(np.argmax(first.image.spacing_mm))
mirrored = first.reference.with_array(first.reference.array)  # replace: mirror along `across`
changed = mirrored.array != first.reference.array
print(f"{len(first.reference.labels)} tissues, mirrored: {changed.any()}")

# %% tags=["solution"] jupyter={"source_hidden": true}
flipped = first.reference.with_array(np.flip(first.reference.array, axis=across))
mskseg.Case(subject=first.subject, image=first.image, reference=flipped)  # no error
labels = first.reference.labels
unseen = {k: evaluation.dice(first.reference.mask(k), flipped.mask(k)) for k in labels}
dice = pd.Series(unseen, name="Dice of a mirrored reference").rename(first.tissue)
dice.sort_values().round(2).to_frame()

# %% [markdown]
# **Discussion**: bodies are nearly symmetric, so large tissues keep a high Dice, and the mean looks like a weak model and not like a bug. Structures with a side (medial and lateral, left and right) drop towards zero. If some tissues are at zero and others do well, look at the labels before you blame the model.
#
# ## Choose the window
#
# The numbers of one scanner mean nothing on another, and models take 8 bits: 256 levels of grey. A *window* says which intensities become black and which white.
#
# > **Guess**: a few voxels, such as vessels, are very bright. If the brightest of all becomes white, how many levels of grey are left for the 99.5 % of voxels below them?
# >
# > - **A**: more than 200
# > - **B**: 100 to 200
# > - **C**: fewer than 100

# %% alt="One slice with three intensity windows side by side"
voxels, raw = first.image.array, first.image.slice(first.plane, first_slice.index)
windows = {
    "0.5 to 99.5 % (used here)": first.window,
    "minimum to maximum": (float(voxels.min()), float(voxels.max())),
    "20 to 80 %": tuple(np.percentile(voxels[voxels > 0], (20, 80))),
}
shown = [first_slice.with_image(exploration.to_8_bit(raw, window)) for window in windows.values()]
windowed = display.montage(
    shown, titles=list(windows), title="Too wide wastes grey, too narrow clips"
)
clipped = {name: ((voxels < low) | (voxels > high)).mean() for name, (low, high) in windows.items()}
levels = 256 * (first.window[1] - voxels.min()) / np.ptp(voxels)
print(f"Answer: {'A' if levels > 200 else 'B' if levels >= 100 else 'C'}, {levels:.0f} of 256.")
pd.Series(clipped, name="share of voxels cut off").round(3).to_frame()

# %% [markdown]
# **What you see**: a window that is too wide spends grey levels on a few voxels. One that is too narrow erases borders that were measured. A `Case` takes the percentiles once, of the whole volume. Windowed slice by slice, the same muscle would have a different grey on each slice.
#
# ## See what SAM and MedSAM see
#
# Both models take a square. To see how they make one, we give them a slice that is not square: the middle half of this one.

# %% alt="The cropped slice, the padded square that SAM receives, and the squashed square that MedSAM receives"
width = first_slice.image.shape[1]
narrow = first_slice.with_image(first_slice.image[:, width // 4 : -width // 4])
views = {
    kind: exploration.model_view(narrow.image, segmenter=segmenter, kind=kind)
    for kind in ("sam", "medsam")
}
received = [mskseg.CaseSlice(view, None, (1.0, 1.0), first.plane, 0) for view in views.values()]
ranges = [f"{kind}: {view.min():.1f} to {view.max():.1f}" for kind, view in views.items()]
as_seen = display.montage(
    [narrow, *received],
    titles=["slice: 0 to 255", *ranges],
    title="SAM pads and standardises, MedSAM squashes and stretches to one",
)

# %% [markdown]
# **What you see**: SAM keeps the proportions of the body. It resizes the longest side, subtracts the mean of the photographs it learned from, divides by their spread, and fills up with zeros (grey here, since zero is the mean). MedSAM stretches both sides to the square and scales each slice to [0, 1]. Given the other's input, each model still answers, but the image is unlike those it learned from. So a comparison of the two is worth nothing unless each gets its own.
#
# ## Draw the boxes
#
# In the next notebooks most prompts are boxes. An *oracle box* is drawn from the reference, around each connected piece of each tissue.

# %% alt="One slice of each anatomy with a white box around every piece of every tissue"
boxes = [
    evaluation.prompt_slice(case, case_slice, prompts.OracleBox()).prompt.boxes_xyxy
    for case, case_slice in zip(cases, slices, strict=True)
]
boxed = display.montage(
    slices,
    titles=[f"{c.anatomy}: {len(b)} boxes" for c, b in zip(cases, boxes, strict=True)],
    columns=len(slices),
    title="A box says place and size, not shape",
)
for ax, of_slice in zip(boxed, boxes, strict=True):
    display.draw_boxes(ax, of_slice)

# %% [markdown]
# **What you see**: the box of the curved femoral cartilage also holds the bone that it covers. The box of the fat under the skin holds the whole leg. Pieces below 30 mm² get no box, but their pixels stay in the reference.
#
# ## Know what the splits guarantee
#
# Each data set has up to four parts. Weights are fitted on *train* and selected on *validation*. Scores are reported on *test*, and on *inference*: people from a site that is in none of the other three parts.

# %%
load_splits = mskseg.datasets.load_splits
splits = load_splits(names) or load_splits(["phantom_knee"])  # one person alone has no split
people = {split.dataset: pd.Series(split.parts).map(len) for split in splits}
leaky = {**splits[0].parts, "test": splits[0].parts["train"][:1]}
try:
    mskseg.datasets.Split(splits[0].dataset, leaky)
except mskseg.InputError as error:
    assert "in train and in test" in str(error)
    print(error)
else:
    raise AssertionError("a person in two parts was accepted")
pd.DataFrame(people).T.assign(sha256_begins=[split.sha256[:8] for split in splits])

# %% [markdown]
# **What you see**: the message that refuses a person in two parts, then how many people each part has. A split is by *person*: both sides, all visits, sequences and echoes of a person stay together. The hash of the split, a kind of fingerprint, is kept with every table. So anybody can check that two results have the same test people.
#
# ### Exercise 2: what a split by slices gives away (10 minutes)
#
# Suppose that slices are dealt out at random, and that slice *k* of a test person has its neighbour *k + 1* in the training set. A "model" copies the labels of the neighbour. What is its Dice? *Hint: `stack` gives all slices of a plane; compare those from the first to the one before the last with those from the second on. The cell takes all labels as one mask; then look at single tissues, `stack == label`: the Dice of each slice on which neither of the two is empty, and then the mean.*

# %% tags=["exercise"]
stack = first.reference.stack(first.plane)
copied = stack[:-1]  # replace this line: the neighbour of each of these slices
print(f"Dice of all labels together: {evaluation.dice(stack[:-1] > 0, copied > 0):.2f}")

# %% tags=["solution"] jupyter={"source_hidden": true}
both = [
    (first.tissue(label), evaluation.dice(stack[k] == label, stack[k + 1] == label))
    for k in range(len(stack) - 1)
    for label in {*np.intersect1d(stack[k], stack[k + 1])} - {0}
]
pd.DataFrame(both, columns=["tissue", "dice"]).groupby("tissue").mean().round(2).sort_values("dice")

# %% [markdown]
# **Discussion**: copying never looks at the image, and still scores well on whatever changes little from slice to slice. A network that recognises the person can do the same. A paper that splits by slices may report this as segmentation.
#
# ## Measure the tissues
#
# We take three numbers for each tissue and slice, **area**, **thickness** and **contrast**. Thickness is four times the mean distance of a pixel from the border. For a long strip, this is its width. Contrast is defined as in the table of sequences above. We also take the **Dice of the filled box**, which is what a box is worth with no model at all.

# %%
steps = [slice_step if drawn_one else real_slice_step for drawn_one in is_drawn]
measured = zip(sets, steps, strict=True)
table = pd.concat([exploration.tissue_properties(some, slice_step=n) for some, n in measured])
means, all_cases = exploration.tissue_means(table), [case for some in sets for case in some]
of_table = mskseg.provenance(command="01_explore_the_data", cases=all_cases, seed=seed)
evaluation.write_table(table, tables / "01_tissues.csv", provenance=of_table)

# %% alt="Area, thickness and contrast of every tissue as three columns of dots, one row per tissue"
thinnest, thickest = means["thickness_mm"].min(), means["thickness_mm"].max()
chart = exploration.tissue_chart(
    means, title=f"Thickness spans {thinnest:.1f} to {thickest:.0f} mm, contrast both signs"
)
display.save_figure(chart[0], figures / "01_tissues.png", provenance=of_table)

# %% [markdown]
# **What you see**: where a dot is far left in the middle column, one pixel is a large part of the tissue, so small errors cost much Dice. Where a dot of the right column is near the line, the border is hard to see. It may also be that one side is brighter and the other darker, as around a vertebra between discs and fat. Neither makes a low Dice certain: a short, flat plate that fills its box has a high one without any model. (The take-aways name the tissues with the best and the worst filled box.) When a later notebook shows you a Dice, come back to this figure.
#
# ## Fill in the study's table
#
# Hoyer and colleagues describe their data by anatomy, kind of reference, *detail* of the labels (one cartilage, or its compartments), their *shape* (thin and curved, ring, elliptical) and *volume*, by contrast and by acceleration. Here is that table for what you loaded. Shapes and sizes are measured, not typed. A *ring* encloses a hole. A *thin* tissue is at least eight times as long as it is wide. All others are *compact*, elliptical bodies and muscle bellies alike. So *thin* is a shape and not a thickness: the pelvis is thin, the short plate of the patellar cartilage is compact.
#
# > **Guess**: fill each tissue's boxes, with no model. Which shape has the lowest Dice on average?
# >
# > - **A**: thin
# > - **B**: ring
# > - **C**: compact

# %%
described = exploration.describe_datasets(sets, means)
by_shape = means.groupby("shape")["filled_box_dice"].mean()
letter = {"thin": "A", "ring": "B", "compact": "C"}[by_shape.idxmin()]
print(f"Answer: {letter}. Mean Dice of filled boxes: {by_shape.round(2).to_dict()}")
described.set_index("dataset").T

# %% [markdown]
# **What you see**: a column for each data set. The detail of the labels is a choice too: with one cartilage instead of four, the same pixels would be another task.

# %% [markdown] tags=["quiz"]
# ## Quiz
#
# **1.** A model was tuned on T1-weighted scans and is asked about T2-weighted ones of the same people. What may go wrong, although the anatomy is the same?
#
# <details><summary>Answer</summary>
#
# The contrast may have another sign. What the model learned as dark may now be bright: fluid is dark on T1-weighted images and bright on T2-weighted ones.
#
# </details>
#
# **2.** Image and labels have the same shape and the same affine. Is the overlay right?
#
# <details><summary>Answer</summary>
#
# Not for certain. A flip in a script that left the affine alone passes every check. Look at structures that have a side: their Dice drops towards zero.
#
# </details>
#
# **3.** A paper splits at random by slices and reports a high Dice. What do you ask?
#
# <details><summary>Answer</summary>
#
# What a copy of the neighbouring slice would score. Part of the Dice may be the person, recognised again.
#
# </details>
#
# **4.** Is a thin tissue always a hard one?
#
# <details><summary>Answer</summary>
#
# No. It loses more Dice for each wrong pixel, but a short, flat plate that fills its box has a high Dice without any model. Look at its filled box first.
#
# </details>
#
# **5.** A method works on a phantom. What has been shown?
#
# <details><summary>Answer</summary>
#
# That it works on the phantom. A phantom is a place to practise a method. Whether it works on patients has to be measured on patients.
#
# </details>

# %% [markdown]
# ## Take-aways
#
# **If you remember one thing**: before you ask any model, measure what a filled box scores, and look at what the scan shows.

# %%
ranked = means.sort_values("thickness_mm")
faint = means.loc[means["contrast"].abs().idxmin()]
easy = means.loc[means["filled_box_dice"].idxmax()]
hard = means.loc[means["filled_box_dice"].idxmin()]
Markdown(f"""
- **{len(means)} tissues** in {len(sets)} data sets: {", ".join(f"{n} {shape}" for shape, n in means["shape"].value_counts().items())}.
- Thinnest: the {ranked["tissue"].iloc[0]} ({ranked["thickness_mm"].iloc[0]:.1f} mm); thickest: the {ranked["tissue"].iloc[-1]} ({ranked["thickness_mm"].iloc[-1]:.0f} mm).
- Least contrast to its surroundings: {faint["tissue"]} ({faint["contrast"]:+.2f} standard deviations).
- A filled box, with no model, has a Dice of **{easy["filled_box_dice"]:.2f}** on the {easy["tissue"]} and of **{hard["filled_box_dice"]:.2f}** on the {hard["tissue"]}.
- {len(limbs)} thigh(s) measured for realism: signal over noise {", ".join(f"{limb.realism.snr:.0f} in {name}" for name, limb in limbs.items())}.
""")

# %% [markdown]
# ## Limits
#
# - Phantoms are tidy: no motion, no metal, no bone spurs, few variants of anatomy. Their references have no reader's error; real ones do.
# - Realism is measured on one thigh, to which the phantom was tuned, and on vertebrae, by two numbers. Knee and hip phantoms have no real image beside them here.
# - Thickness and contrast are taken slice by slice, so a sheet that is cut obliquely looks thicker. Contrast compares means and sees no texture.
# - The study's own table is not public beyond its caption. The numbers above are ours.

# %% [markdown]
# ## Next
#
# Notebook 02 opens the model that will get these boxes. Notebook 03 gives it the boxes and scores what comes back. Keep the figure of tissues beside both.
#
# - Desai et al., *The International Workshop on Osteoarthritis Imaging Knee MRI Segmentation Challenge*, Radiology: Artificial Intelligence 2021, doi:10.1148/ryai.2021200078
# - van der Graaf et al., *Lumbar spine segmentation in MR images: a dataset and a public benchmark*, Scientific Data 2024, doi:10.1038/s41597-024-03090-w
# - Maier-Hein et al., *Metrics reloaded: recommendations for image analysis validation*, Nature Methods 2024, doi:10.1038/s41592-023-02151-z
#
# ### Appendix: words of MRI and words of machine learning
#
# | in the scanner room | in the machine-learning paper |
# |---|---|
# | examination of a patient, visit | subject; the unit of a split |
# | series, sequence, contrast (T1w, PDw, T2w, DESS, Dixon) | domain; another sequence is a *domain shift* |
# | slice | image, sample |
# | slice thickness and gap, field of view, matrix | spacing of a voxel grid, its shape |
# | orientation, affine | transform from index to millimetres |
# | window and level | normalisation, clipping |
# | coil shading (bias field) | smooth multiplicative noise |
# | partial volume | mixed pixels, label noise at borders |
# | acceleration, 8x undersampling | corrupted input, covariate shift |
# | quantitative map (T2, fat fraction) | regression target in physical units |
# | segmentation by a reader | reference, label map; never "truth" |
# | agreement of two readers | upper limit of a Dice that means something |
# | vendor, field strength, site | group that a held-out set must not share |
#
# ### Appendix: words of models and of scores
#
# | word | what it means here |
# |---|---|
# | Dice, IoU | overlap of two masks, from 0 to 1. Dice: twice the common pixels over the sum of both. IoU: the common pixels over all pixels of either |
# | surface Dice | share of the two outlines that lie closer together than a tolerance, in mm |
# | HD95 | 95 % of the points of one outline lie no farther than this from the other, in mm; a single stray point does not count |
# | prompt, oracle | a box or clicks that say what is meant; an *oracle* prompt is drawn from the reference |
# | embedding, token | an image, or a prompt, as rows of numbers inside the model |
# | logit | a number from minus to plus infinity before it becomes a probability; 0 stands for one half |
# | softmax | turns one logit for each class into probabilities that add up to 1 |
# | cross-entropy, NLL | how little probability the truth got: minus its logarithm, averaged over pixels. A loss in training; as a score called negative log-likelihood |
# | low rank (LoRA) | tuning by two thin matrices beside a large one, which stays as it is; few numbers train |
# | calibration, ECE | of all pixels in which a model is 80 % sure, 80 % should be right; the expected calibration error is the mean gap |
# | Brier score | squared distance between the probabilities and the truth; 0 is perfect |
# | entropy | how spread out the probabilities of a pixel are; 0 if the model is certain |
# | AUROC | of a wrong and a right pixel, how often is the wrong one the more uncertain? 0.5 is chance, 1 perfect |
# | Spearman correlation | whether two numbers put people in the same order: 1 the same, -1 the opposite, 0 no relation |
# | ensemble, seed | models from one training, repeated with other seeds; a seed is the number that starts the random numbers |
# | arm | in a comparison: a model together with where its prompts come from |
# | bootstrap | draws people again and again, with replacement, to see how different a mean could have been |
# | margin | of a box: pixels added on every side; of a verdict: the smallest difference that anybody would care about |
# | Bonferroni | makes intervals wider if many are looked at, so that none stands out by chance alone |
