// The picture of PromptCanvas: mouse, keys and drawing. No build step: anywidget loads this file.
//
// Every coordinate that leaves this file is in pixels of the slice (x to the right, y down, the
// centre of the first pixel is 0.5, 0.5). How large a pixel is on screen is known here alone.

const CLICK_PX = 4; // a mouse that moves less than this has clicked, not dragged
const SILENT_MS = 6000; // without an answer for so long, the reader is told what may be the matter
const SLOW_MS = 1500; // a model that encodes longer previews a slice only once it was clicked on
const POSITIVE = "#56B4E9", NEGATIVE = "#D55E00", INK = "#000000", PAPER = "#FFFFFF";

function element(kind, properties = {}, ...children) {
  const made = document.createElement(kind);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("aria-") || name === "role") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

/** Bits of M masks of a slice, as a Uint8Array each with 0 or 1 for every pixel. */
function unpacked(buffer, pixels) {
  if (!buffer || buffer.byteLength === 0) return [];
  const bytes = new Uint8Array(buffer.buffer ?? buffer, buffer.byteOffset ?? 0, buffer.byteLength);
  const stride = Math.ceil(pixels / 8), masks = [];
  for (let start = 0; start + stride <= bytes.length; start += stride) {
    const mask = new Uint8Array(pixels);
    for (let i = 0; i < pixels; i++) mask[i] = (bytes[start + (i >> 3)] >> (7 - (i & 7))) & 1;
    masks.push(mask);
  }
  return masks;
}

/** A slice and its mask as an image of one screen pixel a pixel, to be scaled when drawn. */
function painted(grey, mask, view, window, preview = null) {
  const picture = new OffscreenCanvas(view.width, view.height);
  const context = picture.getContext("2d");
  const data = context.createImageData(view.width, view.height);
  const [low, high] = window, [red, green, blue] = view.colour;
  for (let i = 0; i < grey.length; i++) {
    const shade = Math.max(0, Math.min(255, (255 * (grey[i] - low)) / Math.max(1, high - low)));
    const share = mask && mask[i] ? 0.4 : preview && preview[i] ? 0.3 : 0;
    data.data[4 * i] = shade * (1 - share) + red * share;
    data.data[4 * i + 1] = shade * (1 - share) + green * share;
    data.data[4 * i + 2] = shade * (1 - share) + blue * share;
    data.data[4 * i + 3] = 255;
  }
  context.putImageData(data, 0, 0);
  return picture;
}

/** Trace the border between mask and rest along the edges of the pixels; `gap` pixels a dash. */
function traceOutline(context, mask, width, height, toScreen, gap = 0) {
  context.beginPath();
  const at = (x, y) => x >= 0 && y >= 0 && x < width && y < height && mask[y * width + x];
  const line = (x0, y0, x1, y1) => {
    context.moveTo(...toScreen(x0, y0));
    context.lineTo(...toScreen(x1, y1));
  };
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!mask[y * width + x] || (gap && Math.floor((x + 2 * y) / gap) % 2)) continue;
      if (!at(x, y - 1)) line(x, y, x + 1, y);
      if (!at(x, y + 1)) line(x, y + 1, x + 1, y + 1);
      if (!at(x - 1, y)) line(x, y, x, y + 1);
      if (!at(x + 1, y)) line(x + 1, y, x + 1, y + 1);
    }
  }
}

