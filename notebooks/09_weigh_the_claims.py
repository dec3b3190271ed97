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
# Which statements of the studies hold in what you just computed, which do not, and which can no miniature decide?
#
# *Deepening · 35 minutes to read and try, seconds to run on a CPU · the tables that the other notebooks wrote, as many as there are · previous notebook: 08_quantify_uncertainty*

# %% [markdown]
# **What you will do**: go through a ledger of statements. Each has a rule that was written before the result. Give each a verdict.
#
# **What you will learn**
# - to turn a sentence of an abstract into a number, a direction, a margin and a smallest number of people
# - to tell "does not hold" from "cannot be told"
# - to see when an experiment was decided by those who built it
# - to find what an abstract leaves open, and where studies contradict each other
#
# **What you need**: some of the notebooks before this one, run. Skipped notebooks are listed; nothing breaks.

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
# A study makes a statement. To check it you need to know three things: what would be measured, on whom, and which number would make you say no. The file `claims.yaml` holds that for every statement, in our words. Here is one.

# %%
(example,) = [claim for claim in stated.claims if claim.id == "casali-early-equal"]
fields = {
    "published": example.published,
    "where": example.where,
    "measured in": f"notebook {example.measure.notebook[:2]}, table {example.measure.table}",
    "rule": claims.rule_in_words(example.rule),
    "why so": example.rule.why,
}
claims.text_table(pd.Series(fields, name=example.statement).to_frame())

# %% [markdown]
# **What you see**: the study's "comparable" became *equal within a margin*. The abstract has no margin; we had to choose one, and wrote down why. Whoever finds it too wide changes the file, and says so, **before** looking at the result. A margin chosen afterwards can prove anything.
#
# Most statements are in a text. A few are *common belief*: they are said in every talk and in none of the texts at hand. They are marked, so that nobody goes on to cite a study for them. Some are *facts* of an architecture, such as a number of parameters. Facts can be counted and never surprise, so they stand in a table of their own and are left out of the counts of verdicts.
#
# ## Let an interval decide
#
# A verdict follows from three things: the number, its 95 % interval over people, and the margin. Below, one rule ("above, by a margin of 0.02, five people or more") meets six results.
#
# > **Guess**: how many of the six let the claim hold?
# >
# > - **A**: one
# > - **B**: two
# > - **C**: three or more

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
n_holding = int((six_results["verdict"] == "holds here").sum())
print(f"Answer: {'ABC'[min(n_holding, 3) - 1]}, {n_holding} of {len(six_results)}.")
print(claims.rule_in_words(rule))
six_results[["statement", "value", "low", "high", "verdict"]]

# %% [markdown]
# **What you see**: the rule in words, as it is computed, and what it makes of the six. In the figure each number is drawn in units of the margin: at 1 it is as large as the margin. A and B have the same number, and only A holds. C is *surely* above zero and does not hold, since it is surely too small to count. F does not hold either: nothing is there, and we know it. B is the common case of a small study. Its interval allows both, so it is **inconclusive**, which is not the same as "no difference".
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
# **Discussion**: the interval halves and no longer includes zero, and the claim holds. Nothing about the models changed. A verdict tells as much about the evidence as about the world.
#
# ## Count what needs no data
#
# Some statements are about the model itself: its parameters, its grids. No image is needed to check those, and not even weights. We build the published architecture (ViT-B) without weights, and count.
#
# > **Guess**: how many parameters does the image encoder have, compared with the mask decoder?
# >
# > - **A**: fewer
# > - **B**: up to ten times as many
# > - **C**: more than ten times as many

# %%
dimensions = claims.model_dimensions("vit_b")
counted = dimensions.assign(model="ViT-B", miniature=False)
evaluation.write_table(counted, own / "09_dimensions.csv", provenance=facts)
assert (dimensions["value"] > 0).all()
of_part = dimensions.set_index("dimension")["value"]
times = of_part["image encoder parameters"] / of_part["mask decoder parameters"]
print(f"Answer: {'A' if times < 1 else 'B' if times <= 10 else 'C'}, {times:.0f} times as many.")
dimensions

# %% [markdown]
# **What you see**: these are the published model's own numbers, not a miniature's. The last four rows say how much each mode of tuning trains. Whether a part is *small* needs a rule, so that one is judged below.
#
# ## Judge them all
#
# Each other claim names a notebook, a table that it writes, and a cell of that table. If the notebook was run, the number is read and judged. If the notebook was run and the cell is *gone*, that is an error, and the run fails: a ledger that forgets silently is worse than none.
#
# > **Guess**: what part of all claims can this run decide, one way or the other?
# >
# > - **A**: more than half
# > - **B**: from a tenth to a half
# > - **C**: less than a tenth

# %%
other_tables = Path(tables) if tables else None
ledger = claims.judge_output(Path(output), tables=other_tables, also_ran=[this])
judged = ledger.judgements
claims.check_none_vanished(judged)
verdicts = claims.ledger_table(judged)
evaluation.write_table(verdicts, own / "09_ledger.csv", provenance=facts)
claims.text_table(claims.facts_table(judged))

