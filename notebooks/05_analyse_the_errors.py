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
# # Analyse the errors
#
# Where does a promptable model fail, why, and does it matter to the number that a clinician reads?
#
# *Core · 30 minutes to read and try, about 3 to run on two CPU cores · real people if their scans are installed, built-in phantoms, or any data set with images and a reference · previous notebook: 04_fine_tune*

# %% [markdown]
# **What you will do**: take one pass of predictions apart until each failure has a place, a form, a likely reason and a price.
#
# **What you will learn**
# - to see what a Dice, a distance and a mean hide, each on an example small enough to check by hand
# - to name what goes with a low Dice, and to tell a correlation from an experiment
# - to look at the worst slices, say why before the code does, and correct one on the canvas
# - to turn masks into biomarkers, and to read bias and limits of agreement beside the change that matters
# - to read a Dice against what a second reader would reach, and a volume against the slices that it was stacked from
#
# **What you need**: notebook 03. No GPU, no internet.

# %% tags=["colab"] jupyter={"source_hidden": true}
import subprocess
import sys

if "google.colab" in sys.modules:  # elsewhere this cell does nothing
    install = [sys.executable, "-m", "pip", "install", "--quiet"]
    subprocess.run([*install, "mskseg[workbook,train,lite]"], check=True)

# %%
from pathlib import Path

import pandas as pd
from IPython.display import Markdown, display_html

import mskseg
from mskseg import display, evaluation, prompts
from mskseg_studies import errors

# %% tags=["parameters"]
datasets = ["spine_vertebrae", "phantom_knee", "phantom_spine", "phantom_hip", "phantom_thigh"]  # of the manifest; what is not here is left out  # fmt: skip
infiltrated = "phantom_infiltrated_thigh"  # three more phantoms, one of each grade; "" for none
models = ["lite_medsam", "sam_vit_mini", "medsam_vit_mini"]  # or files of tuned weights
device = "auto"  # cuda, else mps, else cpu; or one of them
n_subjects = 2  # people of each data set and site; with one there is no spread between people
slice_step = 6  # take every n-th slice of phantoms; volumes count each for n
volume_step = 3  # the same for the first person of each data set, whose volumes are stacked
real_step = 18  # take every n-th slice of real people, whose slices are thinner
real_volume_step = 9  # the same for the first of them
published_on_phantoms = False  # ask a published model about phantoms too: minutes more
outward_px = 4.0  # pixels added around a box as a careful person draws; MedSAM learned from such
slack_px = 8.0  # pixels added around a box on every side, to see what a sloppy box costs
tolerance_mm = 1.0  # millimetres by which two surfaces may differ and still agree
sigmas_px = [0.5, 1.0]  # pixels by which a second reader's outline moves, a standard deviation
n_worst = 10  # slices of real people in the gallery, and of phantoms
seed = 0  # of the second reader
results = "../results"  # folder with tables of a longer run, if there are any
output = "../output"  # folder for the tables and the figures

# %%
data_here, models_here = mskseg.at_hand(datasets), mskseg.at_hand(models)
segmenters = [
    mskseg.load_segmenter(name, device=device, cache=mskseg.EmbeddingCache(max_memory_mb=4096))
    for name in models_here
]
segmenter = segmenters[0]  # the one that the take-aways speak of; all are measured
raters = [loaded for loaded in segmenters if loaded.learned_iou]
rater = raters[0] if raters else mskseg.load_segmenter("sam_vit_mini")  # of three masks
kind = "a miniature" if segmenter.miniature else "a published model"
tables, figures = Path(output, "tables"), Path(output, "figures")
print(f"mskseg {mskseg.__version__}, {segmenters}, {segmenter.device}, seed {seed}")

# %% [markdown]
# ## Know what is asked
#
# Hoyer and colleagues (2024) describe *forms* of error, not only their size: MedSAM's bone came out too large and smooth, with its concavities filled; its discs and vertebrae too small and jagged. This notebook measures such forms, looks for what goes with them, and asks what they cost.
#
# **Real people come first where their scans are here**, those of a second site beside them, and phantoms after. The `data` column of every table says which. LiteMedSAM is a published model, a small relative of MedSAM, and speaks for itself. Nobody has said whether its training data held these very scans. The models whose names end in `mini` are miniatures made by this project: which of them is better is our own doing. On phantoms only the way of asking carries over.
#
# ## Load the scans and their maps
#
# Besides the scans that are segmented we load more of the same people, where a data set has it: the 8x undersampled scan (an eighth of the data was measured), and maps of T2 (a time, in milliseconds) and of fat, to measure inside the masks. Three phantom thighs have fat between the muscle fibres.