function render({ model, el }) {
  // What is on screen besides the traits: the part of the slice, the window, a drag under way.
  const local = { zoom: 1, centre: null, window: [0, 255], drag: null, waiting: [], sent: 0,
    previewing: true, preview: null, asked: null, next: null, rested: null, cursor: null,
    corner: null, seen: new Set(), slow: new Set(), endsAt: null };
  const canvas = element("canvas", { tabIndex: 0, role: "application", className: "msk-slice" });
  const status = element("div", { role: "status", "aria-live": "polite", className: "msk-status" });
  const alert = element("div", { role: "alert", className: "msk-alert" });
  const timer = element("div", { role: "timer", className: "msk-timer" });
  const told = element("div", { role: "status", "aria-live": "polite", className: "msk-told" });
  const progress = element("progress", { "aria-label": "slices propagated", hidden: true });
  const busy = element("span", { className: "msk-busy", textContent: "working" });
  const choices = element("div", { className: "msk-choices", role: "group",
    "aria-label": "masks of an ambiguous point" });
  const button = (text, label, act) => {
    const made = element("button", { textContent: text, title: label, "aria-label": label });
    made.addEventListener("click", act);
    return made;
  };
  const range = (label, value, act) => {
    const made = element("input", { type: "range", min: 0, max: 255, value, "aria-label": label });
    made.addEventListener("input", () => { act(Number(made.value)); draw(); drawChoices(); });
    return element("label", { textContent: label + " " }, made);
  };
  const begin = button("start (s)", "start the clock of the race", () => send({ kind: "begin" }));
  const follow = button("propagate (p)", "follow what is prompted through the volume",
    () => send({ kind: "propagate" }));
  const preview = button("preview (v)", "", () => togglePreview());
  const hide = button("hide Dice (h)", "", () => send({ kind: "dice" }));
  const toolbar = element("div", { className: "msk-toolbar", role: "toolbar",
    "aria-label": "prompts" },
    begin, button("undo (u)", "undo the last prompt", () => send({ kind: "undo" })),
    button("clear (c)", "take all prompts of this slice away", () => send({ kind: "clear" })),
    button("next mask (n)", "take the next of three masks", () => send({ kind: "next" })),
    follow, preview, hide,
    button("+", "zoom in", () => zoomBy(1.5)), button("\u2212", "zoom out", () => zoomBy(1 / 1.5)),
    range("black", 0, (value) => { local.window[0] = value; }),
    range("white", 255, (value) => { local.window[1] = value; }), busy, progress);
  const legend = element("div", { className: "msk-legend" });
  el.classList.add("msk-canvas");
  el.append(toolbar, alert, element("div", { className: "msk-row" },
    element("div", {}, canvas, legend), element("div", { className: "msk-side" }, timer, status, told)), choices);

  // ---- the way between screen and slice

  const view = () => model.get("view");
  const heightRatio = () => view().row_mm / view().column_mm;
  const shown = () => {
    const { width, height } = view(), w = width / local.zoom, h = height / local.zoom;
    const [cx, cy] = local.centre ?? [width / 2, height / 2];
    const x = Math.max(0, Math.min(width - w, cx - w / 2));
    const y = Math.max(0, Math.min(height - h, cy - h / 2));
    return { x, y, w, h };
  };
  const toScreen = (x, y) => {
    const part = shown();
    return [((x - part.x) / part.w) * canvas.width, ((y - part.y) / part.h) * canvas.height];
  };
  const toSlice = (event) => {
    const box = canvas.getBoundingClientRect(), part = shown();
    return [part.x + ((event.clientX - box.left) / box.width) * part.w,
      part.y + ((event.clientY - box.top) / box.height) * part.h];
  };
  const resize = () => {
    const { width, height } = view(), tall = height * heightRatio();
    const scale = Math.min(620 / width, 480 / tall);
    const size = [Math.round(width * scale), Math.round(tall * scale)];
    const dense = window.devicePixelRatio || 1;
    canvas.style.width = size[0] + "px";
    canvas.style.height = size[1] + "px";
    canvas.width = size[0] * dense;
    canvas.height = size[1] * dense;
  };
  const zoomBy = (factor, at = null) => {
    local.centre = at ?? local.centre;
    local.zoom = Math.max(1, Math.min(16, local.zoom * factor));
    draw();
  };

  // ---- requests: one at a time, in their order; each says what was on screen when it was made

  const send = (content) => ask({ ...content, place: view().place });
  const ask = (content) => {
    if (local.sent) { local.waiting.push(content); return; }
    local.request = (local.request ?? 0) + 1;
    local.sent = performance.now();
    busy.style.visibility = "visible";
    local.next = null;
    local.progress = 0;
    awaitAnswer();
    model.send({ ...content, request: local.request });
  };
  const awaitAnswer = () => {
    clearTimeout(local.timer);
    local.timer = setTimeout(() => {
      alert.textContent = "No answer yet: a large model takes a while for a new slice, and a " +
        "propagation for many. If the kernel was restarted, run the cell again.";
    }, SILENT_MS);
  };
  const progressed = ({ slice, of }) => { // of a propagation, slice by slice
    if (!local.sent) return;
    local.progress += 1;
    busy.textContent = `slice ${slice} is done: ${local.progress} of at most ${of}`;
    progress.hidden = false;
    progress.max = of;
    progress.value = local.progress;
    el.dataset.progress = String(local.progress); // for the test in a real browser
    alert.textContent = "";
    awaitAnswer();
  };
  const answered = () => {
    const readout = model.get("readout");
    if (!local.sent || readout.answered !== local.request) return;
    clearTimeout(local.timer);
    alert.textContent = model.get("error"); // what was said about the silence goes
    const started = local.sent, number = local.request;
    requestAnimationFrame(() => { // painted: for the test in a real browser
      el.dataset.lastMs = String(performance.now() - started);
      el.dataset.lastRequest = String(number);
    });
    local.sent = 0;
    local.asked = null; // answered before this one, unless the kernel was interrupted
    busy.style.visibility = "hidden";
    busy.textContent = "working";
    progress.hidden = true;
    if (readout.decode_ms) local.seen.add(place());
    if (local.waiting.length) ask(local.waiting.shift());
  };

  // ---- preview: what a click here, or the box in hand, would show. One at a time: what the pointer
  // passes meanwhile is dropped, but for where it is now. It is neither logged nor counted.

  const place = () => String([...view().place, model.get("readout").model]);
  const race = () => model.get("readout").race;
  const running = () => race().begun && local.endsAt !== null && performance.now() < local.endsAt;
  const hover = (content) => {
    const said = model.get("readout"), waits = local.slow.has(said.model) && !local.seen.has(place());
    if (!local.previewing || local.sent || waits || (race() && !running())) return;
    if (!content.box && !said.points) return; // the model takes boxes alone
    if (local.asked) { local.next = content; return; }
    local.next = null;
    local.asked = { content, at: performance.now(), place: place() };
    local.busyLater = setTimeout(() => { busy.style.visibility = "visible"; }, 400);
    model.send({ kind: "preview", ...content, place: view().place });
  };
  const previewed = (message, buffers) => {
    if (!local.asked) return;
    const { content, at, place: of } = local.asked, now = view(), next = local.next;
    clearTimeout(local.busyLater);
    if (!local.sent) busy.style.visibility = "hidden";
    if (!local.seen.has(of) && performance.now() - at > SLOW_MS) {
      local.slow.add(model.get("readout").model);
    }
    local.seen.add(of);
    local.asked = local.next = null;
    if (local.sent || !local.previewing || of !== place()) return; // something else came first
    local.preview = unpacked(buffers?.[0], now.width * now.height)[0] ?? null;
    draw();
    requestAnimationFrame(() => { // painted: for the test in a real browser
      el.dataset.previews = String(Number(el.dataset.previews ?? 0) + 1);
      el.dataset.previewMs = String(performance.now() - at);
      el.dataset.previewAt = JSON.stringify(content);
    });
    if (next) hover(next);
  };
  const togglePreview = () => {
    local.previewing = !local.previewing;
    local.preview = local.next = null;
    draw();
    say();
  };
  model.on("msg:custom", (message, buffers) => {
    if (message.kind === "preview") previewed(message, buffers);
    if (message.kind === "progress") progressed(message);
  });

  // ---- the race: the time left, counted here from what the answer said

  const keepTime = () => {
    const now = race();
    begin.hidden = !now || now.begun;
    follow.hidden = Boolean(now);
    local.endsAt = now?.begun && now.left_s > 0 ? performance.now() + 1000 * now.left_s : null;
    tick();
  };
  const tick = () => {
    const now = race();
    timer.hidden = !now;
    if (!now) return;
    const left = running() ? (local.endsAt - performance.now()) / 1000 : now.begun ? 0 : now.left_s;
    const s = Math.ceil(left), text = `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
    timer.textContent = text;
    timer.classList.toggle("msk-late", now.begun && left <= 10);
    const news = !now.begun ? "Press start (s): then the clock runs." : left ? "" :
      now.score === null ? "The race is over. Guess the Dice, then show it (h)." : "";
    if (local.news !== news) told.textContent = local.news = news; // said once
  };
  const clock = setInterval(() => { if (el.isConnected) tick(); }, 250);

  // ---- drawing

  const draw = () => {
    const now = view(), pixels = now.width * now.height;
    const image = model.get("image");
    const grey = new Uint8Array(image.buffer ?? image, image.byteOffset ?? 0, image.byteLength);
    if (!now.width || grey.length !== pixels) return; // the rest is on its way
    const masks = unpacked(model.get("masks"), pixels);
    const mask = masks[model.get("readout").chosen ?? 0] ?? null;
    const context = canvas.getContext("2d"), part = shown();
    context.imageSmoothingEnabled = false;
    context.drawImage(painted(grey, mask, now, local.window, local.preview), part.x, part.y, part.w, part.h,
      0, 0, canvas.width, canvas.height);
    if (mask) {
      traceOutline(context, mask, now.width, now.height, toScreen);
      stroke(context, `rgb(${now.colour.join(",")})`, 1.5);
    }
    if (local.preview) { // dotted as well as paler: no colour is needed to tell it from the mask
      const pixel = canvas.clientWidth / part.w, gap = Math.max(1, Math.round(4 / pixel));
      traceOutline(context, local.preview, now.width, now.height, toScreen, gap);
      stroke(context, PAPER, 1.5);
    }
    drawPrompts(context);
    if (local.cursor) drawCursor(context);
    drawEdges(context, now.edges);
  };
  const drawCursor = (context) => {
    const [x, y] = toScreen(...local.cursor), r = 10 * (window.devicePixelRatio || 1);
    context.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + 0.3 * r * dx, y + 0.3 * r * dy);
      context.lineTo(x + r * dx, y + r * dy);
    }
    stroke(context, PAPER, 2);
  };
  const stroke = (context, colour, width) => {
    const dense = window.devicePixelRatio || 1;
    context.lineWidth = (width + 2) * dense;
    context.strokeStyle = INK;
    context.stroke();
    context.lineWidth = width * dense;
    context.strokeStyle = colour;
    context.stroke();
  };
  const drawPrompts = (context) => {
    const { points, box } = model.get("prompts"), drawn = local.drag?.box ?? boxInHand() ?? box;
    if (drawn) {
      const [x0, y0] = toScreen(drawn[0], drawn[1]), [x1, y1] = toScreen(drawn[2], drawn[3]);
      context.beginPath();
      context.rect(x0, y0, x1 - x0, y1 - y0);
      stroke(context, PAPER, 2);
    }
    for (const [px, py, inside] of points ?? []) {
      const [x, y] = toScreen(px, py), r = 7 * (window.devicePixelRatio || 1);
      context.beginPath();
      if (inside) context.arc(x, y, r * 0.8, 0, 2 * Math.PI);
      else for (const s of [-1, 1]) { // a cross: shape as well as colour tells them apart
        context.moveTo(x - r * 0.8, y - s * r * 0.8);
        context.lineTo(x + r * 0.8, y + s * r * 0.8);
      }
      if (inside) { context.fillStyle = POSITIVE; context.fill(); }
      stroke(context, inside ? PAPER : NEGATIVE, inside ? 1.5 : 3.5);
    }
  };
  const drawEdges = (context, [left, right, top, bottom]) => {
    const dense = window.devicePixelRatio || 1, { width, height } = canvas, gap = 12 * dense;
    context.font = `bold ${14 * dense}px sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (const [text, x, y] of [[left, gap, height / 2], [right, width - gap, height / 2],
      [top, width / 2, gap], [bottom, width / 2, height - gap]]) {
      context.lineWidth = 3 * dense;
      context.strokeStyle = INK;
      context.strokeText(text, x, y);
      context.fillStyle = PAPER;
      context.fillText(text, x, y);
    }
  };
  const drawChoices = () => {
    choices.replaceChildren();
    const now = view(), said = model.get("readout"), pixels = now.width * now.height;
    const image = model.get("image"), masks = unpacked(model.get("masks"), pixels);
    const grey = new Uint8Array(image.buffer ?? image, image.byteOffset ?? 0, image.byteLength);
    if (masks.length < 2 || grey.length !== pixels) return;
    masks.forEach((mask, number) => {
      const small = element("canvas", { width: 150, height: Math.round(150 * now.height *
        heightRatio() / now.width) });
      small.getContext("2d").drawImage(painted(grey, mask, now, local.window), 0, 0,
        small.width, small.height);
      const text = `mask ${number + 1}: predicted IoU ${fixed(said.predicted_iou?.[number])}` +
        (said.hidden ? "" : `, Dice ${fixed(said.dice?.[number])}`);
      const made = button("", text, () => send({ kind: "choose", mask: number }));
      made.className = "msk-choice" + (number === said.chosen ? " msk-chosen" : "");
      made.setAttribute("aria-pressed", String(number === said.chosen));
      made.append(small, element("span", { textContent: text }));
      choices.append(made);
    });
  };
  const fixed = (value) => (value === null || value === undefined ? "unknown" : value.toFixed(2));
  const say = () => {
    const said = model.get("readout"), now = view();
    const line = (name, value) => element("div", {}, element("span", { textContent: name }),
      element("strong", { textContent: value }));
    status.replaceChildren(
      line("tissue", said.tissue ?? ""), line("slice", `${now.slice} (0 to ${now.n_slices - 1})`),
      line("prompts", String(said.n_prompts ?? 0)));
    if (said.dice) {
      status.append(line("Dice", said.hidden ? "hidden" : fixed(said.dice[said.chosen])));
      if (typeof said.race?.score === "number") status.append(line("score", fixed(said.race.score)));
      status.append(line("predicted IoU", fixed(said.predicted_iou[said.chosen])));
      if (said.decode_ms) status.append(line("encoding", `${said.encode_ms.toFixed(0)} ms`),
        line("decoding", `${said.decode_ms.toFixed(0)} ms`));
    }
    if (said.reason) status.append(line("this slice", said.reason));
    status.append(line("model", said.model + (said.miniature ? " (miniature)" : "")));
    for (const end of said.ends ?? []) {
      status.append(element("p", { className: "msk-end", textContent: end }));
    }
    const swatch = element("span", { className: "msk-swatch" });
    swatch.style.background = `rgb(${(now.colour ?? [0, 0, 0]).join(",")})`;
    const hint = !local.previewing ? "" : !said.points ? " · dotted: preview of a box in hand" :
      " · dotted: preview";
    legend.replaceChildren(swatch, `mask of ${said.tissue ?? ""} · circle: inside · ` +
      "cross: outside · rectangle: box" + hint);
    const mark = (made, on, label) => {
      made.setAttribute("aria-pressed", String(on));
      made.setAttribute("aria-label", label);
      made.title = label;
    };
    mark(preview, local.previewing, "preview what a click would show");
    mark(hide, Boolean(said.hidden), said.race ? "hide Dice; showing it ends the race" :
      "hide Dice until it was guessed");
    canvas.setAttribute("aria-label",
      `${now.name}. Click: point inside; shift-click: outside; drag: box. Arrows: cursor, with ` +
      "shift in steps of 10; enter: point inside; shift-enter: outside; b: one corner of a box, " +
      "then the other; escape: no box. u: undo; c: clear; n: next mask; v: preview; h: hide Dice; " +
      (said.race ? "s: start; " : "p: propagate; page up and page down: slices; ") +
      "plus and minus: zoom; 0: whole slice.");
  };

  // ---- mouse and keys

  const inBox = ([x, y], box) => box && x > box[0] && x < box[2] && y > box[1] && y < box[3];
  const clamp = (value, low, high) => Math.max(low, Math.min(high, value));
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("pointerdown", (event) => {
    canvas.focus({ preventScroll: true }); // the slice must not move under the mouse
    canvas.setPointerCapture(event.pointerId);
    const start = toSlice(event), box = model.get("prompts").box;
    local.drag = { start, from: [event.clientX, event.clientY], moving: inBox(start, box) && box,
      button: event.button, shift: event.shiftKey, box: null };
  });
  canvas.addEventListener("pointerleave", () => { local.next = null; }); // the last answer stays
  canvas.addEventListener("pointermove", (event) => {
    const drag = local.drag;
    if (!drag) {
      const [fromX, fromY] = local.rested ?? [-CLICK_PX, -CLICK_PX], [x, y] = toSlice(event);
      if (Math.hypot(event.clientX - fromX, event.clientY - fromY) < CLICK_PX) return;
      local.rested = null; // the mouse left the place of its last click
      if (local.cursor) { local.cursor = local.corner = null; draw(); }
      hover({ x, y, inside: !event.shiftKey });
      return;
    }
    if (drag.button !== 0) return;
    const [dx, dy] = [event.clientX - drag.from[0], event.clientY - drag.from[1]];
    if (!drag.box && Math.hypot(dx, dy) < CLICK_PX) return;
    const { width, height } = view(), [x, y] = toSlice(event), [sx, sy] = drag.start;
    if (drag.moving) {
      const [x0, y0, x1, y1] = drag.moving;
      const mx = clamp(x - sx, -x0, width - x1), my = clamp(y - sy, -y0, height - y1);
      drag.box = [x0 + mx, y0 + my, x1 + mx, y1 + my];
    } else {
      drag.box = [Math.min(sx, x), Math.min(sy, y), Math.max(sx, x), Math.max(sy, y)];
      drag.box = drag.box.map((value, i) => clamp(value, 0, i % 2 ? height : width));
    }
    hover({ box: drag.box });
    draw();
  });
  canvas.addEventListener("pointerup", (event) => {
    const drag = local.drag;
    local.drag = null;
    if (!drag) return;
    local.rested = [event.clientX, event.clientY];
    if (drag.box) { send({ kind: "box", box: drag.box }); return; }
    const [x, y] = drag.start, inside = drag.button === 0 && !drag.shift;
    send({ kind: "point", x, y, inside });
  });
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && document.activeElement !== canvas) return; // let the page scroll
    event.preventDefault();
    zoomBy(event.deltaY < 0 ? 1.25 : 0.8, toSlice(event));
  }, { passive: false });
  const boxInHand = () => {
    if (!local.corner || !local.cursor) return null;
    const [[x0, y0], [x1, y1]] = [local.corner, local.cursor];
    return [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)];
  };
  const moveCursor = (dx, dy, event) => { // from pixel centre to pixel centre
    const { width, height } = view(), part = shown(), steps = event.shiftKey ? 10 : 1;
    const [x, y] = local.cursor ?? [part.x + part.w / 2, part.y + part.h / 2];
    local.cursor = [clamp(Math.floor(x) + 0.5 + steps * dx, 0.5, width - 0.5),
      clamp(Math.floor(y) + 0.5 + steps * dy, 0.5, height - 0.5)];
    if (local.zoom > 1) local.centre = local.cursor;
    told.textContent = `x ${Math.floor(local.cursor[0])}, y ${Math.floor(local.cursor[1])}`;
    hover(local.corner ? { box: boxInHand() } :
      { x: local.cursor[0], y: local.cursor[1], inside: true });
    draw();
  };
  const arrow = (dx, dy) => (event) => moveCursor(dx, dy, event);
  const pointAtCursor = (event) => {
    if (!local.cursor) { moveCursor(0, 0, event); return; }
    send({ kind: "point", x: local.cursor[0], y: local.cursor[1], inside: !event.shiftKey });
  };
  const corner = (event) => {
    if (!local.cursor) moveCursor(0, 0, event);
    const box = boxInHand();
    local.corner = box ? null : local.cursor;
    if (box) send({ kind: "box", box });
    draw();
  };
  const keys = {
    u: () => send({ kind: "undo" }), c: () => send({ kind: "clear" }),
    n: () => send({ kind: "next" }), p: () => { if (!race()) send({ kind: "propagate" }); },
    v: () => togglePreview(), h: () => send({ kind: "dice" }),
    s: () => { if (race()) send({ kind: "begin" }); },
    ArrowLeft: arrow(-1, 0), ArrowRight: arrow(1, 0), ArrowUp: arrow(0, -1), ArrowDown: arrow(0, 1),
    Enter: pointAtCursor, b: corner,
    Escape: () => { local.corner = local.cursor = null; draw(); },
    "+": () => zoomBy(1.5), "-": () => zoomBy(1 / 1.5),
    0: () => { local.centre = null; local.zoom = 1; draw(); },
    PageUp: () => send({ kind: "slice", step: 1 }),
    PageDown: () => send({ kind: "slice", step: -1 }),
  };
  canvas.addEventListener("keydown", (event) => {
    const act = keys[event.key];
    if (!act || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation(); // JupyterLab has shortcuts on the same keys
    act(event);
  });

  // ---- from Python: whatever is new there takes the place of a preview

  const sizeChanged = () => { local.preview = local.corner = null; resize(); draw(); say(); };
  const changed = () => { local.preview = null; draw(); drawChoices(); say(); keepTime(); answered(); };
  model.on("change:view", sizeChanged);
  model.on("change:image change:masks change:prompts change:readout", changed);
  model.on("change:error", () => { alert.textContent = model.get("error"); });
  alert.textContent = model.get("error");
  busy.style.visibility = "hidden";
  sizeChanged();
  drawChoices();
  keepTime();
  if (race()?.begun) send({ kind: "look" }); // shown anew: how much time is left by now?
  return () => clearInterval(clock);
}

export default { render };
