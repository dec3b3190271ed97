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
# # Weigh the claims
#
# Which statements of five studies hold in what you just computed, which do not, and which can no miniature decide?
#
# *Seconds on a CPU · the tables that the other notebooks wrote, as many as there are · previous notebook: 08_quantify_uncertainty*

# %% [markdown]
# **What you will do**: go through a ledger of statements, each with a rule that was written before the result, and give each a verdict.
#
# **What you will learn**
# - to turn a sentence of an abstract into a number, a direction, a margin and a smallest number of people
# - to tell "does not hold" from "cannot be told"
# - to see when an experiment was decided by those who built it
# - to find what an abstract leaves open, and where studies contradict each other
#
# **What you need**: some of the notebooks before this one, run. What was not run is said, and nothing fails.

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
from mskseg import display, evaluation
from mskseg_studies import claims

# %% tags=["parameters"]
tables = ""  # folder of other tables to judge, such as a full run's; "" for the output's
results = "../results"  # folder with results of runs done elsewhere, if there are any
output = "../output"  # folder that the other notebooks wrote into; the ledger goes there too

# %%
stated = claims.load_claims()
this = "09_weigh_the_claims"
own, figures = Path(output, "tables"), Path(output, "figures")
facts = mskseg.provenance(command=this)
print(f"mskseg {mskseg.__version__}, device cpu, no seed: nothing here is drawn at random")

# %% [markdown]
# ## Read a claim
#
# A study says a sentence. To check it you need to know what would be measured, on whom, and what number would make you say no. `claims.yaml` holds that for every statement, in our words. Here is one.

# %%
(example,) = [claim for claim in stated.claims if claim.id == "casali-early-equal"]
fields = {
    "published": example.published,
    "compared": f"{example.measure.column} of {example.measure.first}, less {example.measure.second}",
    "rule": claims.rule_in_words(example.rule),
    "why so": example.rule.why,
}
claims.text_table(pd.Series(fields, name=example.statement).to_frame())

# %% [markdown]
# **What you see**: "comparable" became *equal within a margin*. The study's abstract has no margin; we had to choose one, and wrote down why. Whoever finds it too wide changes the file, and says so, **before** looking at the result: a margin chosen afterwards can prove anything.

# %%
listed = pd.DataFrame(
    [(claim.study, claim.evidence, claim.is_fact) for claim in stated.claims],
    columns=["study", "evidence", "fact of an architecture"],
)
listed.value_counts(sort=False).rename("statements").to_frame()

# %% [markdown]
# **What you see**: most statements are in a text; a few are *common belief*, said in every talk and in none of the five texts at hand. They are marked, so that nobody goes on to cite a study for them. Some are constants of an architecture, such as a number of parameters: *facts*. They can be counted and never surprise, so they stand in a table of their own and no count of verdicts has them.
#
# ## Let an interval decide
#
# A verdict follows from three things: the number, its 95 % interval over people, and the margin. Below, one rule ("above, by a margin of 0.02, five people or more") meets six results.
#
# > **Guess**: how many of the six let the claim hold?

# %% alt="Six example results with intervals against the margin; two hold, three do not, one is inconclusive"
rule = claims.Rule(direction="above", margin=0.02, smallest_n=5, why="an example")
outcomes = [(0.05, 0.03, 0.07), (0.05, -0.02, 0.12), (0.01, 0.005, 0.015), (-0.04, -0.06, -0.02)]
outcomes += [(0.021, 0.001, 0.041), (0.0, -0.01, 0.01)]
six_results = pd.DataFrame(outcomes, columns=["value", "low", "high"])
six_results.insert(0, "statement", [f"result {letter}" for letter in "ABCDEF"])
six_results["verdict"] = [
    claims.verdict(rule, value, interval=(low, high), n=6)[0] for value, low, high in outcomes
]
six_results[["direction", "margin"]] = rule.direction, rule.margin
example_axes = claims.interval_chart(
    six_results, title="The interval decides, not the number alone"
)
print(claims.rule_in_words(rule))
six_results[["statement", "value", "low", "high", "verdict"]]