# %%
sets = errors.load_people(data_here, n_people=n_subjects, n_drawn=n_subjects)
first_data = next(iter(sets))  # real people where there are any
drawn = errors.PHANTOMS in sets
grades = [mskseg.load_some(infiltrated, n_subjects=3)] if infiltrated and drawn else []
people = {data: [case for some in of_data for case in some] for data, of_data in sets.items()}
first_people = {data: [some[0] for some in of_data] for data, of_data in sets.items()}
undersampled = {data: errors.load_undersampled(of_data) for data, of_data in sets.items()}
graded = {errors.PHANTOMS: [case for some in grades for case in some]}
scans = {data: [*of_data, *graded.get(data, [])] for data, of_data in people.items()}
cases = [case for of_data in scans.values() for case in of_data]
steps = errors.slice_steps(sets, real=real_step, phantoms=slice_step)
coarse_steps = errors.coarser_steps(steps, scans)
volume_steps = errors.slice_steps(sets, real=real_volume_step, phantoms=volume_step)
maps = errors.load_maps([*(some for of_data in sets.values() for some in of_data), *grades])
quantities = sorted({quantity for quantity, _, _ in maps})
print(f"{sum(map(len, undersampled.values()))} undersampled scans, {len(maps)} maps: {quantities}")
errors.list_scans(scans)

# %% [markdown]
# **What you see**: which scans there are, from which site, and what they are scored against. A *manual* reference was drawn by a person, a *synthetic* one is what the phantom was made from. Real people of one site and of another are kept apart: they differ in scanner and sequence, so a difference between them has more than one possible reason.
#
# ## Ask once
#
# Nearly everything below comes from one table, of oracle boxes: a row for each model, scan, slice and tissue, with overlap, distances, forms and biomarkers. The undersampled scans are used only where they are compared. The first people of each data set (all people, if a SAM 2 is among the models) also get boxes with a small margin and with much slack, and boxes that are handed on from slice to slice. The clicks for a later section are scored here, too. The next two cells take most of this notebook's time (minutes; a bar for each model and each part of the data). (SAM 2 is a newer model, which remembers slices.)

# %%
tight, slack = prompts.OracleBox(), prompts.OracleBox(margin_px=slack_px)
outward = prompts.OracleBox(margin_px=outward_px)
neighbour = prompts.NeighbourBox()
measures = errors.ErrorMeasures(tolerance_mm=tolerance_mm, maps=maps)
masks = evaluation.KeptPredictions()  # in the order of the table's rows
all_scores = errors.score_people(
    segmenters,
    {data: [*of_data, *undersampled[data]] for data, of_data in scans.items()},
    prompts=tight,
    slice_steps=steps,
    published_on_phantoms=published_on_phantoms,
    further=measures,
    kept=masks,
)
main = all_scores[~all_scores["sequence"].str.endswith("_8x")]
print(f"{len(main)} of {len(all_scores)} rows: {main['status'].value_counts().to_dict()}")

# %%
remembering = any(each.follow for each in segmenters)  # a SAM 2 is at hand
asked = people if remembering else first_people
volumes = errors.score_people(
    segmenters,
    asked,
    prompts=[tight, outward, slack, neighbour, prompts.Memory()],
    slice_steps=volume_steps,
    published_on_phantoms=published_on_phantoms,
)
facts = mskseg.provenance(
    command="05_analyse_the_errors", segmenter=segmenter, cases=cases, seed=seed
)
facts["models"] = ", ".join(f"{loaded.name} {loaded.fingerprint}" for loaded in segmenters)
evaluation.write_table(all_scores, tables / "05_errors.csv", provenance=facts)
picks = errors.score_three_masks(rater, people, slice_steps=coarse_steps, progress=False)
evaluation.write_table(picks, tables / "05_three_masks.csv", provenance=facts)
plan = ["segmenter", "prompt", "box_source"]  # columns that say who was asked, and how
in_words = {tight.box_source: "tight box"}
in_words |= {box.box_source: f"box +{box.margin_px:g} px" for box in (outward, slack)}

