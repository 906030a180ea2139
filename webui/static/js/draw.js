// Drawing labels by finger: brush, eraser, box; loupe under the finger, undo and redo. Everything in picture pixels.
import "./frame.js";
import { bitmapOf } from "./bitmap.js";
import { boxAt, boxBetween, corners, moved } from "./boxes.js";
import { cut, Layers, union } from "./mask.js";
import { newId, post, whyNot } from "./posting.js";
import { say, word } from "./words.js";

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const page = byId("draw");
const shown = JSON.parse(/** @type {string} */ (page.dataset.shown));
const before = JSON.parse(/** @type {string} */ (page.dataset.body));
const stage = byId("stage");
const canvas = /** @type {HTMLCanvasElement} */ (byId("canvas"));
const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
const loupe = /** @type {HTMLCanvasElement} */ (byId("loupe"));
const css = getComputedStyle(document.documentElement);
const MM = parseFloat(css.getPropertyValue("--mm")) || 5;
/** A handle is drawn so large, and felt so far around. */
const [HANDLE_PX, TOUCH_PX] = [44, 15 * MM];
const LOUPE = 3;
const SIZES = [2, 4, 8, 12, 20, 32, 48, 72, 110, 160, 240];
const UNDONE = 200;

const kinds = /** @type {HTMLElement[]} */ ([...byId("kinds").querySelectorAll("[data-kind]")]).map((key) => /** @type {string} */ (key.dataset.kind));
const colours = kinds.map((_, n) => css.getPropertyValue(`--draw-${n % 8}`).trim());
const probe = /** @type {OffscreenCanvasRenderingContext2D} */ (new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true }));
const painted = colours.map((colour) => {
  probe.fillStyle = colour;
  probe.fillRect(0, 0, 1, 1);
  return probe.getImageData(0, 0, 1, 1).data.slice(0, 3);
});

const picture = await bitmapOf(shown.picture_url);
const heat = picture && shown.overlay_url ? await bitmapOf(shown.overlay_url) : null;
const [width, height] = picture ? [picture.width, picture.height] : [1, 1];
const layers = new Layers(width, height);
/** @type {import("./boxes.js").Box[]} */
let boxes = [];
const over = new OffscreenCanvas(width, height);
const overPen = /** @type {OffscreenCanvasRenderingContext2D} */ (over.getContext("2d"));

let tool = "brush";
let kind = kinds[0];
let size = Math.min(SIZES.length - 1, Math.max(0, SIZES.findIndex((one) => one >= width / 40)));
let selected = -1;
let heatOn = false;
/** Picture to screen: place = point * scale + shift. */
let scale = 1;
let shift = [0, 0];
/** @type {any[]} */
const done = [];
/** @type {any[]} */
const undone = [];
let changed = false;

// ---- putting it on the screen

function fit() {
  const [w, h] = [stage.clientWidth, stage.clientHeight];
  [canvas.width, canvas.height] = [w, h];
  scale = Math.min(w / width, h / height);
  shift = [(w - width * scale) / 2, (h - height * scale) / 2];
  draw();
}

/** Colour one place of the layers anew. @param {import("./mask.js").Place} place */
function colour(place) {
  const [w, h] = [place.x1 - place.x0 + 1, place.y1 - place.y0 + 1];
  if (w <= 0 || h <= 0) return;
  const image = new ImageData(w, h);
  for (const [name, layer] of layers.layers) {
    const [red, green, blue] = painted[Math.max(0, kinds.indexOf(name))];
    for (let y = 0; y < h; y++) {
      for (let x = 0; x < w; x++) {
        if (!layer[(place.y0 + y) * width + place.x0 + x]) continue;
        image.data.set([red, green, blue, 150], (y * w + x) * 4);
      }
    }
  }
  overPen.putImageData(image, place.x0, place.y0);
}

let queued = false;
function draw() {
  if (queued) return;
  queued = true;
  requestAnimationFrame(() => {
    queued = false;
    paint();
  });
}

