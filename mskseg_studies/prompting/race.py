"""The race: who gets the highest Dice with the fewest prompts, in a group around a projector."""

import re
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

import mskseg
from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.files import write_text
from mskseg.input_files import parsed, read_text
from mskseg.models import Segmenter
from mskseg_studies.prompting.clicks import Costs, next_click
from mskseg_studies.prompting.race_canvas import PROMPT_COST, RaceCanvas, RaceSession, race_score

SIMULATED = "simulated reader"  # who knows the reference and clicks where the error is deepest
_SAME = ["case", "plane", "slice", "tissue", "limit_s"]  # in all logs of one race


class Race:
    """Prompt one tissue, on the slice that shows most of it, against time and other readers.

    The logs of all `reader`s of a race lie in its `folder`, a CSV for each. `tissue` is a name (of
    several labels of one name the first), the default `segmenter` SAM-mini; after its start a race
    takes some `seconds` of the `clock`. Show `canvas`; `session` does the same without a browser:
    ``begin()``, ``add_point(x, y)``, ``set_box(box_xyxy)``. Dice is hidden, and showing it ends the
    race. InputError for a tissue that is not there, a name that cannot be a file's, or no time;
    a name that is taken is refused at the start.
    """

    def __init__(
        self,
        case: Case,
        tissue: str,
        *,
        folder: str | Path,
        reader: str,
        segmenter: Segmenter | None = None,
        seconds: float = 120.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        labels = () if case.reference is None else case.reference.labels
        named = {case.tissue(label): label for label in reversed(labels)}
        if tissue not in named:
            known = ", ".join(sorted(named)) or "none: it has no reference"
            raise InputError(f"no tissue {tissue!r} in {case.name}; choose one of {known}")
        if not re.fullmatch(r"\w[\w -]{0,60}", reader):
            raise InputError(f"the reader is called {reader!r}; use letters, digits and spaces")
        self.segmenter = segmenter or mskseg.load_segmenter("sam_vit_mini")
        self._path = Path(folder) / f"{reader}.csv"
        self.session = RaceSession(
            case,
            {self.segmenter.name: self.segmenter},
            label=named[tissue],
            seconds=seconds,
            clock=clock,
            on_step=self._write,
        )
        self.canvas = RaceCanvas(self.session)

    def leaderboard(self) -> pd.DataFrame:
        """Rank the readers of the folder by `leaderboard`; the simulated one plays along."""
        if not (path := self._path.with_name(f"{SIMULATED}.csv")).exists():
            _write_log(path, _simulated(self.session, "point" in self.segmenter.prompt_kinds))
        return leaderboard(self._path.parent)

    def _write(self) -> None:
        if not self.session.begun and self._path.exists():  # of two with one name the later
            raise InputError(f"{self._path} is there already; give this reader another name")
        _write_log(self._path, self.session)


def _simulated(race: RaceSession, takes_points: bool) -> RaceSession:
    """Click while a click gains more than it costs, in the assumed seconds of a hand."""
    costs, now = Costs(), [0.0]
    session = RaceSession(
        race.case, race.segmenters, label=race.label, seconds=race.seconds, clock=lambda: now[0]
    )
    session.begin()
    reference, rng = np.asarray(session.reference), np.random.default_rng(0)
    if not takes_points:
        rows, columns = np.nonzero(reference)
        now[0] += min(costs.box_s, 0.9 * session.seconds)
        session.set_box([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    gained = float(takes_points)
    while gained > PROMPT_COST and now[0] + costs.click_s < session.seconds:
        now[0] += costs.click_s
        before = race_score(session.log)["dice"]
        (x, y), label = next_click(reference, session.mask, rng, session.slice.spacing_mm)
        session.add_point(x, y, inside=bool(label))
        gained = race_score(session.log)["dice"] - before
    if gained < 0:
        session.undo()
    return session


def _write_log(path: Path, session: RaceSession) -> None:
    log = session.log.assign(case=session.case.name, limit_s=session.seconds)
    write_text(path, log.to_csv(index=False))


def leaderboard(folder: str | Path) -> pd.DataFrame:
    """Rank the logs of a race, also while it runs.

    A row for each reader who has set a prompt: `reader`, `score`, `dice`, `prompts`, `seconds` (of
    the last step) and `model`. InputError if a file is no log of a race, was cut off, or is of
    another race than the others.
    """
    rows, races = [], dict[tuple[object, ...], Path]()
    for path in sorted(Path(folder).glob("[!.]*.csv")):
        text = read_text(path)
        with parsed(path, "log of a race", "take it out of the folder"):
            if not text.endswith("\n"):
                raise InputError(f"{path} ends in the middle of a line; write or copy it again")
            log = pd.read_csv(StringIO(text))
            races |= dict.fromkeys(log[_SAME].itertuples(index=False, name=None), path)
            if len(log):
                last = log.iloc[-1][["seconds", "model"]].to_dict()
                rows.append({"reader": path.stem} | race_score(log) | last)
    if len(races) != 1:
        what = " and ".join(map(str, races.values())) or "nothing"
        raise InputError(f"expected logs of one race in {folder}, got {what}; a folder for each")
    table = pd.DataFrame(rows).sort_values(["score", "seconds"], ascending=[False, True])
    return table.round(3).set_axis(pd.RangeIndex(1, len(table) + 1, name="rank"))