# %% [markdown]
# ## Score each tissue and each shape
#
# **Surface Dice** is the share of both outlines that lies within a tolerance of the other. **HD95**, the 95 % Hausdorff distance, is how far the outlines are apart at most, once the worst 5 % are left out.
#
# > **Guess**: which shape has the lowest Dice, over all models and data?
# >
# > - **A**: thin sheets
# > - **B**: rings
# > - **C**: ellipses or bulk

# %%
shapes = errors.shape_classes(cases, slice_step=4)
classed = errors.by_site(main.merge(shapes, on=["dataset", "tissue"]))
scores = ["dice", "filled_box_dice", "surface_dice", "hd95_mm"]
by_class = evaluation.summarise(classed, by=["data", "shape_class", *plan], values=scores)
lowest_shape = by_class.groupby("shape_class")["dice"].mean().idxmin()
print(f"Answer: {'A' if lowest_shape == 'thin' else 'BC'[lowest_shape != 'ring']}, {lowest_shape}.")

# %% alt="Dice of the hardest tissues for each model, one dot per slice, the mean, and a diamond for the filled box"
rows = ["data", "dataset", "shape_class", "tissue"]
by_tissue = evaluation.summarise(classed, by=[*rows, *plan], values=scores)
evaluation.write_table(by_tissue, tables / "05_by_tissue.csv", provenance=facts)
tissue_axes = errors.dice_by_tissue(classed[classed["dataset"] != infiltrated], lowest=3)
display.save_figure(tissue_axes, figures / "05_dice_by_tissue.png", provenance=facts)
by_class.pivot_table(["dice", "filled_box_dice"], ["data", "shape_class"], "segmenter").round(2)

# %% [markdown]
# **What you see**: the table has a row for each shape; the figure has the three tissues of each data set with the lowest Dice (notebook 03 shows all). All tissues, with their distances, are in `05_by_tissue.csv`. NaN stands where a model was not asked. Shapes follow rules: a *thin* one is at least eight times as long as it is wide, a *ring* encloses a hole, an *ellipse* nearly fills the ellipse fitted to it, *bulk* is the rest. (Hoyer calls vertebral bodies elliptical; by our rule most are bulk.) Surface Dice is stricter than Dice on large tissues, where a rim of two pixels costs little area. On a sheet one millimetre is much of the width. There surface Dice can be the milder of the two, even where the mask leaked: a border that runs along the sheet still agrees.
#
# ## Count slices without reference, both ways
#
# A whole volume has slices that a structure does not reach. Do you leave them out of the mean? Do you count a mask that was invented there as 0? Or do you also count a slice that was rightly left empty as 1?

# %%
by_dataset = errors.read_empty_slices(volumes, asked, slice_steps=volume_steps)
evaluation.write_table(by_dataset, tables / "05_empty_slices.csv", provenance=facts)
shown_plans = [tight.box_source, neighbour.box_source]
of_last = by_dataset.query("segmenter == @segmenters[-1].name and box_source in @shown_plans")
means = of_last.drop(columns="segmenter").rename(columns=errors.IN_WORDS).round(2)
means.set_index(["data", "dataset"]).rename(columns=lambda name: name.replace("_", " "))

# %% [markdown]
# **What you see**: one set of masks, three means of Dice, of the last model (the others are in `05_empty_slices.csv`). With *oracle* boxes nothing can be invented, since the missing box tells the model that nothing is there. Counting those slices as 1 rewards it for what the reference knows. With boxes handed on by *neighbours* nothing tells it where to stop. If a paper does not say which way it counted, you do not know its Dice.
#
# ## See what a metric hides
#
# First a disc that is segmented perfectly, except for a stray square far away that grows step by step. Then the opposite: nine good slices and one on which nothing was found.
#
# > **Guess**: the stray grows from 1 to 144 pixels. When does HD95 notice?
# >
# > - **A**: at the first pixel
# > - **B**: after some pixels
# > - **C**: never

# %% alt="Left a disc with a stray square; right its largest distance, HD95 and mean distance over the square's area"
strays = errors.stray_scores(range(13), tolerance_mm=tolerance_mm)
stray_axes = errors.stray_chart(strays, drawn_px=8, title="HD95 is blind, then sees nothing else")
display.save_figure(stray_axes[0], figures / "05_stray.png", provenance=facts)
noticed = strays.loc[strays["hd95_mm"] > 0, "stray_px"].min()
print(f"Answer: {'A' if noticed == 1 else 'C' if pd.isna(noticed) else 'B'}, at {noticed} pixels.")
strays.rename(columns=errors.IN_WORDS).iloc[[0, 1, 2, 3, 4, 12]].round(3)