# %% [markdown]
# **What you see**: the rule in words, as it is computed, then what it makes of the six. A and B have the same number, and only A holds. C is *surely* above zero and does not hold, since it is surely too small to count. F does not hold either: nothing is there, and we know it. B is the common case of a small study: the interval allows both, so it is **inconclusive**, which is not the same as "no difference".
#
# ### Exercise 1: what a second group of people changes (5 minutes)
#
# Result B came from six people. Suppose that you examined four times as many, and found the same mean and the same spread. What becomes of its interval, and of the verdict? *Hint: an interval of a mean shrinks with the square root of the number of people.*

# %% tags=["exercise"]
half_width = 0.07  # of result B; replace by that of four times as many people
claims.verdict(rule, 0.05, interval=(0.05 - half_width, 0.05 + half_width), n=6)

# %% tags=["solution"] jupyter={"source_hidden": true}
narrower = 0.07 / 4**0.5
claims.verdict(rule, 0.05, interval=(0.05 - narrower, 0.05 + narrower), n=24)

# %% [markdown]
# **Discussion**: the interval halves and leaves zero, and the claim holds. Nothing about the models changed. A verdict speaks of the evidence as much as of the world.
#
# ## Count what needs no data
#
# Some statements are about the model itself: its parameters, its grids. No image is needed to check those, not even weights. We build the published architecture (ViT-B) without them and count.
#
# > **Guess**: which of image encoder and mask decoder holds more parameters, and by what factor?

# %%
dimensions = claims.model_dimensions("vit_b")
counted = dimensions.assign(model="ViT-B", miniature=False)
evaluation.write_table(counted, own / "09_dimensions.csv", provenance=facts)
assert (dimensions["value"] > 0).all()
dimensions

# %% [markdown]
# **What you see**: these are the published model's own numbers, not a miniature's; the only rows of which that is true unless you brought the official checkpoints. The last four say how much each mode of tuning trains; whether a part is *small* needs a rule, so that one is judged below.
#
# ## Judge them all
#
# Each other claim names a notebook, a table that it writes, and a cell of that table. Where the notebook was run the number is read and judged. Where the notebook was run and the cell is *gone*, that is an error, and the run fails: a ledger that forgets silently is worse than none.
#
# > **Guess**: of all claims, how many can this run decide, one way or the other?

# %%
other_tables = Path(tables) if tables else None
ledger = claims.judge_output(Path(output), tables=other_tables, also_ran=[this])
judged = ledger.judgements
claims.check_none_vanished(judged)
verdicts = claims.ledger_table(judged)
evaluation.write_table(verdicts, own / "09_ledger.csv", provenance=facts)
claims.text_table(claims.facts_table(judged))

# %% [markdown]
# **What you see**: the facts, stated and counted. They agree or they do not; nothing was found out about segmentation. From here on they are left out.

# %% alt="For each study a bar of its claims, divided by verdict"
findings = verdicts[~verdicts["is_fact"]]
counts = findings["verdict"].value_counts()
decided = int(counts.reindex(["holds here", "does not hold here"], fill_value=0).sum())
by_study = claims.verdict_bars(
    findings, title=f"This run decides {decided} of {len(findings)} claims"
)
display.save_figure(by_study, figures / "09_verdicts.png", provenance=facts)

# %% [markdown]
# **What you see**: one bar for each study. White is what was not run; run the notebook and this one again. Of the rest, look how much is *inconclusive* or *not testable*: that is the honest size of what a workbook on a laptop can say.
#
# Some claims have a rule, and no size of these notebooks gives what it asks for, mostly too few people. They are *not testable here* too, and stay so until somebody brings the tables.

# %%
out_of_reach = [(one.statement, one.out_of_reach) for one in stated.claims if one.out_of_reach]
claims.text_table(pd.DataFrame(out_of_reach, columns=["statement", "why it is out of reach"]))

