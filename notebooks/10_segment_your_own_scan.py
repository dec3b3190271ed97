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
# # Segment your own scan
#
# How far does one box on one slice carry through a scan that nobody has labelled, and what does it take to correct the mask?
#
# *Core · 20 minutes to read and try, about 1 to run on two CPU cores · your own scan by its path, or a real person's if one is installed, or a phantom · previous notebook: 09_weigh_the_claims, but none is needed*

# %% [markdown]
# **What you will do**: point at one object on one slice, follow it through the volume, correct one slice, and save a mask that opens in any viewer.
#
# **What you will learn**
# - to load a scan of your own and to prompt it on a canvas
# - to read where a propagation ended, and why
# - to correct one slice without losing the rest
# - to measure how the mask drifts with the distance from the slice that you prompted
#
# **What you need**: nothing but this notebook. For a scan of your own, put its path into `scan` below and run all cells. No GPU, no internet.

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
from mskseg_studies import own_scan

# %% tags=["parameters"]
scan = ""  # your NIfTI, NRRD or MetaImage file, or the folder of one DICOM series; "" for one below
reference = ""  # a second reader's label map on its grid; "" for the data set's own, if any
datasets = ["spine_vertebrae", "qmritools_thigh", "phantom_spine"]  # the first that is here is used
label = 0  # of the object; 0: the largest of the reference, or 1
box = []  # slice, x0, y0, x1, y1 of your scan in pixels, if you do not draw; []: see below
models = ["sam_vit_mini", "lite_medsam"]  # the first follows; all are compared at the end
device = "auto"  # cuda, else mps, else cpu; or one of them
reach = 8  # slices: how near is near, in the last table
output = "../output"  # folder for the masks, the tables and the figures

# %%
data_here = mskseg.at_hand(datasets)
segmenters = {name: mskseg.load_segmenter(name, device=device) for name in mskseg.at_hand(models)}
segmenter = next(iter(segmenters.values()))
kind = "a miniature" if segmenter.miniature else "a published model"
tables, figures, masks = Path(output, "tables"), Path(output, "figures"), Path(output, "masks")
print(f"mskseg {mskseg.__version__}, {list(segmenters)}, {segmenter.device}, no seed needed")

# %% [markdown]
# ## Load a scan
#
# A scan is a file that any viewer opens, or the folder of a DICOM series. Its grid (where each voxel lies in the patient) is read with it, and the mask will have the same one. Before anything else, check that the scan is what you think it is.

# %%
case = own_scan.load_scan(scan, reference=reference, datasets=data_here)
tissue_label, start = own_scan.choose_start(case, label=label, box=box)
print(f"{case.name}: {case.plane} slices 0 to {case.image.n_slices(case.plane) - 1}")
own_scan.describe_scans([case])

# %% [markdown]
# **What you see**: one row for the scan, with its size in voxels, its spacing in millimetres and its orientation. If the spacing or the plane is not what you expect, stop here: the wrong series was loaded. A reference, if there is one, is used only to play the reader and to score, never to follow the object.
#
# ## Point at one object
#
# On the **canvas** below, drag a box around the object, a little outside its border. Or click: a point inside, shift-click for one outside (some models take boxes alone, and say so). Page up and page down change the slice. The cell draws a first box, so that the notebook also runs by itself: around the object where there is a reference, and in the middle of the image where there is none. There it is only a placeholder: **draw your own**, or fill in `box`. (If all cells have run, the canvas shows what the scripted reader of this notebook did, on another slice than the first one. Run this cell again to begin afresh.)

# %%
drawn = [float(corner) for corner in box[1:]] or own_scan.read_box(case, tissue_label, start)
explorer = mskseg.PromptExplorer(case, segmenters)
explorer.choose_tissue(tissue_label)
explorer.go_to(start)
explorer.set_box(drawn)
explorer

# %% alt="The prompted slice with the box, the model's outline and, where there is one, the reference"
prompted_ax = explorer.figure()

# %% [markdown]
# **What you see**: the box in white, the model's mask in colour, the reference, if there is one, dashed. If this first mask is wrong, mend it now (a tighter box, a click): everything that follows starts from it.
#
# ## Propagate
#
# Now press **propagate** on the canvas, or run the next cell, which does the same. From the prompted slice the object is followed up and down: the part of each mask of which the model is sure (the whole mask, if the model takes boxes alone) gets a box with a small margin, and this box is the prompt of the next slice. It ends where nothing is found, or where the mask grows, jumps or looks doubtful to the model: its **predicted IoU**, the model's own opinion of its mask, is too low. (**Dice** is 1 for the same mask as the reference, and 0 for no overlap.)
#
# > **Guess**: one box on one slice. Is the object found on more or on fewer slices than the reader drew it on?
# >
# > - **A**: on more
# > - **B**: on fewer
# > - **C**: on as many, within two slices