# %%
scored = main[main["status"] == "scored"]
good = scored.sort_values("dice").tail(9)
errors.means_with_one_lost(good).round(3)

# %% [markdown]
# **What you see**: HD95 is 0 until the stray's outline makes up a twentieth of the prediction's. Then it jumps, within two steps, to about the stray's distance and stays there, however good the rest is. Dice hardly moves.
#
# With one slice lost the true mean distance is infinite. A tool that drops what is not finite reports the mean of nine good slices, and the failure is gone. The median does not see it either. Dice counts it as one 0 in ten. So beside any mean of distances, report how many masks were empty.
#
# ## Explain Dice
#
# A **rank correlation** (Spearman) asks whether two numbers rise together, whatever the curve: 1 if always, 0 if not at all, -1 if one falls as the other rises.
#
# > **Guess**: what does the first model's Dice correlate with most, on the first data?
# >
# > - **A**: size (area or thickness), or how near the slice is to the structure's end
# > - **B**: contrast of the border
# > - **C**: how well the box fits, or fat in the muscle

# %%
joined = errors.with_covariates(main, errors.tissue_properties(cases))
correlations = errors.rank_correlations(joined)
evaluation.write_table(correlations, tables / "05_effects.csv", provenance=facts)
of_first = correlations.query("data == @first_data and segmenter == @segmenter.name")
of_first.set_index("effect")[["spearman", "within_tissues", "n_pairs"]].dropna().round(2)

# %% alt="Dice against area, thickness, contrast, distance to the end, filled box and fat fraction, a panel each"
strongest = of_first.loc[of_first["spearman"].abs().idxmax(), "effect"]
title = f"{segmenter.name} on {first_data}: Dice correlates most with {strongest}"
print("Answer:", {"Dice": "C", "fat": "C", "contrast": "B"}.get(strongest.split()[0], "A"))
of_one = joined.query("data == @first_data and segmenter == @segmenter.name")
effect_axes = errors.covariate_panels(of_one, title=title)
display.save_figure(effect_axes[0], figures / "05_effects.png", provenance=facts)

# %% [markdown]
# **What you see**: the title names the answer, too; the other models and data are in `05_effects.csv`. Dots are slices, the line is their median, the band their middle half. *Spearman* compares all slices; *within tissues* compares a tissue's slices with that tissue's own mean. (With a single tissue the two are the same.) Where the two differ, the first mostly says *which tissue* it is: thin tissues are also faint and fill little of their boxes, and no correlation tells these apart. To find a cause, change one thing and keep the slices: the same anatomy undersampled, the same structure in a looser box. *Contrast of the border* is measured place by place, so that a tissue between a brighter and a darker neighbour counts as clear.

# %% alt="Change of Dice when the scan is undersampled and when boxes get slack, for each model"
tested = [
    errors.paired_change(volumes, column="box_source", first=tight.box_source, second=wider)
    for wider in (outward.box_source, slack.box_source)
]
sequences = {case.sequence for of_data in undersampled.values() for case in of_data}
tested.extend(
    errors.paired_change(all_scores, column="sequence", first=name.removesuffix("_8x"), second=name)
    for name in sorted(sequences)
)
changes = pd.concat(tested, ignore_index=True).replace(in_words)
costliest = changes.loc[changes["change"].idxmin()]
worst_change = f"{costliest['to']} ({costliest['segmenter']}, {costliest['data']})"
change_axes = errors.change_chart(changes, title=f"What costs most: {worst_change}")
display.save_figure(change_axes, figures / "05_changes.png", provenance=facts)
evaluation.write_table(changes, tables / "05_changes.csv", provenance=facts)
muscles = scored.query("group == 'muscle' and severity != ''")
by_grade = (
    evaluation.nested_mean(muscles, by=["segmenter", "severity"]) if len(muscles) else muscles
)
by_grade.sort_values(["segmenter", "severity"]).round(3)