function paint() {
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.clearRect(0, 0, canvas.width, canvas.height);
  if (!picture) return;
  pen.setTransform(scale, 0, 0, scale, shift[0], shift[1]);
  pen.imageSmoothingEnabled = scale < 2;
  pen.drawImage(picture, 0, 0);
  if (heatOn && heat) pen.drawImage(heat, 0, 0, width, height);
  pen.drawImage(over, 0, 0);
  pen.setTransform(1, 0, 0, 1, 0, 0);
  boxes.forEach((box, n) => {
    const [x, y, w, h] = [box.x * scale + shift[0], box.y * scale + shift[1], box.w * scale, box.h * scale];
    pen.lineWidth = n === selected ? 7 : 5;
    pen.strokeStyle = css.getPropertyValue("--picture-ground");
    pen.strokeRect(x, y, w, h);
    pen.lineWidth = n === selected ? 4 : 2;
    pen.strokeStyle = colours[Math.max(0, kinds.indexOf(box.kind))];
    pen.strokeRect(x, y, w, h);
    if (n !== selected) return;
    for (const [cx, cy] of corners(box)) {
      pen.beginPath();
      pen.arc(cx * scale + shift[0], cy * scale + shift[1], HANDLE_PX / 2, 0, 7);
      pen.globalAlpha = 0.35;
      pen.fillStyle = css.getPropertyValue("--picture-ink");
      pen.fill();
      pen.globalAlpha = 1;
      pen.stroke();
    }
  });
}

/** What lies under the finger, three times as large, away from it. */
function look(/** @type {PointerEvent | null} */ event) {
  loupe.hidden = !event || tool === "move" || !picture;
  if (!event || loupe.hidden) return;
  const place = stage.getBoundingClientRect();
  const [x, y] = [event.clientX - place.left, event.clientY - place.top];
  loupe.classList.toggle("right", x < place.width / 2 && y < place.height / 2);
  const glass = /** @type {CanvasRenderingContext2D} */ (loupe.getContext("2d"));
  const span = loupe.width / LOUPE;
  glass.imageSmoothingEnabled = false;
  glass.fillRect(0, 0, loupe.width, loupe.height);
  glass.drawImage(canvas, x - span / 2, y - span / 2, span, span, 0, 0, loupe.width, loupe.height);
  glass.strokeStyle = css.getPropertyValue("--picture-ink");
  glass.lineWidth = 2;
  glass.beginPath();
  const radius = tool === "box" ? 6 : (SIZES[size] / 2) * scale * LOUPE;
  glass.arc(loupe.width / 2, loupe.height / 2, Math.min(radius, loupe.width / 2 - 4), 0, 7);
  glass.stroke();
}

// ---- doing, undoing

function keep(/** @type {any} */ step) {
  done.push(step);
  if (done.length > UNDONE) done.shift();
  undone.length = 0;
  mark(true);
}

function mark(/** @type {boolean} */ now) {
  changed = now;
  /** @type {HTMLButtonElement} */ (byId("undo")).disabled = !done.length;
  /** @type {HTMLButtonElement} */ (byId("redo")).disabled = !undone.length;
  /** @type {HTMLButtonElement} */ (byId("save")).disabled = !changed;
  /** @type {HTMLButtonElement} */ (byId("remove")).disabled = selected < 0;
  const masks = [...layers.layers.keys()].filter((name) => !layers.empty(name)).length;
  say("count", boxes.length || masks ? word("draw.count", { boxes: boxes.length, masks }) : word("draw.nothing"));
  if (changed) say("told", word("draw.unsaved"));
}

function apply(/** @type {any} */ step, /** @type {"was" | "is"} */ side) {
  if (step.boxes) boxes = step.boxes[side].map((/** @type {any} */ box) => ({ ...box }));
  else {
    layers.paste(step.kind, step.place, step[side]);
    colour(step.place);
  }
  selected = -1;
  draw();
}

byId("undo").addEventListener("click", () => {
  const step = done.pop();
  if (!step) return;
  apply(step, "was");
  undone.push(step);
  mark(true);
});
byId("redo").addEventListener("click", () => {
  const step = undone.pop();
  if (!step) return;
  apply(step, "is");
  done.push(step);
  mark(true);
});

function changeBoxes(/** @type {() => void} */ change) {
  const was = boxes.map((box) => ({ ...box }));
  change();
  keep({ boxes: { was, is: boxes.map((box) => ({ ...box })) } });
  draw();
}

byId("remove").addEventListener("click", () => {
  if (selected < 0) return;
  changeBoxes(() => {
    boxes.splice(selected, 1);
    selected = -1;
  });
});

// ---- the finger