# %%
first = explorer.propagate(progress=True)
explorer.save_prompts(masks / "10_first_prompts.json")
given = prompts.read_prompts(masks / "10_first_prompts.json").prompts
asked = [prompts.SlicePrompt(slice=p.slice, label=p.label, boxes_xyxy=p.boxes_xyxy) for p in given]
home = asked[0].slice
print(f"{case.tissue(tissue_label)}: {first.ends[tissue_label]}")
compared = own_scan.compare_slices(first, case, tissue_label, start=home)
extra = int((compared["predicted_px"] > 0).sum() - (compared["reference_px"] > 0).sum())
print(
    f"Answer: {'C' if abs(extra) <= 2 else 'AB'[int(extra < 0)]}, {extra:+d} slices."
    if case.reference
    else "no reference to tell"
)
first.table["reason"].value_counts().to_frame("slices")

# %% [markdown]
# **What you see**: the first and the last slice on which the object was found, and why the search stopped on either side. The canvas now shows the mask on every slice, in all three planes, and says on each how it came about. "End of the range" means that the scan (or the range that you gave) ended before the mask did; "no signal", that the slices beyond are empty.
#
# ## Look
#
# Numbers do not tell whether a mask is right. Look at slices from one end to the other, and in another plane.

# %% alt="Slices from one end of the propagation to the other, with the box asked and the outline found"
panels = own_scan.show_slices(case, first, compared, tissue_label)
facts = mskseg.provenance(command="10_own_scan", segmenter=segmenter, cases=[case])
display.save_figure(panels[0], figures / "10_slices.png", provenance=facts)

# %% alt="The mask in another plane, beside the reference, with the prompted slice as a white line"
side_ax = own_scan.show_side(case, {"followed": first}, tissue_label, start=home)[0]

# %% [markdown]
# **What you see**: the box that was asked on each slice (white), what was found (solid), the reference if there is one (dashed). In the other plane, the white line is the slice that you prompted. Look for two things: the mask that **leaks** into a neighbour of the same brightness, and the mask that **ends too early**. The first is dangerous, since it looks like a result.
#
# ## Correct one slice
#
# Go to a slice that is wrong and draw a box, or click where something is missing or too much. Such a prompt is a **correction**: when you propagate again, it holds for its slice and for what follows from there, away from the first prompt. What lies before it stays as it was. To take a correction back, press `c` and propagate again. Below, a scripted reader goes outwards from the prompted slice and draws a box on the first one that is clearly worse than it. Without a reference nobody knows which one that is: draw your correction on the canvas, then run the next cell.
#
# > **Guess**: of the slices that change, how many will be better?
# >
# > - **A**: all
# > - **B**: more than half
# > - **C**: half or fewer

# %%
wrong = own_scan.slice_to_correct(compared)  # None: no slice is clearly worse, or no reference
if wrong is not None:
    explorer.go_to(wrong, plane=case.plane, label=tissue_label)
    explorer.set_box(own_scan.read_box(case, tissue_label, wrong))
second = explorer.propagate(progress=True)
corrected = own_scan.compare_slices(second, case, tissue_label, start=home)

# %%
counted = ["predicted_px", "shared_px"]
changed = corrected[(corrected[counted].fillna(0) != compared[counted].fillna(0)).any(axis=1)]
before = compared.loc[changed.index]
print(f"corrected slice: {wrong}; now {second.ends[tissue_label]}")
better = (changed["dice"] > before["dice"]).sum()
letter = "A" if better == len(changed) else "B" if better > len(changed) / 2 else "C"
told = letter if case.reference and len(changed) else "none, without a reference or a change"
print(f"Answer: {told}. {len(changed)} slices changed, {better} of them for the better.")

# %% alt="The mask in another plane before and after the correction"
side_axes = own_scan.show_side(
    case, {"followed": first, "corrected": second}, tissue_label, start=home
)
display.save_figure(side_axes[0], figures / "10_side.png", provenance=facts)