# %% [markdown]
# **What you see**: dots are means over people, bars run from the lowest to the highest person. The slices are the same on both sides, so anatomy cannot be the reason. Fatty infiltration cannot be switched on in one person: its grades are different people, one each here, so that comparison is weaker (no rows: no such data set is here).
#
# ## Look at the worst
#
# The lowest Dice of each structure (a label of a data set; each vertebra counts as its own), worst first: of real people where there are any, then of phantoms. Without that rule, the ten lowest could be one structure ten times. Above them, a slider shows one muscle of the phantoms on slices with more and more fat in it: from which slice on would you draw it differently? (It needs a kernel. Without one, you see the slice with least fat.)

# %% alt="Close-ups of the worst slice of each of several structures: reference, prediction and box"
worst = errors.worst_slices(joined, n=n_worst)
shown_models = " and ".join(dict.fromkeys(worst["segmenter"]))
gallery = errors.failure_gallery(worst, masks, title=f"The worst of {shown_models}")
display.save_figure(gallery[0], figures / "05_worst.png", provenance=facts)
errors.fat_slider(joined, masks)

# %% [markdown]
# ### Exercise 1: name the reason, and mend one (15 minutes)
#
# Give each panel the reason that you see: nothing was found, leaked, fell short, faint border, thin, end of the structure. Then mend a panel of your choice on the **canvas**: it opens on that slice with the box of the panel, wider by four pixels on each side. Draw another box, choose another model, or click if the model takes clicks. *Hint: look at the outline first, then at the image under it; in a thin tissue ask what else the box could have meant.*

# %% tags=["exercise"]
my_reasons, my_panel = {1: "leaked"}, 5  # your reasons by panel, and the one to mend
explorer = errors.open_panel(worst, my_panel, masks, cases, segmenters, margin_px=4)
print(
    f"Dice {worst['dice'].iloc[my_panel - 1]:.2f} before, {explorer.log['dice'].iloc[-1]:.2f} now"
)
explorer

# %% tags=["solution"] jupyter={"source_hidden": true}
shown = worst[["data", "tissue", "slice", "dice", "thickness_mm", "edge_contrast", "reason"]]
numbered = shown.set_axis(range(1, len(shown) + 1))
numbered.assign(reader=[my_reasons.get(number, "") for number in numbered.index]).round(2)

# %% [markdown]
# **Discussion**: the code names what happened to the area, then the first rule that fits the tissue: faint border, thin, end of the structure. A border is called faint if it is faint at the median place along it. The code cannot see that it is faint on one side only, or that the box held two structures and the model took the larger; you can. Where you and the rules differ, look at the image without the outlines before you trust either. And if a slightly wider box mended a panel, part of that error was the prompt's.
#
# ## Choose among three masks
#
# SAM answers an ambiguous prompt with three masks and a guess at the quality of each. How good is its choice, and how good was the best? And are the three a part, an object and the whole that it belongs to, as Kirillov and colleagues write? If so, each lies in the next larger one.
#
# > **Guess**: how often is the model's favourite the best of the three, for a click? (By chance: a third.)
# >
# > - **A**: in more than half of the cases
# > - **B**: more often than chance, up to half
# > - **C**: as often as chance, or less

# %% alt="The three masks of the click on which the model's own choice lost most"
choice = errors.summarise_choice(picks)
three_axes = errors.most_lost_panels(picks, rater, people)
display.save_figure(three_axes[0], figures / "05_three_masks.png", provenance=facts)
share, data = choice[choice["prompt"] == "point"].iloc[0][["share_best", "data"]]
print(f"Answer: {'A' if share > 0.5 else 'B' if share > 0.34 else 'C'}, {share:.0%} on {data}.")
choice.drop(columns="segmenter").round(3)

# %% [markdown]
# **What you see**: `single` is the one mask it gives if asked for one, `chosen` the one of three that it rates highest, `best` the best of three, which needs the reference; `lost` is the gap between these two. `share_best` is how often they are the same mask; chance is a third. A paper that reports the best of three reports the reference's choice. `inside` is how much of a mask lies in the next larger one, `step` how many times larger the next one is, both for the weaker of the two pairs; `nested` is how often `inside` is 0.9 or more *and* `step` is 1.25 or more. Three masks that are nearly the same have a high `inside` and a `step` near 1: the model then saw no ambiguity.
#
# ## Measure what a clinician reads
#
# Nobody treats a Dice. From each stack of masks we take a **biomarker** (a number such as a thickness or a volume), once from the reference and once from the prediction. Beside it stands the smallest change that matters, and where that number comes from; one is only *commonly quoted*, and is marked so.
#
# > **Guess**: the *limits of agreement* hold 95 % of the differences. For how many biomarkers do they lie inside what matters?
# >
# > - **A**: for none
# > - **B**: for some
# > - **C**: for all

