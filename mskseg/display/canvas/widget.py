"""The prompt canvas: click points and draw boxes on a slice, and watch the mask change.

`PromptCanvas` is the picture with its mouse and keys (an `anywidget`; the JavaScript beside this
file is loaded as it is). `PromptExplorer` puts sliders and choosers around it. Both show a
`Session`, which does the work and can be driven without a browser.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import ipywidgets
import numpy as np
import traitlets
from IPython.display import display
from numpy.typing import NDArray

from mskseg.case import Case
from mskseg.display.canvas.session import Session
from mskseg.display.montage import masks_beside
from mskseg.display.slices import EDGES, draw_boxes, draw_label_map, draw_points, show_slice
from mskseg.display.style import tissue_colours
from mskseg.errors import InputError, MsksegError
from mskseg.models.segmenter import Segmenter
from mskseg.volume import Plane

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLANES: tuple[Plane, ...] = ("axial", "coronal", "sagittal")


class PromptCanvas(anywidget.AnyWidget):
    """A slice on which prompts are set; all coordinates are pixels of the slice.

    Parameters
    ----------
    session : Session
        What it shows and changes.
    """

    _esm = Path(__file__).with_name("canvas.js")
    _css = Path(__file__).with_name("canvas.css")

    image = traitlets.Bytes(b"").tag(sync=True)  # (H, W) uint8, row by row
    masks = traitlets.Bytes(b"").tag(sync=True)  # (M, H, W) bits, row by row, 8 a byte
    view = traitlets.Dict().tag(sync=True)  # height, width, row_mm, column_mm, colour, edges
    prompts = traitlets.Dict().tag(sync=True)  # points [[x, y, label]], box [x0, y0, x1, y1]
    readout = traitlets.Dict().tag(sync=True)  # numbers shown, and `answered`: the last request
    error = traitlets.Unicode("").tag(sync=True)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.listeners: list[Callable[[], None]] = []
        self._answered = 0
        self.on_msg(self._received)
        self.show()

    def show(self) -> None:
        """Bring the traits in line with the session."""
        session, one = self.session, self.session.slice
        height, width = one.image.shape
        red, green, blue = tissue_colours(session.labels)[session.label]
        with self.hold_sync():  # one message: no picture of two states
            self.view = {
                "height": height,
                "width": width,
                "row_mm": one.spacing_mm[0],
                "column_mm": one.spacing_mm[1],
                "colour": [round(255 * part) for part in (red, green, blue)],
                "edges": list(EDGES[session.plane]),
                "slice": session.index,
                "place": [session.plane, session.index, session.label],
                "n_slices": session.n_slices,
                "name": f"{session.case.name}, {session.plane} slice {session.index}",
            }
            self.image = np.ascontiguousarray(one.image).tobytes()
            self.masks = b"" if session.answer is None else _packed(session.answer.masks)
            asked = session.prompts
            self.prompts = {
                "points": [list(point) for point in asked.points],
                "box": None if asked.box_xyxy is None else list(asked.box_xyxy),
            }
            self.readout = self._readout()

    def perform(self, action: Callable[[], object]) -> None:
        """Carry out an action of the session; an error is shown and changes nothing."""
        try:
            action()
        except MsksegError as error:
            self.error = str(error)
        except Exception as error:  # noqa: BLE001  (whatever a model raises is shown, not lost)
            self.error = f"{type(error).__name__}: {error}; nothing was changed"
        else:
            self.error = ""
        self.show()
        for listener in self.listeners:
            listener()

    def _received(self, _: Any, content: dict[str, Any], __: Any) -> None:
        self._answered = int(content.get("request", 0))
        action = self._action(content)
        self.perform(action)

    def _action(self, content: dict[str, Any]) -> Callable[[], object]:
        session, kind = self.session, content.get("kind")
        if kind in _OF_A_PLACE and content.get("place", self.view["place"]) != self.view["place"]:
            return _refuse_late
        if kind == "point":
            x, y = content["x"], content["y"]
            return lambda: session.add_point(x, y, inside=bool(content["inside"]))
        if kind == "box":
            return lambda: session.set_box(content["box"])
        if kind == "slice":
            return lambda: session.go_to(session.index + content["step"])
        if kind == "choose":
            return lambda: session.choose_mask(content["mask"])
        simple = {"undo": session.undo, "clear": session.clear, "next": session.next_mask}
        return simple.get(str(kind), lambda: None)

    def _readout(self) -> dict[str, Any]:
        session, answer = self.session, self.session.answer
        said = {
            "answered": self._answered,
            "tissue": session.case.tissue(session.label),
            "model": session.model,
            "miniature": session.segmenters[session.model].miniature,
            "n_prompts": len(session.prompts),
            "chosen": session.prompts.chosen,
        }
        if answer is None:
            return said
        return said | {
            "dice": [_number(value) for value in answer.dice],
            "predicted_iou": [_number(value) for value in answer.predicted_iou],
            "encode_ms": answer.encode_ms,
            "decode_ms": answer.decode_ms,
        }


class PromptExplorer:
    """A canvas with choosers for slice, plane, tissue and model, and a static figure beside it.

    Parameters
    ----------
    case : Case
    segmenter : Segmenter, or mapping of str to Segmenter
        One, or several to choose from.

    Attributes
    ----------
    session : Session
        Has every action as a method: `add_point`, `set_box`, `undo`, `clear`, `next_mask`, `go_to`,
        `choose_plane`, `choose_tissue`, `choose_model`, `save_prompts`, `load_prompts`,
        `save_mask`; and `log`.
    """

    def __init__(self, case: Case, segmenter: Segmenter | Mapping[str, Segmenter]) -> None:
        several = segmenter if isinstance(segmenter, Mapping) else {segmenter.name: segmenter}
        self.session = Session(case, several)
        self.canvas = PromptCanvas(self.session)
        self._slider = ipywidgets.IntSlider(description="slice", continuous_update=False)
        self._plane = ipywidgets.Dropdown(description="plane", options=PLANES)
        names = [(case.tissue(label), label) for label in self.session.labels]
        self._tissue = ipywidgets.Dropdown(description="tissue", options=names)
        self._model = ipywidgets.Dropdown(description="model", options=list(several))
        self._follow()
        self.canvas.listeners.append(self._follow)
        for chooser, action in self._choosers():
            chooser.observe(self._on_choice(action), names="value")
        row = ipywidgets.HBox([self._slider, self._plane, self._tissue, self._model])
        row.layout.flex_flow = "row wrap"
        self.widget = ipywidgets.VBox([row, self.canvas])

    @property
    def log(self) -> Any:
        """A row for each step, see `Session.log`."""
        return self.session.log

    def __getattr__(self, name: str) -> Any:
        """Every action of the session, shown on the canvas once it is done."""
        if name.startswith("_") or name not in _ACTIONS:
            raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")
        action = getattr(self.session, name)

        def done(*arguments: Any, **options: Any) -> Any:
            result = action(*arguments, **options)
            self.canvas.error = ""
            self.canvas.show()
            self._follow()
            return result

        return done

    def figure(self) -> Axes:
        """Draw slice, prompts, mask (solid) and reference (dashed) as a static figure."""
        session, one = self.session, self.session.slice
        title = f"{session.case.tissue(session.label)}, slice {one.index}: {self._score()}"
        ax = show_slice(one.image, spacing_mm=one.spacing_mm, plane=one.plane, title=title)
        colour = tissue_colours(session.labels)[session.label]
        if session.reference is not None:
            draw_label_map(ax, session.reference, colours={1: "white"}, linestyle="dashed")
        if session.mask is not None:
            draw_label_map(ax, session.mask, colours={1: colour}, fill=0.3)
        asked = session.prompts
        if asked.box_xyxy is not None:
            draw_boxes(ax, asked.box_xyxy)
        if asked.points:
            places = [(x, y) for x, y, _ in asked.points]
            draw_points(ax, places, point_labels=[inside for *_, inside in asked.points])
        return ax

    def candidates(self) -> NDArray[Any]:
        """Draw the masks of the last answer side by side, as Axes (M,)."""
        answer = self.session.answer
        if answer is None:
            raise MsksegError("nothing was asked on this slice yet; set a prompt first")
        titles = [f"predicted IoU {value:.2f}" for value in answer.predicted_iou]
        return masks_beside(self.session.slice, answer.masks, titles=titles)

    def _ipython_display_(self) -> None:
        """Show the widget, which a viewer without widgets shows as a line of text."""
        display(self.widget)  # type: ignore[no-untyped-call]

    def _score(self) -> str:
        answer, chosen = self.session.answer, self.session.prompts.chosen
        if answer is None:
            return "nothing asked yet"
        return f"Dice {answer.dice[chosen]:.2f} with {len(self.session.prompts)} prompts"

    def _choosers(self) -> list[tuple[Any, Callable[[Any], object]]]:
        session = self.session
        return [
            (self._slider, session.go_to),
            (self._plane, session.choose_plane),
            (self._tissue, session.choose_tissue),
            (self._model, session.choose_model),
        ]

    def _on_choice(self, action: Callable[[Any], object]) -> Callable[[Any], None]:
        def chosen(change: Any) -> None:
            if not self._following:
                self.canvas.perform(lambda: action(change.new))

        return chosen

    def _follow(self) -> None:
        """Set the choosers to where the session is, without asking again."""
        session = self.session
        self._following = True
        self._slider.max, self._slider.value = session.n_slices - 1, session.index
        self._plane.value, self._tissue.value = session.plane, session.label
        self._model.value = session.model
        self._following = False


def widgets_work() -> bool:
    """Say whether this is a Jupyter kernel, which can hold widgets if its viewer shows them."""
    from IPython import get_ipython

    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")


def _refuse_late() -> None:
    raise InputError("another slice or tissue came on screen before this arrived; do it again")


def _packed(masks: NDArray[np.bool_]) -> bytes:
    """Bits of (M, H, W), row by row, each mask filled up to whole bytes."""
    return np.packbits(masks.reshape(len(masks), -1), axis=1).tobytes()


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


_OF_A_PLACE = ("point", "box", "choose", "next", "clear")
"""Kinds of message that mean the slice and tissue on which they were made."""

_ACTIONS = (
    "add_point",
    "set_box",
    "undo",
    "clear",
    "next_mask",
    "choose_mask",
    "go_to",
    "choose_plane",
    "choose_tissue",
    "choose_model",
    "save_prompts",
    "load_prompts",
    "save_mask",
)
