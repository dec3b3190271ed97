"""A race on the canvas: one tissue on one slice, a clock, and a score in which prompts cost."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from mskseg.display.canvas.session import Session
from mskseg.display.canvas.widget import PromptCanvas
from mskseg.errors import InputError
from mskseg.volume import Plane

PROMPT_COST = 0.01
"""What each point and each box takes from the score, also when it is taken back."""

_COST, _FREE = ("point", "box"), ("undo", "clear", "mask", "preview")


def race_score(log: pd.DataFrame) -> dict[str, float]:
    """Score the log of a race: `score`, `dice` of its last mask (0 without one), `prompts`."""
    dice = 0.0 if log.empty or pd.isna(log["dice"].iloc[-1]) else float(log["dice"].iloc[-1])
    prompts = int(log["action"].isin(_COST).sum())
    return {"score": dice - PROMPT_COST * prompts, "dice": dice, "prompts": prompts}


@dataclass
class RaceSession(Session):
    """A session that takes points and boxes for some seconds from `begin` on, all on one slice.

    Dice is hidden, and showing it ends the race. `on_step` is called at the beginning, which it may
    refuse by an error, and after each step. InputError without a reference, for a label that it
    lacks, or for seconds that are not above 0.
    """

    label: int = field(kw_only=True)
    seconds: float = field(default=120.0, kw_only=True)
    on_step: Callable[[], object] = field(default=lambda: None, kw_only=True)
    begun: bool = field(init=False, default=False)
    _placed: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        label, name = self.label, self.case.name
        if self.case.reference is None:
            raise InputError(f"{name} has no reference to score against; give a case with one")
        if not 0 < self.seconds < float("inf"):
            raise InputError(f"expected seconds above 0 for a race, got {self.seconds}; try 120")
        super().__post_init__()
        self.choose_tissue(label)
        self.go_to(self._fullest())
        self.dice_hidden = self._placed = True

    @property
    def left_s(self) -> float:
        """Seconds left: all of them before the race has begun."""
        return max(0.0, self.seconds - (self.clock() - self._started if self.begun else 0.0))

    def begin(self) -> None:
        """Start the clock; InputError if it has been started before."""
        if self.begun:
            raise InputError("the race has begun already; make a new one for another try")
        self.on_step()
        self.begun, self._started = True, self.clock()

    def toggle_dice(self) -> None:
        """Show Dice and the score, which ends the race, or hide them again."""
        if not self.begun:
            raise InputError("the race has not begun; press start (s) first")
        super().toggle_dice()
        self._started = float("-inf")

    def _check(self, action: str) -> None:
        if action not in _COST + _FREE:
            raise InputError(f"a race takes points and boxes alone, no {action!r}")
        if not self.begun:
            raise InputError("the race has not begun; press start (s) first")
        if not self.left_s:
            raise InputError("the race is over; guess the Dice, then show it (h)")

    def _show(self, plane: Plane, index: int, label: int) -> None:
        if self._placed and (plane, index, label) != self._place:
            raise InputError("a race stays on its slice and tissue; prompt here")
        super()._show(plane, index, label)

    def _apply(self, *arguments: Any, **options: Any) -> None:
        super()._apply(*arguments, **options)
        self.on_step()


class RaceCanvas(PromptCanvas):
    """The canvas of a race: with a start, the time left, and the score once Dice is shown."""

    session: RaceSession

    def _action(self, content: dict[str, Any]) -> Callable[[], object]:
        return self.session.begin if content.get("kind") == "begin" else super()._action(content)

    def _readout(self) -> dict[str, Any]:
        session, found = self.session, race_score(self.session.log)
        score = None if session.dice_hidden else found["score"]
        race = {"begun": session.begun, "left_s": session.left_s, "score": score}
        return super()._readout() | {"n_prompts": found["prompts"], "race": race}