# %%
open_still = ["its notebook was not run", "not testable here"]
of_findings = [each for each in judged if not each.claim.is_fact]
tested = findings[~findings["verdict"].isin(open_still)]
looked_at = claims.short_table(each for each in of_findings if each.verdict not in open_still)
claims.text_table(looked_at)

# %% [markdown]
# **What you see**: each statement with our number, its interval over people, the rule in words, and in the last column the models and data it was measured on. *Holds here* means on these. If that column says miniature and phantom, the verdict is about a miniature and phantoms. Where a number pools several data sets, people of one data set are not independent: the interval is then one over data sets, and with fewer than five of them there is none. No rows: nothing was tested that our own construction does not decide; see below.

# %% alt="Numbers of the judged claims with their intervals, in units of their margins"
interval_axes = claims.interval_chart(
    tested, title="How far each number is from what its claim asks"
)
display.save_figure(interval_axes, figures / "09_intervals.png", provenance=facts)

# %% [markdown]
# **What you see**: each number in units of its own margin, turned so that right is the claim's way. An interval that reaches far to both sides came from few people. Where no claim has an interval yet, the figure says so.
#
# ## Ask the longer run
#
# Tables of longer runs are committed in `results/`, each with the commit, the weights and the machine that it came from. The same rules judge them, by themselves: their rows are never mixed with this run's.

# %%
print(claims.committed_results(results, "0*.csv").origin)
committed = claims.judge_output(Path(output), tables=Path(results))
print(f"No longer run is committed at present of: {', '.join(committed.not_run) or 'none'}")
longer = committed.judgements
claims.text_table(claims.short_table(each for each in longer if each.value is not None))

# %% [markdown]
# **What you see**: whose weights each table is of, and of which notebooks nobody committed a longer run; then every claim for which those tables have a number; no rows where there are none. More people and longer training narrow an interval; they do not turn a miniature into the published model.
#
# Where this run and those tables come to different verdicts, both stand beside each other, with what differs between the two.

# %%
claims.text_table(claims.disagreements(judged, longer))

# %% [markdown]
# **What you see**: no rows where the two agree. A difference in weights or people is a reason to believe neither without a third run.
#
# One rule came late. That an opponent must itself be any good (*opponent* in `claims.yaml`) was written together with the table that it judged, and not before it. A rule that comes with its result can turn it, so here is what it turned then.

# %%
late = [(one.statement, one.history) for one in stated.claims if one.history]
print(f"{len(late)} verdicts were turned by a rule that came together with its table")
claims.text_table(pd.DataFrame(late, columns=["statement", "what the rule turned"]))

# %% [markdown]
# **What you see**: the verdict that each would have had without the rule: none of them spoke for the study. We think that the rule is right, since to compare with a network that was hardly trained says nothing. You need not trust us: wherever the rule decides today, the reason gives the verdict without it.
#
# ## Know what our construction decides
#
# Some of our numbers could never have been a surprise. We made SAM-mini and its sibling; which is above the other is our doing. All phantoms come from one generator; how far the knee is from the thigh, we decided. How much there is to gain by tuning, how clear an edge is, how far a further person differs: we decided too. Such claims stay *not testable here* for the published models, whatever number stands beside them. They are judged on the rows of published models and real people, as soon as a table has such rows.

# %%
constructed = [each for each in judged if each.why.startswith(claims.OURS)]
claims.text_table(claims.short_table(constructed))

# %% [markdown]
# **What you see**: a number as a curiosity, and a reason not to believe it; no rows if those notebooks were not run. With official checkpoints and public data the same rows get a verdict, without a change to the rules.
#
# ## Find what the texts leave open
#
# Checking a sentence shows what it does not say.

# %%
notes = [(note.text, note.kind, ", ".join(note.claims)) for note in stated.notes]
claims.text_table(pd.DataFrame(notes, columns=["what", "kind", "claims"]))