/** @type {Map<number, [number, number]>} fingers on the picture, on the screen */
const fingers = new Map();
/** @type {any} what one finger is doing */
let act = null;
/** @type {{far: number, middle: [number, number]} | null} */
let pinch = null;

/** @param {PointerEvent} event @returns {[number, number]} */
function pointOf(event) {
  const place = stage.getBoundingClientRect();
  return [(event.clientX - place.left - shift[0]) / scale, (event.clientY - place.top - shift[1]) / scale];
}

function grip() {
  const [a, b] = [...fingers.values()];
  return { far: Math.hypot(a[0] - b[0], a[1] - b[1]), middle: /** @type {[number, number]} */ ([(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]) };
}

stage.addEventListener("pointerdown", (event) => {
  if (!picture) return;
  stage.setPointerCapture(event.pointerId);
  const place = stage.getBoundingClientRect();
  fingers.set(event.pointerId, [event.clientX - place.left, event.clientY - place.top]);
  if (fingers.size === 2) {
    cancel();
    pinch = grip();
    return;
  }
  if (fingers.size > 2) return;
  const at = pointOf(event);
  if (tool === "move") act = { what: "pan" };
  else if (tool === "box") act = startBox(at);
  else {
    const layer = layers.of(kind);
    act = { what: "paint", was: layer.slice(), last: at, place: null, value: tool === "brush" ? 1 : 0, kind };
    paintTo(at);
  }
  look(event);
});

function startBox(/** @type {[number, number]} */ at) {
  const was = boxes.map((box) => ({ ...box }));
  if (selected >= 0) {
    const near = corners(boxes[selected]).findIndex(([x, y]) => Math.hypot(x - at[0], y - at[1]) * scale <= TOUCH_PX / 2);
    if (near >= 0) return { what: "pull", was, fixed: corners(boxes[selected])[(near + 2) % 4] };
  }
  const hit = boxAt(boxes, at, 8 / scale);
  if (hit >= 0) {
    selected = hit;
    draw();
    mark(changed);
    return { what: "carry", was, from: at, box: { ...boxes[hit] } };
  }
  selected = -1;
  return { what: "new", was, from: at };
}

function paintTo(/** @type {[number, number]} */ at) {
  const touched = layers.stroke(act.kind, act.last, at, SIZES[size] / 2, act.value);
  act.last = at;
  if (!touched) return;
  act.place = act.place ? union(act.place, touched) : touched;
  colour(touched);
  draw();
}

stage.addEventListener("pointermove", (event) => {
  const known = fingers.get(event.pointerId);
  if (!known) return;
  const place = stage.getBoundingClientRect();
  const now = /** @type {[number, number]} */ ([event.clientX - place.left, event.clientY - place.top]);
  fingers.set(event.pointerId, now);
  if (pinch && fingers.size === 2) {
    const next = grip();
    zoomAt(pinch.middle, next.far / Math.max(1, pinch.far));
    shift = [shift[0] + next.middle[0] - pinch.middle[0], shift[1] + next.middle[1] - pinch.middle[1]];
    pinch = next;
    draw();
    return;
  }
  if (!act) return;
  const at = pointOf(event);
  if (act.what === "pan") shift = [shift[0] + now[0] - known[0], shift[1] + now[1] - known[1]];
  else if (act.what === "paint") paintTo(at);
  else dragBox(at);
  draw();
  look(event);
});

function dragBox(/** @type {[number, number]} */ at) {
  if (act.what === "carry") boxes[selected] = moved(act.box, at[0] - act.from[0], at[1] - act.from[1], width, height);
  if (act.what === "pull") boxes[selected] = boxBetween(boxes[selected].kind, act.fixed, at, width, height) ?? boxes[selected];
  if (act.what === "new") {
    const box = boxBetween(kind, act.from, at, width, height);
    if (!box) return;
    if (selected < 0) selected = boxes.push(box) - 1;
    else boxes[selected] = box;
  }
}

function finish() {
  if (act?.what === "paint" && act.place) {
    const { place } = act;
    keep({ kind: act.kind, place, was: cut(act.was, width, place), is: cut(layers.of(act.kind), width, place) });
  } else if (act?.was && JSON.stringify(act.was) !== JSON.stringify(boxes)) {
    keep({ boxes: { was: act.was, is: boxes.map((box) => ({ ...box })) } });
  }
  mark(changed);
}

/** A second finger came: what the first had begun is taken back. */
function cancel() {
  if (act?.what === "paint" && act.place) {
    layers.layers.set(act.kind, act.was);
    colour(act.place);
  } else if (act?.was) boxes = act.was;
  act = null;
  look(null);
  draw();
}

for (const end of ["pointerup", "pointercancel"]) {
  stage.addEventListener(end, (event) => {
    fingers.delete(/** @type {PointerEvent} */ (event).pointerId);
    if (fingers.size < 2) pinch = null;
    if (act && !fingers.size) finish();
    if (!fingers.size) act = null;
    look(null);
  });
}

function zoomAt(/** @type {[number, number]} */ place, /** @type {number} */ by) {
  const least = Math.min(stage.clientWidth / width, stage.clientHeight / height);
  const next = Math.min(40, Math.max(least, scale * by));
  shift = [place[0] - ((place[0] - shift[0]) * next) / scale, place[1] - ((place[1] - shift[1]) * next) / scale];
  scale = next;
}

stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  const place = stage.getBoundingClientRect();
  zoomAt([event.clientX - place.left, event.clientY - place.top], event.deltaY < 0 ? 1.25 : 0.8);
  draw();
}, { passive: false });

