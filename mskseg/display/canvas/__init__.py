"""The prompt canvas: click and draw on a slice, watch the mask and its Dice."""

from mskseg.display.canvas.session import Session as Session
from mskseg.display.canvas.widget import PromptCanvas as PromptCanvas
from mskseg.display.canvas.widget import PromptExplorer as PromptExplorer