# %% alt="Bland-Altman panels: difference of prediction and reference against their mean for each biomarker and model"
distances_mm = {
    case.dataset: steps[data] * case.image.slice_thickness_mm(case.plane)
    for data, of_data in scans.items()
    for case in of_data
}
measured = errors.biomarker_table(main, slice_distance_mm=distances_mm)
biomarkers = errors.split_by_box(measured, main)
bias = errors.biomarker_agreement(biomarkers)
finding = f"Limits of agreement inside what matters: {bias['within'].sum()} of {len(bias)}"
if len(biomarkers):
    agreement_axes = errors.bland_altman_panels(biomarkers, title=finding)
    display.save_figure(agreement_axes[0], figures / "05_biomarkers.png", provenance=facts)
evaluation.write_table(bias, tables / "05_biomarkers.csv", provenance=facts)
if "fat fraction" in quantities:
    display_html(errors.two_point_readings().round(1))
print(f"Answer: {'A' if not bias['within'].any() else 'C' if bias['within'].all() else 'B'}.")
by_biomarker = bias.drop(columns=["source", "n_missing"]).set_index(["biomarker", "segmenter"])
by_biomarker.rename(columns=errors.IN_WORDS | {"smallest_change": "smallest change"}).round(2)

# %% [markdown]
# **What you see**: the thick line is the *bias*, the thin ones the limits between which 95 % of differences should lie (Bland and Altman). A biomarker is split in two where some of its tissues fill less than half of their box and others more: *curved* sheets, such as the femoral cartilage, and flat ones (*compact*). One pair of limits for both would describe neither.
#
# A bias that is the same for everybody cancels when one person is followed; wide limits do not. Leaks do not average out: a cartilage that leaks into bone has the bone's thickness and T2, and a muscle mask that takes in the fat around it raises its fat fraction. The first table (only where a fat fraction was measured) shows in per cent what the phantoms' two-point Dixon, a scan that tells fat from water, reads in muscle with a known amount of fat, before any mask is drawn. (Water decays between the two echoes, and what it loses is taken for fat; the smaller peaks of fat count as water.) Reference and prediction share that error, so much of it cancels in their difference. It does not cancel in a fat fraction that you quote. Disc height is a mean over the disc's length; radiologists use other heights, too. `05_biomarkers.csv` says where each smallest change comes from. Dots are structures, several of one person, so the limits are too narrow if anything.
#
# ## Measure the form of an error
#
# > **Guess**: in tight boxes, is the first model's answer on the first data too large or too small?
# >
# > - **A**: too large (median area error above +5 %)
# > - **B**: too small (below -5 %)
# > - **C**: neither

# %%
form_axes = errors.contour_error_panels(
    scored, title="Too large, too full, too jagged? Median and middle half of the slices"
)
display.save_figure(form_axes[0], figures / "05_forms.png", provenance=facts)
area = scored.query("segmenter == @segmenter.name and data == @first_data")["area_error"].median()
print(f"Answer: {'A' if area > 0.05 else 'B' if area < -0.05 else 'C'}, {area:+.0%}.")
both = volumes[volumes["box_source"].isin([tight.box_source, outward.box_source])]
by_box = both.query("status == 'scored'").eval("area_error = predicted_area_mm2 / area_mm2 - 1")
model_and_plan = ["segmenter", "box_source"]
by_box.pivot_table("area_error", ["data", "group"], model_and_plan, aggfunc="median").round(2)

# %% [markdown]
# **What you see**: in the figure, *area error* above 0 is too large; *solidity* gained is concavity lost; *jaggedness* gained is an edge more jagged than that of the reference, grown or shrunk to the prediction's size (not measured on sheets thinner than 2 mm). Hoyer saw that MedSAM drew bone too large with concavity lost, discs and vertebrae too small and jagged, and thigh muscles with diffuse, jagged edges. Compare sign by sign, real people first. The miniatures are no evidence about MedSAM, since we made both, and LiteMedSAM is another model. Where one of them errs in another way, MedSAM's habit is not a law for such models.
#
# Are these forms the model's, or the box's? MedSAM learned from boxes up to 20 of 1024 pixels wider than tight on every side (notebook 03). A model that learned that an object ends a little before its box may draw it too small in a tight one. The table has the median area error on the same slices of the first people, in tight boxes and with a small margin. Where a model is too small in tight boxes and not in wider ones, the box was part of the error; where the sign stays, the model was. The table is of fewer people than the figure, so compare within it.
#
# ## Find the ceiling
#
# A person drew the reference, or could have. A second reader, whose outline is off by half a pixel to a pixel, smoothly along the edge, would reach this Dice with the first:

# %% alt="For each tissue the Dice that a second reader reaches, as a bar, and that of the models, as dots"
ceilings, model_means = errors.reader_ceiling(
    first_people, main, sigmas_px=sigmas_px, slice_steps=coarse_steps, seed=seed
)
ceiling_axes = errors.ceiling_chart(ceilings, model_means)
display.save_figure(ceiling_axes, figures / "05_ceiling.png", provenance=facts)
evaluation.write_table(ceilings, tables / "05_ceiling.csv", provenance=facts)

# %% [markdown]
# **What you see**: bars are the simulated reader, dots the models, over the same slices of the first people. On a bone such a reader still has nearly 1, on a sheet of cartilage far less: a Dice of 0.9 is poor on the first and as good as it gets on the second. How far real readers differ has to be measured with readers; that they differ by about a pixel is our assumption.
#
# ## Build a volume from slices
#
# Two ways to a volume: box every slice (here by the oracle) and stack the masks, or box one slice and hand each mask on as the next slice's box. A SAM 2, if one is among the models, is asked in a third way: it gets the one box and *remembers* the slices it has seen, as in a video.

# %% alt="Dice over the number of slices from the start, for boxes on every slice, handed on, and remembered where a SAM 2 is at hand"
ways = {tight.box_source: "each slice", neighbour.box_source: "handed on", "memory": "remembered"}
stacked = volumes[volumes["box_source"].isin(ways)]
if remembering:
    followed = errors.followed_slices(volumes, asked)
    evaluation.write_table(followed, tables / "05_followed.csv", provenance=facts)
drift = errors.propagation_drift(stacked)
drift_axes = errors.drift_chart(drift)
display.save_figure(drift_axes[0], figures / "05_drift.png", provenance=facts)
by_volume = ["data", "dataset", "segmenter", "box_source"]
volume_values = ["dice_3d", "volume_error", "invented"]
of_volumes = evaluation.nested_mean(
    errors.by_site(errors.volume_scores(stacked)), by=by_volume, values=volume_values
)
evaluation.write_table(of_volumes, tables / "05_volumes.csv", provenance=facts)
of_volumes["boxes"] = of_volumes["box_source"].replace(ways)
by_model = of_volumes.rename(
    columns={"dice_3d": "Dice of the volume", "volume_error": "volume error"}
)
columns = ["Dice of the volume", "volume error", "invented"]
by_model.pivot_table(columns, by_volume[:3], "boxes", sort=False)[columns].round(2)

# %% [markdown]
# **What you see**: at the start all ways are equal, by construction. Then each error is boxed and handed on. The Dice of the volume counts all voxels, also those beyond the structure's end (*invented*, as a part of the predicted volume). The volume error says whether masks grew into the neighbours (above 0) or shrank away. Structures differ in length, so the far end of the curve comes from the long ones only. With a SAM 2, `05_followed.csv` has the Dice and the seconds of each slice in both ways, by its distance in mm.

# %% [markdown] tags=["quiz"]
# ## Quiz
#
# **1.** A tool reports a mean HD95 of a few millimetres over a hundred slices. What do you ask?
#
# <details><summary>Answer</summary>
#
# On how many slices nothing was found. Their distance is infinite, and a tool that drops what is not finite leaves them out: see the table of nine good slices and a lost one.
#
# </details>
#
# **2.** Thin tissues have a low Dice. Does that show that thinness is the cause?
#
# <details><summary>Answer</summary>
#
# No. Thin tissues are also faint and fill little of their boxes. For a cause, one thing has to be changed on the same slices, as the figure of changes does with the box.
#
# </details>
#
# **3.** Is a Dice of nine tenths good?
#
# <details><summary>Answer</summary>
#
# That depends on what a second reader reaches. The figure of the ceiling shows it for each tissue: on a bone more, on a sheet of cartilage less.
#
# </details>
#
# **4.** A paper takes the best of SAM's three masks for each click. What does its Dice mean?
#
# <details><summary>Answer</summary>
#
# It is what somebody who knows the reference gets by picking. The model's own choice is in the table of three masks, and lower.
#
# </details>
#
# **5.** A muscle's fat fraction is too high by the same amount in everybody. When does it matter?
#
# <details><summary>Answer</summary>
#
# When you quote it, or compare it with another method. When one person is followed with the same method, a bias that stays the same cancels.
#
# </details>