# %% [markdown]
# **What you see**: the facts, stated and counted. Nothing was found out about segmentation. From here on they are left out.

# %% alt="For each study a bar of its claims, divided by verdict"
findings = verdicts[~verdicts["is_fact"]]
counts = findings["verdict"].value_counts()
decided = int(counts.reindex(["holds here", "does not hold here"], fill_value=0).sum())
by_study = claims.verdict_bars(
    findings, title=f"This run decides {decided} of {len(findings)} claims"
)
display.save_figure(by_study, figures / "09_verdicts.png", provenance=facts)
part = decided / len(findings)
print(f"Answer: {'A' if part > 0.5 else 'B' if part >= 0.1 else 'C'}, {part:.0%}.")

# %% [markdown]
# **What you see**: one bar for each study. White is what was not run; run that notebook, and this one again. Of the rest, see how much is *inconclusive* or *not testable*. That is the honest size of what a workbook on a laptop can say.
#
# Some claims have a rule that asks for more than these notebooks can give at any size: enough people, or the weights of a model that could not be fetched here. They too are *not testable here* until somebody brings the tables.

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
# **What you see**: first what is out of reach. Then each statement that was tested, with our number, its interval over people, and the rule in words. The last column says on which models and data it was measured. *Holds here* means: on these. If the column says miniature and phantom, the verdict is about a miniature and phantoms. Where a number pools several data sets, people of one data set resemble each other. Then the interval is one over data sets, and with fewer than five of them there is none.

# %% alt="Numbers of the judged claims with their intervals, in units of their margins"
interval_axes = claims.interval_chart(
    tested, title="How far each number is from what its claim asks"
)
display.save_figure(interval_axes, figures / "09_intervals.png", provenance=facts)

# %% [markdown]
# **What you see**: each number in units of its own margin, turned so that the claim's direction is to the right. An interval that reaches far to both sides came from few people. If no claim has an interval yet, the figure says so.
#
# ## Ask the longer run
#
# Tables of longer runs are committed in `results/`, each with the commit, the weights and the machine that it came from. The same rules judge them. Their rows are never mixed with this run's.

# %%
print(claims.committed_results(results, "0*.csv").origin)
committed = claims.judge_output(Path(output), tables=Path(results))
print(f"Notebooks without a committed longer run: {', '.join(committed.not_run) or 'none'}")
longer = committed.judgements
claims.text_table(claims.short_table(each for each in longer if each.value is not None))

# %% [markdown]
# **What you see**: the weights that each table comes from, and the notebooks without a committed longer run. Then every claim for which those tables have a number. More people and longer training narrow an interval. They do not turn a miniature into the published model.
#
# Where this run and those tables come to different verdicts, the next table sets both beside each other, with what differs between the two.

# %%
claims.text_table(claims.disagreements(judged, longer))

# %% [markdown]
# **What you see**: no rows if the two agree. In most rows the reason is in the fourth column: the short run has a miniature on phantoms, or too few people for a verdict, where the longer one has a published model on real people. Then the longer run counts, for its model and its people. If both have the same weights and as many people, believe neither without a third run.
#
# One rule came late. It says that an opponent must itself be good enough (*opponent* in `claims.yaml`), and it was written together with the table that it judged. A rule that comes with its result can change the verdict, so here is what it changed.

# %%
late = [(one.statement, one.history) for one in stated.claims if one.history]
print(f"{len(late)} verdicts were changed by a rule that came together with its table")
claims.text_table(pd.DataFrame(late, columns=["statement", "what the rule turned"]))

# %% [markdown]
# **What you see**: the verdict that each would have had without the rule. None of them supported the study. We think that the rule is right: to compare with a network that was hardly trained says nothing. You need not trust us. Wherever the rule decides today, the reason gives the verdict without it.
#
# ## Know what our construction decides
#
# Some of our numbers could never have been a surprise. We made SAM-mini and its sibling; which of them is above the other is our doing. All phantoms come from one generator; we decided how different the knee is from the thigh, how clear an edge is, and how much there is to gain by tuning. Such claims stay *not testable here*, whatever number stands beside them. They are judged on published models and real people, as soon as a table has such rows.

# %%
constructed = [each for each in judged if each.why.startswith(claims.OURS)]
claims.text_table(claims.short_table(constructed))

# %% [markdown]
# **What you see**: a number as a curiosity, and a reason not to believe it. (No rows if those notebooks were not run.) With official checkpoints and public data the same rows get a verdict, without a change to the rules.
#
# ## Find what the texts leave open
#
# Checking a sentence shows what it does not say.

# %%
statement_of = {claim.id: claim.statement for claim in stated.claims}
notes = [
    (note.text, note.kind, " ".join(map(statement_of.get, note.claims))) for note in stated.notes
]
claims.text_table(pd.DataFrame(notes, columns=["what", "kind", "statements that it concerns"]))