# %% [markdown]
# **What you see**: what is ambiguous, where studies contradict each other, and where one contradicts itself. For each we say which reading we tested. The whole papers may settle some; we have the abstracts and a deck of slides.
#
# ### Pitfall: a table that lost its cell
#
# Suppose somebody renames a column in notebook 03. The claim must not slip away.

# %%
empty = claims.judge(stated.claims, tables=Path("no such folder"), ran=["03_segment_zero_shot"])
try:
    claims.check_none_vanished(empty)
except mskseg.InputError as error:
    assert "lost the cell that tests them" in str(error)
    print(error)
else:
    raise AssertionError("a claim without its table passed")

# %% [markdown]
# ### Exercise 2: a claim of your own (15 minutes)
#
# Write a rule for the statement "the mask decoder is small beside the image encoder", before you look at the table above again. Which measure, which direction, which margin? *Hint: `Measure(relative=True)` gives (first - second) / second; at less than half of the encoder it is below -0.5.*

# %% tags=["exercise"]
mine = claims.Measure(
    notebook=this,
    table="09_dimensions.csv",
    column="value",
    first={"dimension": "mask decoder*"},
    second={"dimension": "image encoder*"},
)  # add what is missing, then a Rule
claims.measure_table(dimensions, mine).value

# %% tags=["solution"] jupyter={"source_hidden": true}
small = mine.model_copy(update={"relative": True})
tenth = claims.Rule(direction="below", margin=0.9, sampled=False, why="small is less than a tenth")
claim = claims.Claim(
    id="own-small-decoder",
    study="ma_2024",
    where="nowhere",
    published="no number",
    statement="The decoder is small.",
    measure=small,
    rule=tenth,
)
difference = claims.measure_table(dimensions, claim.measure).value
claims.verdict(claim.rule, difference, interval=None, n=None)

# %% [markdown]
# **Discussion**: "small" had to become a number before it could be checked, and you could have chosen another. Write such a choice down where others can see when it was made.
#
# ## Take-aways

# %%
of_verdict = counts.drop("its notebook was not run", errors="ignore")
lines = [f"- **{name}**: {number}" for name, number in of_verdict.items()]
undecided = int(counts.reindex(["inconclusive", "not testable here"], fill_value=0).sum())
Markdown(f"""
{chr(10).join(lines)}
- Facts of the architecture, not counted above: {int(verdicts["is_fact"].sum())}.
- Not run yet: {", ".join(ledger.not_run) or "nothing"}.
- **{undecided}** claims were looked at and stay undecided; {len(constructed)} of them have a number that our own construction decides.
- {len(stated.notes)} places in the texts are ambiguous or contradictory.
""")

# %% [markdown]
# ## Limits
#
# - Verdicts speak of this run. A miniature on phantoms can show that a *procedure* works, that an effect *can* arise, and that a comparison is unfair; it cannot show what SAM or MedSAM do in patients.
# - Margins and smallest numbers are our choices. They were written down first, not validated.
# - Many claims are judged at once, each at 95 %: with dozens of them one or two intervals miss by chance.
# - We read two abstracts and slides about three papers; a statement may be qualified where we did not see it.

# %% [markdown]
# ## Next
#
# Bring the official checkpoints and a public data set, run all notebooks at full size, and give their tables to `tables` above. The study cards in `studies/` say for each paper what to doubt. Notebook 10 leaves the studies and segments a scan of your own.
#
# - Hoyer et al., *Towards a Generalizable Foundation Model for Multi-Tissue Musculoskeletal MRI Segmentation*, ISMRM 2024, doi:10.58530/2024/0651
# - Ma et al., *Segment anything in medical images*, Nature Communications 2024, doi:10.1038/s41467-024-44824-z
# - Casali et al., *Exploring foundation models for multi-class muscle segmentation in MR images of neuromuscular disorders*, 2025, doi:10.1016/j.cmpb.2025.109035