# %% [markdown]
# ## Take-aways
#
# **If you remember one thing**: look at the worst slices before you believe a mean, and ask what each error does to the number that is read.

# %%
assert all(loaded.cache.n_misses == len(loaded.cache) for loaded in segmenters)  # encoded once
mine = f"segmenter == '{segmenter.name}' and data == '{first_data}'"
shape_dice = by_class.query(mine).set_index("shape_class")["dice"]
boxed, handed_on = (drift.query(f"{mine} and box_source == @plan") for plan in shown_plans)
empty = by_dataset.query(f"{mine} and box_source == @shown_plans[1]").iloc[0]
read_off = bias[bias["segmenter"].isin(bias["segmenter"].head(1))]
lines = [
    f"{row.biomarker} {row.bias:+.2f} {row.unit} ({row.low:+.2f} to {row.high:+.2f}; {row.smallest_change:g} matters)"
    for row in read_off.itertuples()
]
Markdown(f"""For {segmenter.name} ({kind}) on {first_data} with oracle boxes, unless stated otherwise; one encoder pass for each of {segmenter.cache.n_misses} slices.

- Dice by shape: {", ".join(f"{name} {value:.2f}" for name, value in shape_dice.items())}. Lowest over all models and data: **{lowest_shape}**.
- Slices without reference of {empty["dataset"]}: {empty["left_out"]:.2f} left out, {empty["invented_is_0"]:.2f} with what was invented (boxes handed on).
- Dice correlates most with: {strongest}. Of what was changed, *{worst_change}* costs most ({changes["change"].min():+.2f}).
- Best of three masks of {rater.name} {choice["best"].iloc[0]:.2f}, its own choice {choice["chosen"].iloc[0]:.2f}, right in {choice["share_best"].iloc[0]:.0%} of clicks (chance: a third).
- Handed on {handed_on["steps"].max()} times (slices are some apart): Dice {handed_on["dice"].iloc[-1]:.2f}, where a box on every slice has {boxed["dice"].iloc[-1]:.2f}.
- Bias of biomarkers of {bias["segmenter"].iloc[0] if len(bias) else "any model"} (limits of agreement): {"; ".join(lines) or "none was read off these tissues"}.
""")

# %% [markdown]
# ## Limits
#
# - Few people, real ones healthy and of one region; miniatures and phantoms say nothing about published models and patients.
# - The geometry of a data set can be nominal (the vertebrae's 1 mm is), so their lengths are only comparable with each other.
# - Slices and structures of one person are not independent, so no p values, and limits of agreement that are too narrow.
# - What goes with a low Dice need not cause it; only undersampling and slack were changed on their own.
# - The changes that matter come from different bodies, scanners and definitions; two are detection limits, not clinical ones.
# - Volumes take every n-th slice: for a SAM 2's memory that is a video with gaps.
# - The second reader is simulated from an assumed uncertainty, and a phantom's reference has no reader at all.

# %% [markdown]
# ## Next
#
# Put the model that you tuned in notebook 04 beside those in `models` and run all cells again: does tuning correct the forms, or only raise the mean? The core of the workbook ends with notebook 10, where you segment a scan of your own. Notebook 06 goes deeper into prompts: more points, more pixels, more phases.
#
# - Hoyer et al., *Towards a Generalizable Foundation Model for Multi-Tissue Musculoskeletal MRI Segmentation*, ISMRM 2024, 0651, doi:10.58530/2024/0651
# - Bland and Altman, *Statistical methods for assessing agreement between two methods of clinical measurement*, Lancet 1986, doi:10.1016/S0140-6736(86)90837-8
# - Maier-Hein et al., *Metrics reloaded: recommendations for image analysis validation*, Nature Methods 2024, doi:10.1038/s41592-023-02151-z