# %% [markdown]
# **What you see**: what is ambiguous, where studies contradict each other, and where one contradicts itself. For each we say which reading we tested. The whole papers may settle some; we have abstracts, a README and a deck of slides.
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
# ### Exercise 2: how small is small? (10 minutes)
#
# "The mask decoder is small beside the image encoder" is no number. The cell below turns it into one: (decoder - encoder) / encoder, which is near -1 if the decoder is tiny. Its rule says that "small" is less than half. Write your own margin *before* you look at the table of parameters again. At which margin does the claim fall? *Hint: a margin of 0.9 says that small is less than a tenth.*

# %% tags=["exercise"]
share = claims.Measure(
    notebook=this,
    table="09_dimensions.csv",
    column="value",
    first={"dimension": "mask decoder*"},
    second={"dimension": "image encoder*"},
    relative=True,
)
difference = claims.measure_table(dimensions, share).value
half = claims.Rule(direction="below", margin=0.5, sampled=False, why="less than half")  # yours?
claims.verdict(half, difference, interval=None, n=None)  # counted, not sampled: no interval

# %% tags=["solution"] jupyter={"source_hidden": true}
for margin in (0.5, 0.9, 0.95, 0.99):
    stricter = half.model_copy(update={"margin": margin})
    print(margin, *claims.verdict(stricter, difference, interval=None, n=None), sep=": ")

# %% [markdown]
# **Discussion**: "small" had to become a number before it could be checked, and another margin gives another verdict. Write such a choice down where others can see *when* it was made.

# %% [markdown] tags=["quiz"]
# ## Quiz
#
# **1.** What is the difference between "does not hold" and "inconclusive"?
#
# <details><summary>Answer</summary>
#
# "Does not hold": the interval rules the claim out. "Inconclusive": the interval allows both. See results C and B of the six.
#
# </details>
#
# **2.** A difference is surely above zero. Why can the claim still not hold?
#
# <details><summary>Answer</summary>
#
# Because it is surely smaller than the margin: real, and too small to count (result C).
#
# </details>
#
# **3.** Our miniature SAM is above our miniature MedSAM. What does that say about the published two?
#
# <details><summary>Answer</summary>
#
# Nothing. We trained both, so our construction decides the order; see the table of such claims.
#
# </details>
#
# **4.** Why must the margin be written down before the result?
#
# <details><summary>Answer</summary>
#
# A margin chosen afterwards can make any result hold, or fail. Exercise 2 shows how the margin turns the verdict.
#
# </details>
#
# **5.** The short run says "inconclusive" and the longer one "holds here". Do they contradict each other?
#
# <details><summary>Answer</summary>
#
# No. With few people the interval allows both; with more it may not. Look at what differs between the two in the table of disagreements.
#
# </details>

# %% [markdown]
# ## Take-aways
#
# **If you remember one thing**: "we could not tell" and "there is no difference" are two different results.

# %%
of_verdict = counts.drop("its notebook was not run", errors="ignore")
lines = [f"- **{name}**: {number}" for name, number in of_verdict.items()]
undecided = int(counts.reindex(["inconclusive", "not testable here"], fill_value=0).sum())
Markdown(f"""
{chr(10).join(lines)}
- Facts of the architecture, not counted above: {int(verdicts["is_fact"].sum())}.
- Not run yet: {", ".join(ledger.not_run) or "nothing"}.
- **{undecided}** claims were looked at and stay undecided. For {len(constructed)} of them our own construction decides the number.
- {len(stated.notes)} places in the texts are ambiguous or contradictory.
""")

# %% [markdown]
# ## Limits
#
# - Verdicts are about this run. A miniature on phantoms can show that a *procedure* works, that an effect *can* arise, and that a comparison is unfair. It cannot show what SAM or MedSAM do in patients.
# - Margins and smallest numbers of people are our choices. They were written down first, and not validated.
# - Many claims are judged at once, each at 95 %. With dozens of them, one or two intervals miss by chance.
# - We read only the abstracts of four studies (and a README for one of them), and slides about three papers. A statement may be qualified where we did not see it.

# %% [markdown]
# ## Next
#
# Bring the official checkpoints and a public data set, run all notebooks at full size, and give their tables to `tables` above. The study cards in `studies/` say for each paper what to doubt. Notebook 10 leaves the studies and segments a scan of your own.
#
# - Hoyer et al., *Towards a Generalizable Foundation Model for Multi-Tissue Musculoskeletal MRI Segmentation*, ISMRM 2024, doi:10.58530/2024/0651
# - Ma et al., *Segment anything in medical images*, Nature Communications 2024, doi:10.1038/s41467-024-44824-z
# - Casali et al., *Exploring foundation models for multi-class muscle segmentation in MR images of neuromuscular disorders*, 2025, doi:10.1016/j.cmpb.2025.109035