# %% [markdown]
# **What you see**: the view in another plane in which the two differ most. A correction moves the slices on its own side only. It often moves few of them: the object is followed afresh from there, and may end at the same place for the same reason. Where it should simply end earlier, give the range: `explorer.propagate(slices=(first, last))`.
#
# ## Save
#
# The mask is a label map on the scan's own grid, so that it overlays in any viewer. The prompts are saved, too: they are the record of what you did, and the command line takes them. With a DICOM series, `--dicom-seg` writes a DICOM Segmentation beside it, which the hospital's viewer opens:
#
#     mskseg segment SCAN --prompts prompts.json --propagate -o mask.nii.gz --overlay pictures --dicom-seg mask.dcm
#
# With `--model sam2_1_tiny --memory` SAM 2 follows the object from the same prompts by its memory, not by boxes (how-to page "Add a model").

# %%
mask_path = masks / "10_own_scan.nii.gz"
explorer.choose_plane(case.plane)
explorer.save_mask(mask_path)
explorer.save_prompts(masks / "10_prompts.json")
again = mskseg.load_label_map(mask_path)
mskseg.Case(subject=case.subject, image=case.image, reference=again)  # refuses another grid
print(f"{mask_path.name}: labels {again.labels}, grid {again.shape}")

# %% [markdown]
# ## Compare with a second reader
#
# If somebody has drawn the object by hand, the mask can be scored. One Dice for the volume hides how it came about. So we score each slice and plot it over the distance from the slice that was prompted. The dashed line is what the **filled boxes** would have reached, the boxes that were handed from slice to slice, without any model inside them.

# %% alt="Dice of each slice over its distance from the prompted one, before and after the correction"
both = {"followed": compared, "corrected": corrected}
drift_ax = own_scan.drift_chart(both)
display.save_figure(drift_ax, figures / "10_drift.png", provenance=facts)

# %%
others = {name: other for name, other in segmenters.items() if other is not segmenter}
found = {name: evaluation.propagate(other, case, asked) for name, other in others.items()}
slices = both | {
    f"followed by {name}": own_scan.compare_slices(each, case, tissue_label, start=home)
    for name, each in found.items()
}
volumes = pd.DataFrame({name: own_scan.sum_up(table) for name, table in slices.items()}).T
near = {name: own_scan.sum_up(table, within=reach) for name, table in slices.items()}
volumes["dice_near"] = pd.DataFrame(near).T["volume_dice"]
evaluation.write_table(corrected, tables / "10_own_scan.csv", provenance=facts)
in_words = {
    "slices": "slices found",
    "slices_of_reference": "slices of the reader",
    "volume_dice": "Dice of the volume",
    "filled_box_volume_dice": "its boxes, filled",
    "dice_near": "Dice near the prompt",
}
volumes.rename(columns=in_words).round(3).convert_dtypes()

# %% [markdown]
# **What you see**: Dice falls with the distance from the prompted slice, and where the mask ends before the reference does (or after it), it is 0. In the table, *slices found* have a mask, and *slices of the reader* are those on which the object was drawn by hand; the last column is of the slices within `reach` of the prompted one. A row of another model has the same first box, and no correction. Without a reference you see areas, and the scores are empty.
#
# ### Exercise 1: two boxes instead of one (10 minutes)
#
# A correction is made after you saw the error. A **marker** is drawn before: boxes on two slices, and the boxes in between are interpolated instead of being handed on. Give the first propagation a second box, far from the first one, and see whether the volume gains. *Hint: `compared` has a row for each slice, with the pixels found and drawn; take a slice where `reference_px` is above 0. `read_box` draws the reader's box; without a reference, put four corners of your own in its place.*

# %% tags=["exercise"]
marked_slices = [home]  # replace: add a slice or two
my_boxes = [
    prompts.SlicePrompt(
        slice=k, label=tissue_label, boxes_xyxy=(own_scan.read_box(case, tissue_label, k),)
    )
    for k in marked_slices
]
with_mine = evaluation.propagate(segmenter, case, my_boxes)
my_slices = own_scan.compare_slices(with_mine, case, tissue_label, start=home)
own_scan.sum_up(my_slices).rename(in_words).to_frame("your boxes").T.round(3).convert_dtypes()

# %% tags=["solution"] jupyter={"source_hidden": true}
large = compared["reference_px"] >= compared["reference_px"].max() / 2  # no slice without reference
known = compared[large]["slice"]
inside = known[(known - home).abs() > reach]
marked = sorted({int(inside.min()), int(inside.max())}) if len(inside) else []
boxes = {k: own_scan.read_box(case, tissue_label, k) for k in marked}
markers = asked + [
    prompts.SlicePrompt(slice=k, label=tissue_label, boxes_xyxy=(corners,))
    for k, corners in boxes.items()
]
third = evaluation.propagate(segmenter, case, markers)
with_markers = own_scan.compare_slices(third, case, tissue_label, start=home)
print(f"boxes on slices {[home, *marked]}: {third.ends[tissue_label]}")
own_scan.sum_up(with_markers).rename(in_words).to_frame("markers").T.round(3).convert_dtypes()

