// Arrows, space, Page keys: move. Home, End: first, last. n: notes below. s: notes in a window.
const slides = [...document.querySelectorAll(".slides > section > section")];
const notes = document.getElementById("notes");
const counter = document.getElementById("counter");
const isSpeaker = location.search === "?speaker";
let at = 0;
let other = isSpeaker ? window.opener : null;

function show(index, tell = true) {
  at = Math.max(0, Math.min(slides.length - 1, index));
  slides.forEach((slide, k) => slide.classList.toggle("present", k === at));
  const own = [...slides[at].querySelectorAll("aside.notes")];
  notes.replaceChildren(...own.map((note) => note.cloneNode(true)));
  counter.textContent = `${at + 1} / ${slides.length}`;
  slides[at].scrollTop = 0;
  history.replaceState(null, "", `#${at + 1}`);
  if (tell && other && !other.closed) other.postMessage(at, "*"); // a slide's number, no more
}

const moves = {
  ArrowRight: () => at + 1, ArrowDown: () => at + 1, PageDown: () => at + 1, " ": () => at + 1,
  ArrowLeft: () => at - 1, ArrowUp: () => at - 1, PageUp: () => at - 1,
  Home: () => 0, End: () => slides.length - 1,
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key in moves) {
    event.preventDefault();
    show(moves[event.key]());
  } else if (event.key === "n") {
    document.body.classList.toggle("with-notes");
  } else if (event.key === "s" && !isSpeaker) {
    other = window.open(`${location.pathname}?speaker#${at + 1}`, "speaker");
  }
});
window.addEventListener("message", (event) => {
  if (Number.isInteger(event.data)) show(event.data, false);
});
if (isSpeaker) document.body.classList.add("speaker", "with-notes");
show((parseInt(location.hash.slice(1), 10) || 1) - 1, false);