// ---- keys

for (const key of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-tool]"))) {
  key.addEventListener("click", () => {
    tool = /** @type {string} */ (key.dataset.tool);
    for (const other of document.querySelectorAll("[data-tool]")) other.setAttribute("aria-pressed", String(other === key));
    if (tool !== "box") selected = -1;
    mark(changed);
    draw();
  });
}
byId("kinds").addEventListener("click", (event) => {
  const key = /** @type {HTMLElement | null} */ (/** @type {HTMLElement} */ (event.target).closest("[data-kind]"));
  if (!key) return;
  kind = /** @type {string} */ (key.dataset.kind);
  for (const other of byId("kinds").children) other.setAttribute("aria-pressed", String(other === key));
  if (selected >= 0 && boxes[selected].kind !== kind) changeBoxes(() => (boxes[selected] = { ...boxes[selected], kind }));
});
function resize(/** @type {number} */ by) {
  size = Math.min(SIZES.length - 1, Math.max(0, size + by));
  say("size", String(SIZES[size]));
}
byId("smaller").addEventListener("click", () => resize(-1));
byId("larger").addEventListener("click", () => resize(1));
byId("zoom").addEventListener("click", () => {
  const whole = Math.min(stage.clientWidth / width, stage.clientHeight / height);
  if (scale > whole * 1.05) fit();
  else {
    const first = shown.defects[0];
    const at = first ? [first[1] + first[3] / 2, first[2] + first[4] / 2] : [width / 2, height / 2];
    zoomAt([at[0] * scale + shift[0], at[1] * scale + shift[1]], 3);
    draw();
  }
});
byId("overlay").addEventListener("click", () => {
  heatOn = !heatOn;
  byId("overlay").setAttribute("aria-pressed", String(heatOn));
  draw();
});

// ---- saving

let id = newId();
byId("save").addEventListener("click", async () => {
  /** @type {HTMLButtonElement} */ (byId("save")).disabled = true;
  const masks = [...layers.layers.keys()].filter((name) => !layers.empty(name)).map((name) => ({ kind: name, counts: layers.counts(name) }));
  const body = { width, height, camera: shown.camera, masks, boxes };
  const steps = done.length;
  const answer = await post(/** @type {string} */ (page.dataset.url), { body, id });
  id = newId();
  if (!answer.done) {
    mark(true);
    say("told", word("draw.not_saved", { why: whyNot(answer) }));
    return;
  }
  if (done.length === steps) mark(false);
  say("told", word("draw.saved"));
});
window.addEventListener("beforeunload", (event) => changed && event.preventDefault());

// ---- what was drawn before

if (picture && before && before.width === width && before.height === height) {
  for (const mask of before.masks) {
    if (kinds.includes(mask.kind)) layers.load(mask.kind, mask.counts);
  }
  boxes = before.boxes.map((/** @type {any} */ box) => ({ ...box }));
  colour({ x0: 0, y0: 0, x1: width - 1, y1: height - 1 });
}
resize(0);
fit();
mark(false);
new ResizeObserver(fit).observe(stage);
page.dataset.ready = "yes";