# %% [markdown]
# **Discussion**: between two markers nothing can leak or end, since no slice depends on the mask of another. Beyond the outer markers the box is handed on as before, so the mask may end where it did without them: compare *slices found*. Markers cost two more boxes, drawn without having seen an error. The solution puts them where the reference still has half of its largest area: a box where the object hardly shows is a bad marker, since the boxes on all slices in between are drawn towards it. And the interpolated box is right only where the object changes evenly: at a bend or a fork a correction is better.

# %% [markdown] tags=["quiz"]
# ## Quiz
#
# **1.** The mask ends at the last slice of the scan. Was the object found to its end?
#
# <details><summary>Answer</summary>
#
# Nobody knows. "End of the range" means that the scan ended before the mask did. The object may go on, or the mask leaked into something that does.
#
# </details>
#
# **2.** Which is worse: a mask that leaks, or one that ends too early?
#
# <details><summary>Answer</summary>
#
# The leak. A mask that ends is missing and is seen; a leak looks like a result. Look in another plane.
#
# </details>
#
# **3.** You correct one slice. Why do the slices on the other side of the first prompt stay as they were?
#
# <details><summary>Answer</summary>
#
# The object is followed away from the first prompt. A correction holds from its slice outwards, and nothing on the other side depends on it.
#
# </details>
#
# **4.** When is a marker better than a correction?
#
# <details><summary>Answer</summary>
#
# Where the object changes evenly between two slices that you can draw. At a bend or a fork the boxes in between are wrong, and a correction is better.
#
# </details>
#
# **5.** Two volumes have the same Dice. What else do you look at?
#
# <details><summary>Answer</summary>
#
# Dice over the distance from the prompted slice. One may be fair everywhere, the other right near the prompt and lost beyond.
#
# </details>

# %% [markdown]
# ## Take-aways
#
# **If you remember one thing**: look at every mask, slice by slice and in another plane, before you measure anything in it.

# %%
summed, mended = volumes.loc["followed"], volumes.loc["corrected"]
reader = case.reference_provenance if case.reference else "no"
scored = (
    f"Dice of the volume **{summed['volume_dice']:.2f}**, corrected {mended['volume_dice']:.2f}"
)
scored += f"; near the prompted slice {summed['dice_near']:.2f}"
scored += f"; the boxes handed on, filled: {summed['filled_box_volume_dice']:.2f}"
Markdown(f"""{segmenter.name} ({kind}) on {case.name}, {case.tissue(tissue_label)}, {reader} reference.

- Prompted on slice {home}: found on {summed["slices"]:.0f} slices, {first.ends[tissue_label]}.
- {scored if case.reference else "No reference, so nothing was scored"}.
- Correction by the script: {"none" if wrong is None else f"slice {wrong}"}. {len(changed)} slices changed.
- The same first prompts, other models: {"; ".join(f"{name.removeprefix('followed by ')} on {row.slices:.0f} slices" for name, row in volumes.drop(index=["followed", "corrected"]).iterrows()) or "none here"}.
""")

# %% [markdown]
# ## Limits
#
# - One object of one person is an example, not a result. Notebook 05 measures many people, slice by slice.
# - The rules that end a propagation were chosen on two people's vertebrae and two drawn thighs. They are more likely to let a mask leak than to end it early. Another model, or a muscle that forks, may need a range, or more boxes (`results/10_drift.csv`).
# - The reader here is scripted: it knows the reference, and draws boxes two pixels outside of it.
# - SAM-mini is a miniature of this project and LiteMedSAM a small published model. Neither is a medical device, and a mask that nobody has looked at is no measurement.

# %% [markdown]
# ## Next
#
# `mskseg segment` does the same for a scan without a notebook, and `mskseg score` scores masks of any tool. If the same error returns on scan after scan, notebook 04 tunes the model on a few that you corrected.
#
# - Ma et al., *Segment anything in medical images*, Nature Communications 2024, doi:10.1038/s41467-024-44824-z
# - Kirillov et al., *Segment Anything*, ICCV 2023, doi:10.1109/ICCV51070.2023.00371
