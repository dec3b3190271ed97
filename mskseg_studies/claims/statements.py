"""`claims.yaml`: what the studies state, and the rule by which a number of ours judges it.

`measuring` takes the number from a table, `rules` judges it.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mskseg.errors import InputError
from mskseg.input_files import read_yaml

Direction = Literal["above", "below", "at_least", "at_most", "equal", "exactly"]
Scalar = bool | int | float | str
Filter = dict[str, Scalar | list[Scalar]]
Text = Annotated[str, Field(min_length=1)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Study(_Entry):
    """A study, and which text of it was at hand."""

    title: Text
    citation: Text
    read_in: Text


class Note(_Entry):
    """What the studies leave open, or where they contradict themselves or each other."""

    kind: Literal["ambiguous", "contradiction"]
    claims: list[str]
    text: Text


class Opponent(_Entry):
    """What `second` must reach by itself: to beat a model that was hardly trained says nothing."""

    column: Text
    at_least: float
    why: Text


class Measure(_Entry):
    """The cell of a notebook's table that tests a claim.

    `notebook` writes `table` into ``output/tables``; `column` is that of the number. `unit`,
    `within` and `cluster` are columns too, and so are `low`, `high` and `n`, with the interval and
    the number of units, where the table has them ready.
    """

    notebook: Text
    table: Text
    column: Text
    where: Filter = {}  # column to value, pattern or list of them; rows that have to be there
    first: Filter = {}  # as `where`; the number is its own, or that less the number of `second`
    second: Filter = {}
    if_absent: str = ""  # why a run may have no `first` or no `second`; else that is an error
    optional: bool = False  # without what `if_absent` names, a run has no such table or no row
    opponent: Opponent | None = None  # below it the claim is "not testable here"
    minus: str | None = None  # column subtracted from `column`, row by row
    unit: list[str] = []  # what a repetition would draw anew: the subject
    within: list[str] = []  # averaged over inside a unit; slices first, then these
    cluster: str | None = None  # of `unit`, whose units are alike, such as people of a data set
    independent: bool = False  # both sides may be different people; else units in both count
    relative: bool = False  # divide the difference by the number of `second`
    low: str | None = None
    high: str | None = None
    n: str | None = None
    # The one row of a ready table that is judged. "any" asks whether a row exists whose true number
    # is low enough: the smallest number, `low` and `high` of intervals that hold all together.
    pick: Literal["smallest", "largest", "any"] | None = None


class Rule(_Entry):
    """Which numbers let a claim hold, and why so."""

    direction: Direction
    why: Text
    margin: Annotated[float, Field(ge=0)] = 0.0
    target: float = 0.0  # of "exactly"
    smallest_n: Annotated[int, Field(ge=1)] = 1
    sampled: bool = True  # False: counted, so there is no interval and no number of units


class Construction(_Entry):
    """What this project built that decides the number, whatever the studies' models do.

    Only rows that none of it made are judged: `of` models, published ones; `of` data, real people.
    """

    of: Annotated[list[Literal["models", "data"]], Field(min_length=1)]
    why: Text


class Claim(_Entry):
    """One statement; either a measure with its rule, or why there can be none.

    With `out_of_reach` no size of the notebooks gives what the rule asks for. It stands all the
    same, written before such a result; the verdict is "not testable here" until a run has it.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)+$")]
    study: Text
    where: Text
    statement: Text
    published: Text
    evidence: Literal["stated", "common belief"] = "stated"
    numbers: list[str] = []
    measure: Measure | None = None
    rule: Rule | None = None
    construction: Construction | None = None
    not_testable: str = ""
    out_of_reach: str = ""
    history: str = ""  # of a rule that came with its result: which verdict it turned

    @property
    def is_fact(self) -> bool:
        """Whether it is a constant of an architecture, which can be counted and never surprises."""
        return self.rule is not None and self.rule.direction == "exactly"

    @model_validator(mode="after")
    def _one_way(self) -> Claim:
        measured = self.measure is not None and self.rule is not None
        if measured == bool(self.not_testable) or (self.measure is None) != (self.rule is None):
            raise ValueError("give a measure and a rule, or not_testable and neither of the two")
        if self.out_of_reach and not measured:
            raise ValueError("out_of_reach is of a claim with a measure; say not_testable")
        if self.measure and self.measure.optional and not self.measure.if_absent:
            raise ValueError("an optional table needs if_absent: why a run may do without it")
        if self.measure and self.measure.cluster and self.measure.cluster not in self.measure.unit:
            raise ValueError(f"the cluster {self.measure.cluster} is no column of unit; name one")
        return self


class Claims(_Entry):
    """All of ``claims.yaml``."""

    studies: dict[str, Study]
    notes: list[Note]
    claims: list[Claim]

    @model_validator(mode="after")
    def _names_fit(self) -> Claims:
        names = [claim.id for claim in self.claims]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"given twice: {', '.join(twice)}; each claim once")
        if unknown := {claim.study for claim in self.claims} - set(self.studies):
            raise ValueError(f"no such study: {', '.join(sorted(unknown))}")
        if unknown := {name for note in self.notes for name in note.claims} - set(names):
            raise ValueError(f"a note names no claim: {', '.join(sorted(unknown))}")
        return self


def claims_path() -> Path:
    """Where the claims are: inside an installed package, else at the root of a checkout."""
    packaged = Path(str(resources.files("mskseg_studies"))) / "claims.yaml"
    return packaged if packaged.is_file() else packaged.parents[1] / packaged.name


@lru_cache(maxsize=4)
def load_claims(path: Path | None = None) -> Claims:
    """Read and check the claims, of the package or of another file; InputError names a fault."""
    file = path or claims_path()
    try:
        return Claims.model_validate(read_yaml(file))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the top level"
        raise InputError(
            f"{file} is no ledger of claims: {place}: {first['msg']} "
            f"({error.error_count()} such in all)"
        ) from error
