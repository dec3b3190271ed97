"""The prompt canvas: click points and draw boxes on a slice, and watch the mask change.

`PromptCanvas` is the picture with its mouse and keys (an `anywidget`; the JavaScript beside this
file is loaded as it is). `PromptExplorer` puts sliders and choosers around it. Both show a
`Session`, which does the work and can be driven without a browser.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets
import numpy as np
import traitlets
from IPython.display import display
from matplotlib.axes import Axes

from mskseg.case import Case
from mskseg.display.canvas.session import Session
from mskseg.display.slices import EDGES, draw_boxes, draw_label_map, draw_points, show_slice
from mskseg.display.style import tissue_colours
from mskseg.errors import InputError, MsksegError
from mskseg.models.segmenter import Segmenter
from mskseg.volume import Plane

PLANES: tuple[Plane, ...] = ("axial", "coronal", "sagittal")
_ACTIONS = (
    *("add_point", "set_box", "undo", "clear", "next_mask", "choose_mask", "go_to"),
    *("choose_plane", "choose_tissue", "choose_model", "toggle_dice"),
    *("propagate", "save_prompts", "load_prompts", "save_mask"),
)
# Messages that mean the slice and tissue on which they were made.
_OF_A_PLACE = ("point", "box", "choose", "next", "clear")


class PromptCanvas(anywidget.AnyWidget):
    """A slice of a session, on which prompts are set; all coordinates are pixels of the slice."""

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
        self._last_request = 0
        self.on_msg(self._receive)
        self.show()

    def show(self) -> None:
        """Bring the traits in line with the session."""
        session, case_slice, scored = self.session, self.session.slice, self.session.scored
        height, width = case_slice.image.shape
        colour = tissue_colours(session.labels)[session.label]
        with self.hold_sync():  # one message: no picture of two states
            self.view = {
                "height": height,
                "width": width,
                "row_mm": case_slice.spacing_mm[0],
                "column_mm": case_slice.spacing_mm[1],
                "colour": [round(255 * part) for part in colour],
                "edges": list(EDGES[session.plane]),
                "slice": session.index,
                "place": [session.plane, session.index, session.label],
                "n_slices": session.n_slices,
                "name": f"{session.case.name}, {session.plane} slice {session.index}",
            }
            self.image = np.ascontiguousarray(case_slice.image).tobytes()
            # Bits of (M, H, W), each mask filled up to whole bytes.
            bits = None if scored is None else scored.masks.reshape(len(scored.masks), -1)
            self.masks = b"" if bits is None else np.packbits(bits, axis=1).tobytes()
            prompt = session.prompt
            points = []
            if prompt.point_coords is not None and prompt.point_labels is not None:
                points = np.column_stack([prompt.point_coords[0], prompt.point_labels[0]]).tolist()
            box = None if prompt.boxes_xyxy is None else prompt.boxes_xyxy[0].tolist()
            self.prompts = {"points": points, "box": box}
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

    def _receive(self, _: Any, content: dict[str, Any], __: Any) -> None:
        if content.get("kind") == "preview":
            self._answer_preview(content)
        else:
            self._last_request = int(content.get("request", 0))
            self.perform(lambda: self._action(content)())

    def _answer_preview(self, content: dict[str, Any]) -> None:
        """Send the mask that a click or a box would show, as bits; none where that would fail."""
        bits = None
        asked = {name: content[name] for name in ("x", "y", "inside", "box") if name in content}
        with suppress(Exception):  # the click itself says what the matter is
            if content["place"] == self.view["place"]:
                bits = [np.packbits(self.session.preview(**asked)).tobytes()]
        self.send({"kind": "preview"}, buffers=bits)

    def _action(self, content: dict[str, Any]) -> Callable[[], object]:
        session, kind = self.session, str(content.get("kind"))
        if kind in _OF_A_PLACE and content.get("place", self.view["place"]) != self.view["place"]:
            raise InputError("another slice or tissue came on screen before this; do it again")
        told = {"kind": "progress", "of": session.n_slices}
        actions: dict[str, Callable[[], object]] = {
            "point": lambda: session.add_point(
                content["x"], content["y"], inside=bool(content["inside"])
            ),
            "box": lambda: session.set_box(content["box"]),
            "slice": lambda: session.go_to(session.index + content["step"]),
            "choose": lambda: session.choose_mask(content["mask"]),
            "undo": session.undo,
            "clear": session.clear,
            "next": session.next_mask,
            "propagate": lambda: session.propagate(
                progress=lambda k: self.send(told | {"slice": k})
            ),
            "dice": session.toggle_dice,
        }
        return actions.get(kind, lambda: None)

    def _readout(self) -> dict[str, Any]:
        session, scored = self.session, self.session.scored
        readout = {
            "answered": self._last_request,
            "tissue": session.case.tissue(session.label),
            "model": session.model,
            "miniature": session.segmenters[session.model].miniature,
            "points": "point" in session.segmenters[session.model].prompt_kinds,
            "hidden": session.dice_hidden,
            "n_prompts": sum(session.counts),
            "chosen": session.chosen,
        }
        if session.propagation is not None:
            ends, followed = session.propagation.ends, sorted(session.followed)
            readout["ends"] = [f"{session.case.tissue(k)}: {ends[k]}" for k in followed]
            readout["reason"] = None if (row := session.row) is None else row["reason"]
        if scored is None:
            return readout
        dice, rated = scored.dice * (np.nan if session.dice_hidden else 1), scored.predicted_iou
        return readout | {
            "dice": [float(value) if np.isfinite(value) else None for value in dice],
            "predicted_iou": [float(value) if np.isfinite(value) else None for value in rated],
            "encode_ms": scored.encode_ms,
            "decode_ms": scored.decode_ms,
        }


class PromptExplorer:
    """A canvas with choosers for slice, plane, tissue and model, and a static figure beside it.

    Give it a case and one segmenter, or several by name. Every action of its `session` is a method
    here too, shown on the canvas: `add_point`, `set_box`, `undo`, `clear`, `next_mask`,
    `choose_mask`, `go_to`, `choose_plane`, `choose_tissue`, `choose_model`, `toggle_dice`,
    `propagate`, `save_prompts`, `load_prompts`, `save_mask`.
    """

    def __init__(self, case: Case, segmenter: Segmenter | Mapping[str, Segmenter]) -> None:
        several = segmenter if isinstance(segmenter, Mapping) else {segmenter.name: segmenter}
        self.session = Session(case, several)
        self.canvas = PromptCanvas(self.session)
        self._slider = ipywidgets.IntSlider(description="slice", continuous_update=False)
        self._plane = ipywidgets.Dropdown(description="plane", options=PLANES)
        names = [(f"{label}: {case.tissue(label)}", label) for label in self.session.labels]
        self._tissue = ipywidgets.Dropdown(description="tissue", options=names)
        self._model = ipywidgets.Dropdown(description="model", options=list(several))
        self._follow()
        self.canvas.listeners.append(self._follow)
        for chooser, action in (
            (self._slider, self.session.go_to),
            (self._plane, self.session.choose_plane),
            (self._tissue, self.session.choose_tissue),
            (self._model, self.session.choose_model),
        ):
            chooser.observe(partial(self._choose, action), names="value")
        row = ipywidgets.HBox([self._slider, self._plane, self._tissue, self._model])
        row.layout.flex_flow = "row wrap"
        self.widget = ipywidgets.VBox([row, self.canvas])

    @property
    def log(self) -> Any:
        """A row for each step, see `Session.log`."""
        return self.session.log

    def __getattr__(self, name: str) -> Any:
        """Every action of the session, shown on the canvas once it is done."""
        if name not in _ACTIONS:
            raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")
        action = getattr(self.session, name)

        def act_and_show(*arguments: Any, **options: Any) -> Any:
            result = action(*arguments, **options)
            self.canvas.error = ""
            self.canvas.show()
            self._follow()
            return result

        return act_and_show

    def figure(self) -> Axes:
        """Draw slice, prompts, mask (solid) and reference (dashed) as a static figure."""
        session, case_slice, prompt = self.session, self.session.slice, self.session.prompt
        score = "no prompt yet"
        if session.scored is not None:
            dice = f"{session.scored.dice[session.chosen]:.2f}".replace("nan", "unknown")
            dice = "hidden" if session.dice_hidden else dice
            score = f"Dice {dice}, prompts: {sum(session.counts)}"
        ax = show_slice(
            case_slice.image,
            spacing_mm=case_slice.spacing_mm,
            plane=case_slice.plane,
            title=f"{session.case.tissue(session.label)}, slice {case_slice.index}: {score}",
        )
        colour = tissue_colours(session.labels)[session.label]
        if session.reference is not None and not session.dice_hidden:
            draw_label_map(ax, session.reference, colours={1: "white"}, linestyle="dashed")
        if session.mask is not None:
            draw_label_map(ax, session.mask, colours={1: colour}, fill=0.3)
        if prompt.boxes_xyxy is not None:
            draw_boxes(ax, prompt.boxes_xyxy)
        if prompt.point_coords is not None and prompt.point_labels is not None:
            draw_points(ax, prompt.point_coords, point_labels=prompt.point_labels)
        return ax

    def _ipython_display_(self) -> None:
        """Show the widget, which a viewer without widgets shows as a line of text."""
        display(self.widget)  # type: ignore[no-untyped-call]

    def _choose(self, action: Callable[[Any], object], change: Any) -> None:
        if not self._following:
            self.canvas.perform(lambda: action(change.new))

    def _follow(self) -> None:
        """Set the choosers to where the session is, without acting on it again."""
        session = self.session
        self._following = True
        self._slider.max, self._slider.value = session.n_slices - 1, session.index
        self._plane.value, self._tissue.value = session.plane, session.label
        self._model.value = session.model
        self._following = False
