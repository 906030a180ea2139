// The region editor: shapes in whole pixels of the picture, drawn with Konva; handles lie beside the finger, not under it.
import "./frame.js";
import "./pad.js";
import { History } from "./drawing.js";
import { boxOf, edges, moved, place, pulled, snapped } from "./geometry.js";
import { post } from "./posting.js";
import { makeShape, say, shapeOf, teller, word } from "./words.js";

/* global Konva */
const root = /** @type {HTMLElement} */ (document.getElementById("regions"));
const shown = JSON.parse(/** @type {string} */ (root.dataset.shown));
const $ = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));
const css = getComputedStyle(document.documentElement);
const colour = (/** @type {string} */ name) => css.getPropertyValue(name).trim();
const mm = parseFloat(colour("--mm")) || 5;
const HANDLE_PX = 22; // drawn 44 px wide
const TOUCH_PX = Math.max(HANDLE_PX, (15 * mm) / 2);
const AWAY_PX = 46;
const SNAP_PX = 8;
const LOUPE = 4;
const tell = teller(shown.words);

let [width, height] = shown.sizes[shown.camera] ?? [0, 0];
const history = new History(structuredClone(shown.regions));
/** Which region, and which shape of it: -1 is its box, -2 what alone is judged. @type {{region: number, shape: number} | null} */
let chosen = null;
let corner = 0;
let step = 1;
let pictureAt = 0;
let posting = false;
/** @type {HTMLImageElement | null} */
let picture = null;

const stage = new Konva.Stage({ container: "stage", width: $("stage").clientWidth, height: $("stage").clientHeight });
const ground = new Konva.Layer({ listening: true });
const layer = new Konva.Layer();
stage.add(ground, layer);
const view = { scale: 1, x: 0, y: 0, own: false };

const regions = () => history.now;
const mine = (/** @type {any} */ region) => !region.camera || region.camera === shown.camera;
const full = () => [0, 0, width, height];

/** The chosen thing as {kind, box} or {kind, points}. */
function shapeAt(/** @type {any} */ at, list = regions()) {
  const region = at && list[at.region];
  if (!region) return null;
  if (at.shape === -1) return region.box === "full" ? { kind: "rect", box: full() } : { kind: "rect", box: region.box };
  if (at.shape === -2) return region.within;
  return region.ignore[at.shape];
}

/** Put a shape in the place of the chosen one. */
function change(/** @type {any} */ shape, /** @type {{quiet?: boolean}} */ { quiet = false } = {}) {
  if (!chosen) return;
  const next = structuredClone(regions());
  const region = next[chosen.region];
  if (chosen.shape === -1) region.box = shape.box;
  else if (chosen.shape === -2) region.within = shape;
  else region.ignore[chosen.shape] = shape;
  history.put(next, quiet);
  draw();
}

const limits = () => (chosen?.shape === -1 ? { width, height, least: 8 } : { width, height, least: 2 });

// -- drawing ----------------------------------------------------------------------------------------------------------

const toX = (/** @type {number} */ x) => x * view.scale + view.x;
const toY = (/** @type {number} */ y) => y * view.scale + view.y;

function outline(/** @type {any} */ shape, /** @type {any} */ look) {
  if (shape.kind === "polygon") {
    const flat = shape.points.flatMap(([x, y]) => [toX(x), toY(y)]);
    return new Konva.Line({ points: flat, closed: true, ...look });
  }
  const [x, y, w, h] = shape.box;
  if (shape.kind === "ellipse") {
    const at = { x: toX(x + w / 2), y: toY(y + h / 2), radiusX: (w / 2) * view.scale, radiusY: (h / 2) * view.scale };
    return new Konva.Ellipse({ ...at, ...look });
  }
  return new Konva.Rect({ x: toX(x), y: toY(y), width: w * view.scale, height: h * view.scale, ...look });
}

const same = (/** @type {any} */ at) => chosen !== null && chosen.region === at.region && chosen.shape === at.shape;

function add(/** @type {any} */ shape, /** @type {any} */ at) {
  const is = same(at);
  const line = { strokeWidth: is ? 4 : 2, stroke: colour(at.shape >= 0 ? "--warn" : "--picture-ink") };
  const dash = at.shape === -1 ? {} : { dash: [10, 6] };
  layer.add(outline(shape, { stroke: colour("--picture-ground"), strokeWidth: line.strokeWidth + 3, listening: false }));
  const body = outline(shape, { ...line, ...dash, hitStrokeWidth: 24 });
  const fill = at.shape >= 0 ? outline(shape, { fill: colour("--picture-ground"), opacity: 0.45 }) : null;
  if (fill) layer.add(fill);
  for (const one of fill ? [fill, body] : [body]) one.on("pointerdown", (/** @type {any} */ event) => {
    event.cancelBubble = true;
    if (!same(at)) choose(at);
    const first = structuredClone(shapeAt(at));
    drag(event.evt, (dx, dy) => moved(first, dx, dy, limits()));
  });
  layer.add(body);
}

/** Where a handle is drawn: outside the shape, so that the finger hides neither corner nor edge. */
function handle(/** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ ox, /** @type {number} */ oy, /** @type {number} */ at, /** @type {any} */ pull) {
  const [cx, cy] = [toX(x), toY(y)];
  const room = (/** @type {number} */ value, /** @type {number} */ most) => Math.min(Math.max(value, HANDLE_PX + 2), most - HANDLE_PX - 2);
  const [hx, hy] = [room(cx + ox * AWAY_PX, stage.width()), room(cy + oy * AWAY_PX, stage.height())];
  layer.add(new Konva.Line({ points: [cx, cy, hx, hy], stroke: colour("--advice"), strokeWidth: 3, listening: false }));
  layer.add(new Konva.Circle({ x: cx, y: cy, radius: 4, fill: colour("--advice"), listening: false }));
  const ring = new Konva.Circle({
    x: hx,
    y: hy,
    radius: HANDLE_PX,
    name: "handle",
    fill: at === corner && shapeAt(chosen)?.kind === "polygon" ? colour("--advice") : colour("--picture-ink"),
    stroke: colour("--advice"),
    strokeWidth: 4,
    hitFunc: (/** @type {any} */ context, /** @type {any} */ node) => {
      context.beginPath();
      context.arc(0, 0, TOUCH_PX, 0, Math.PI * 2);
      context.closePath();
      context.fillStrokeShape(node);
    },
  });
  ring.on("pointerdown", (/** @type {any} */ event) => {
    event.cancelBubble = true;
    corner = at;
    drag(event.evt, pull, () => place(shapeAt(chosen), at));
  });
  layer.add(ring);
}

function handles() {
  const shape = shapeAt(chosen);
  if (!shape || !chosen) return;
  const first = structuredClone(shape);
  if (shape.kind === "polygon") {
    const [bx, by, bw, bh] = boxOf(shape);
    shape.points.forEach(([x, y], at) => {
      const [ox, oy] = [x - bx - bw / 2, y - by - bh / 2];
      const far = Math.hypot(ox, oy) || 1;
      handle(x, y, ox / far, oy / far, at, (dx, dy) => pulled(first, at, dx, dy, limits()));
    });
    return;
  }
  const [x, y, w, h] = shape.box;
  const slant = Math.SQRT1_2;
  const ends = [[x, y, -1, -1], [x + w, y, 1, -1], [x + w, y + h, 1, 1], [x, y + h, -1, 1]];
  ends.forEach(([px, py, ox, oy], at) => handle(px, py, ox * slant, oy * slant, at, (dx, dy) => pulled(first, at, dx, dy, limits())));
}

function draw() {
  ground.destroyChildren();
  layer.destroyChildren();
  const base = { x: view.x, y: view.y, width: width * view.scale, height: height * view.scale };
  if (picture) ground.add(new Konva.Image({ image: picture, ...base, imageSmoothingEnabled: view.scale < 2 }));
  ground.add(new Konva.Rect({ ...base, stroke: colour("--line"), strokeWidth: 1, listening: false }));
  regions().forEach((region, at) => {
    if (!mine(region)) return;
    add(region.box === "full" ? { kind: "rect", box: full() } : { kind: "rect", box: region.box }, { region: at, shape: -1 });
    if (region.within) add(region.within, { region: at, shape: -2 });
    (region.ignore ?? []).forEach((shape, number) => add(shape, { region: at, shape: number }));
    const [x, y] = region.box === "full" ? [0, 0] : region.box;
    const label = new Konva.Label({ x: Math.max(2, toX(x)), y: Math.max(2, toY(y)), listening: false });
    label.add(new Konva.Tag({ fill: colour("--picture-ground") }), new Konva.Text({ text: region.name, fontSize: 18, padding: 4, fill: colour("--picture-ink"), fontFamily: colour("--font") }));
    layer.add(label);
  });
  handles();
  side();
}

// -- the side ---------------------------------------------------------------------------------------------------------

function row(/** @type {string} */ text, /** @type {any} */ at, /** @type {string} */ small) {
  const key = document.createElement("button");
  key.type = "button";
  key.className = at.shape === -1 ? "key" : "key inner";
  key.setAttribute("aria-pressed", String(same(at)));
  const more = document.createElement("small");
  more.textContent = small;
  key.append(text, more);
  key.addEventListener("click", () => choose(at));
  return key;
}

const sized = (/** @type {any} */ shape) => {
  const [, , w, h] = boxOf(shape);
  return tell("size", { w, h });
};

function side() {
  const rows = [];
  regions().forEach((region, at) => {
    if (!mine(region)) return;
    rows.push(row(region.name, { region: at, shape: -1 }, region.box === "full" ? tell("full") : sized({ kind: "rect", box: region.box })));
    if (region.within) rows.push(row(tell("within"), { region: at, shape: -2 }, sized(region.within)));
    (region.ignore ?? []).forEach((shape, number) => rows.push(row(tell("ignore"), { region: at, shape: number }, sized(shape))));
  });
  $("list").replaceChildren(...rows);
  const shape = shapeAt(chosen);
  $("chosen").hidden = !shape;
  for (const id of ["add-rect", "add-ellipse", "add-polygon", "add-within", "add-within-polygon"]) $(id).disabled = !shape;
  $("undo").disabled = !history.canUndo;
  $("redo").disabled = !history.canRedo;
  $("judge") && ($("judge").disabled = posting || !shown.base);
  $("save").disabled = posting || !shown.base || !history.changed;
  say("saved", history.changed ? tell("unsaved") : tell("clean"));
  root.dataset.now = JSON.stringify(regions());
  root.dataset.view = JSON.stringify({ ...view, chosen });
  if (!shape || !chosen) return;
  const region = regions()[chosen.region];
  const box = boxOf(shape);
  ["x", "y", "w", "h"].forEach((id, at) => fill(id, box[at]));
  $("name-field").hidden = $("threshold-field").hidden = chosen.shape !== -1;
  fill("name", region.name);
  fill("threshold", region.threshold ?? "");
  $("corner-add").hidden = $("corner-drop").hidden = shape.kind !== "polygon";
}

const fill = (/** @type {string} */ id, /** @type {any} */ value) => document.activeElement === $(id) || ($(id).value = String(value));

function choose(/** @type {any} */ at) {
  chosen = at;
  corner = 0;
  draw();
  $("chosen").scrollIntoView({ block: "nearest" });
}

// -- fingers ----------------------------------------------------------------------------------------------------------

/** Follow the pointer; make: the shape for a way in picture pixels. about: the point that the loupe shows. */
function drag(/** @type {PointerEvent} */ event, /** @type {(dx: number, dy: number) => any} */ make, about = () => null) {
  const start = { x: event.clientX, y: event.clientY };
  const others = edges(regions(), chosen, shown.camera, width, height);
  let began = false;
  const move = (/** @type {PointerEvent} */ at) => {
    const [dx, dy] = [(at.clientX - start.x) / view.scale, (at.clientY - start.y) / view.scale];
    if (!began && Math.hypot(at.clientX - start.x, at.clientY - start.y) < 4) return;
    change(snapped(make, dx, dy, others, SNAP_PX / view.scale), { quiet: began });
    began = true;
    loupe(about(), at);
  };
  const end = () => {
    window.removeEventListener("pointermove", move);
    window.removeEventListener("pointerup", end);
    window.removeEventListener("pointercancel", end);
    $("loupe").hidden = true;
    draw();
  };
  window.addEventListener("pointermove", move);
  window.addEventListener("pointerup", end);
  window.addEventListener("pointercancel", end);
}

function loupe(/** @type {any} */ point, /** @type {PointerEvent} */ at) {
  const glass = /** @type {HTMLCanvasElement} */ ($("loupe"));
  if (!point || !picture) return;
  glass.hidden = false;
  glass.classList.toggle("right", at.clientX < stage.width() / 2);
  const context = /** @type {CanvasRenderingContext2D} */ (glass.getContext("2d"));
  const zoom = Math.max(LOUPE, LOUPE * view.scale);
  const part = glass.width / zoom;
  const [sx, sy] = [picture.naturalWidth / width, picture.naturalHeight / height];
  context.fillStyle = colour("--picture-ground");
  context.fillRect(0, 0, glass.width, glass.height);
  context.imageSmoothingEnabled = false;
  context.drawImage(picture, (point[0] - part / 2) * sx, (point[1] - part / 2) * sy, part * sx, part * sy, 0, 0, glass.width, glass.height);
  context.strokeStyle = colour("--advice");
  context.lineWidth = 2;
  const middle = glass.width / 2;
  context.strokeRect(middle - 0.5, 0, 1, glass.height);
  context.strokeRect(0, middle - 0.5, glass.width, 1);
}

/** @type {Map<number, {x: number, y: number}>} */
const fingers = new Map();
stage.on("pointerdown", (/** @type {any} */ event) => {
  fingers.set(event.evt.pointerId, { x: event.evt.clientX, y: event.evt.clientY });
});
window.addEventListener("pointermove", (event) => {
  const was = fingers.get(event.pointerId);
  if (!was) return;
  const now = { x: event.clientX, y: event.clientY };
  const [other] = [...fingers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
  if (other) {
    const far = Math.hypot(now.x - other.x, now.y - other.y) / (Math.hypot(was.x - other.x, was.y - other.y) || 1);
    const rect = $("stage").getBoundingClientRect();
    zoomBy(far, (now.x + other.x) / 2 - rect.left, (now.y + other.y) / 2 - rect.top);
  } else {
    view.x += now.x - was.x;
    view.y += now.y - was.y;
    view.own = true;
    draw();
  }
  fingers.set(event.pointerId, now);
});
for (const name of ["pointerup", "pointercancel"]) window.addEventListener(name, (event) => fingers.delete(/** @type {PointerEvent} */ (event).pointerId));
$("stage").addEventListener("wheel", (/** @type {WheelEvent} */ event) => {
  event.preventDefault();
  const rect = $("stage").getBoundingClientRect();
  zoomBy(event.deltaY < 0 ? 1.25 : 0.8, event.clientX - rect.left, event.clientY - rect.top);
}, { passive: false });

function zoomBy(/** @type {number} */ by, x = stage.width() / 2, y = stage.height() / 2) {
  const next = Math.min(40, Math.max(0.02, view.scale * by));
  view.x = x - ((x - view.x) * next) / view.scale;
  view.y = y - ((y - view.y) * next) / view.scale;
  view.scale = next;
  view.own = true;
  draw();
}

/** The band of an alarm takes room away: who has zoomed keeps the place. */
function resize() {
  if (view.own) {
    stage.size({ width: $("stage").clientWidth, height: $("stage").clientHeight });
    draw();
  } else fit();
}

function fit() {
  view.own = false;
  stage.size({ width: $("stage").clientWidth, height: $("stage").clientHeight });
  const pad = 60;
  view.scale = Math.min((stage.width() - pad) / (width || 1), (stage.height() - pad) / (height || 1));
  view.x = (stage.width() - width * view.scale) / 2;
  view.y = (stage.height() - height * view.scale) / 2;
  draw();
}

// -- keys -------------------------------------------------------------------------------------------------------------

function nudge(/** @type {number} */ dx, /** @type {number} */ dy) {
  const shape = shapeAt(chosen);
  if (shape) change(moved(shape, dx * step, dy * step, limits()));
}

for (const [id, dx, dy] of /** @type {[string, number, number][]} */ ([["up", 0, -1], ["down", 0, 1], ["left", -1, 0], ["right", 1, 0]])) {
  $(id).addEventListener("click", () => nudge(dx, dy));
}
$("step").addEventListener("click", () => {
  step = step === 1 ? 10 : 1;
  $("step").textContent = `${step} px`;
  $("step").setAttribute("aria-pressed", String(step === 10));
});
$("stage").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
  const way = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
  if (way) {
    event.preventDefault();
    nudge(way[0] * (event.shiftKey ? 10 : 1), way[1] * (event.shiftKey ? 10 : 1));
  }
});
$("undo").addEventListener("click", () => (history.undo(), settle()));
$("redo").addEventListener("click", () => (history.redo(), settle()));
document.addEventListener("keydown", (event) => {
  if (!event.ctrlKey || event.key.toLowerCase() !== "z" || event.target instanceof HTMLInputElement) return;
  event.preventDefault();
  if (event.shiftKey) history.redo();
  else history.undo();
  settle();
});
$("zoom-in").addEventListener("click", () => zoomBy(1.5));
$("zoom-out").addEventListener("click", () => zoomBy(1 / 1.5));
$("fit").addEventListener("click", fit);

function settle() {
  if (!shapeAt(chosen)) chosen = null;
  draw();
}

for (const [at, id] of ["x", "y", "w", "h"].entries()) {
  $(id).addEventListener("change", () => {
    const shape = shapeAt(chosen);
    const value = Math.round(Number($(id).value));
    if (!shape || !Number.isFinite(value)) return draw();
    const box = boxOf(shape);
    if (at < 2) return change(moved(shape, at === 0 ? value - box[0] : 0, at === 1 ? value - box[1] : 0, limits()));
    const [dx, dy] = [at === 2 ? value - box[2] : 0, at === 3 ? value - box[3] : 0];
    if (shape.kind !== "polygon") return change(pulled(shape, 2, dx, dy, limits()));
    draw();
  });
}
$("name").addEventListener("change", () => {
  if (!chosen) return;
  const next = structuredClone(regions());
  const name = $("name").value.trim().toLowerCase().replace(/[^a-z0-9_-]/g, "-").replace(/^[_-]+/, "").slice(0, 48);
  if (name && !next.some((/** @type {any} */ one, /** @type {number} */ at) => at !== chosen?.region && one.name === name)) {
    next[chosen.region].name = name;
    history.put(next);
  }
  $("name").value = next[chosen.region].name;
  draw();
});
$("threshold").addEventListener("change", () => {
  if (!chosen) return;
  const next = structuredClone(regions());
  const text = $("threshold").value.trim();
  if (text !== "" && !Number.isFinite(Number(text))) return;
  next[chosen.region].threshold = text === "" ? null : Number(text);
  history.put(next);
  draw();
});

/** A place of about a third of what is seen. */
function fresh(within = full()) {
  const [x, y, w, h] = within;
  const size = [Math.max(8, Math.round(w / 3)), Math.max(8, Math.round(h / 3))];
  return [x + Math.round((w - size[0]) / 2), y + Math.round((h - size[1]) / 2), size[0], size[1]];
}

$("add-region").addEventListener("click", () => {
  const next = structuredClone(regions());
  let number = next.length + 1;
  while (next.some((/** @type {any} */ one) => one.name === `region-${number}`)) number += 1;
  const many = Object.keys(shown.sizes).length > 1;
  const pattern = next.find(mine) ?? next[0] ?? {};
  next.push({ name: `region-${number}`, camera: many ? shown.camera : null, box: fresh(), threshold: null, bundle: pattern.bundle ?? null, limits: {}, ignore: [], within: null });
  history.put(next);
  choose({ region: next.length - 1, shape: -1 });
});

function addShape(/** @type {string} */ kind, /** @type {boolean} */ within) {
  if (!chosen) return;
  const next = structuredClone(regions());
  const region = next[chosen.region];
  const around = region.box === "full" ? full() : region.box;
  const box = within ? around : fresh(around);
  const [x, y, w, h] = box;
  const points = [[x + Math.round(w / 2), y], [x + w, y + Math.round(h / 3)], [x + w, y + h], [x, y + h], [x, y + Math.round(h / 3)]];
  const shape = kind === "polygon" ? { kind, points } : { kind, box };
  if (within) region.within = shape;
  else (region.ignore ??= []).push(shape);
  const at = { region: chosen.region, shape: within ? -2 : region.ignore.length - 1 };
  history.put(next);
  choose(at);
}
$("add-rect").addEventListener("click", () => addShape("rect", false));
$("add-ellipse").addEventListener("click", () => addShape("ellipse", false));
$("add-polygon").addEventListener("click", () => addShape("polygon", false));
$("add-within").addEventListener("click", () => addShape("ellipse", true));
$("add-within-polygon").addEventListener("click", () => addShape("polygon", true));

$("corner-add").addEventListener("click", () => {
  const shape = structuredClone(shapeAt(chosen));
  const [a, b] = [shape.points[corner], shape.points[(corner + 1) % shape.points.length]];
  if (shape.points.length >= 64) return;
  shape.points.splice(corner + 1, 0, [Math.round((a[0] + b[0]) / 2), Math.round((a[1] + b[1]) / 2)]);
  corner += 1;
  change(shape);
});
$("corner-drop").addEventListener("click", () => {
  const shape = structuredClone(shapeAt(chosen));
  if (shape.points.length <= 3) return;
  shape.points.splice(corner, 1);
  corner = 0;
  change(shape);
});
$("drop").addEventListener("click", () => {
  if (!chosen) return;
  const next = structuredClone(regions());
  if (chosen.shape === -1) next.splice(chosen.region, 1);
  else if (chosen.shape === -2) next[chosen.region].within = null;
  else next[chosen.region].ignore.splice(chosen.shape, 1);
  chosen = null;
  history.put(next);
  draw();
});

// -- the picture ------------------------------------------------------------------------------------------------------

/** Kept pictures, the newest first; before them the live one. */
function show(/** @type {number} */ at) {
  const all = [...shown.pictures];
  pictureAt = Math.min(Math.max(at, all.length ? 0 : -1), all.length - 1);
  const one = all[pictureAt];
  const image = new Image();
  image.onload = () => {
    picture = image;
    root.dataset.picture = String(one?.seq ?? 0);
    if (!width) {
      [width, height] = [image.naturalWidth, image.naturalHeight];
      fit();
    }
    draw();
  };
  image.onerror = () => say("which", tell("nolive"));
  image.src = one ? one.picture_url : shown.live;
  say("which", one ? `${word("part")} ${one.part} ${word(one.outcome)}` : word("live"));
  $("older").disabled = pictureAt >= all.length - 1;
  $("newer").disabled = pictureAt <= 0;
}
$("older").addEventListener("click", () => show(pictureAt + 1));
$("newer").addEventListener("click", () => show(pictureAt - 1));

// -- judging and saving -----------------------------------------------------------------------------------------------

const trouble = (/** @type {any} */ answer) => (answer.refused ? tell("refused") : answer.silent ? answer.detail || tell("silent") : answer.detail);

async function judgeNow() {
  posting = true;
  side();
  $("judged-parts").replaceChildren();
  say("judged-state", tell("judging"));
  $("judged").showModal();
  const answer = await post(shown.urls.judge, { job: shown.job, base: shown.base, regions: regions() });
  posting = false;
  side();
  if (!answer.done) return say("judged-state", trouble(answer));
  while ($("judged").open) {
    const seen = await fetch(`${shown.urls.judged}?work=${encodeURIComponent(answer.work)}`, { headers: { Accept: "application/json" } }).then((one) => (one.ok ? one.json() : { done: false, detail: tell("silent") }), () => ({ done: false, detail: tell("silent") }));
    const work = seen.work ?? {};
    if (!seen.done || work.state === "failed") return say("judged-state", seen.detail || work.detail || tell("silent"));
    if (work.share) say("judged-state", `${tell("judging")} ${Math.round(work.share * 100)} %`);
    if (seen.result) return parts(seen);
    await new Promise((next) => setTimeout(next, 500));
  }
}

function parts(/** @type {any} */ seen) {
  const all = seen.result.parts ?? [];
  const flips = all.filter((/** @type {any} */ one) => one.before.outcome !== one.after.outcome).length;
  say("judged-state", all.length ? tell("changed", { count: flips, all: all.length }) : tell("none"));
  $("judged-parts").replaceChildren(
    ...all.map((/** @type {any} */ one) => {
      const figure = document.createElement("figure");
      figure.classList.toggle("flipped", one.before.outcome !== one.after.outcome);
      const image = document.createElement("img");
      image.alt = "";
      const small = seen.thumbs?.[one.seq];
      if (small) image.src = small;
      const text = document.createElement("figcaption");
      const was = document.createElement("div");
      was.append(makeShape(shapeOf[one.before.outcome] ?? "dash"), ` ${tell("before")} ${word(one.before.outcome)}`);
      const is = document.createElement("b");
      is.append(makeShape(shapeOf[one.after.outcome] ?? "dash"), ` ${tell("after")} ${word(one.after.outcome)}`);
      const score = document.createElement("div");
      score.textContent = `${Number(one.after.score).toFixed(3)} / ${Number(one.after.threshold).toFixed(3)}`;
      text.append(was, is, score);
      figure.append(image, text);
      return figure;
    }),
  );
}
$("judge")?.addEventListener("click", judgeNow);

$("save").addEventListener("click", () => {
  say("saving-state", "");
  $("save-now").disabled = false;
  $("to-change").hidden = true;
  $("saving").showModal();
});
$("save-now").addEventListener("click", async () => {
  posting = true;
  $("save-now").disabled = true;
  const drawn = structuredClone(regions());
  const place_ = shown.draft ? `${shown.urls.save}?draft=${encodeURIComponent(shown.draft)}` : shown.urls.save;
  const answer = await post(place_, { job: shown.job, base: shown.base, regions: drawn, old: shown.regions, reason: $("reason").value });
  posting = false;
  $("save-now").disabled = answer.done;
  if (answer.conflict) say("saving-state", tell("conflict", { revision: answer.conflict }));
  else if (!answer.done) say("saving-state", trouble(answer));
  else {
    shown.base = answer.revision ?? answer.draft?.revision ?? shown.base + 1;
    shown.regions = drawn;
    history.saved(drawn);
    say("saving-state", shown.draft ? tell("kept") : tell("saved", { revision: shown.base, job: answer.job ?? shown.job }));
    if (answer.href && !shown.draft) {
      $("to-change").href = answer.href;
      $("to-change").hidden = false;
    }
  }
  side();
});

window.addEventListener("beforeunload", (event) => history.changed && event.preventDefault());
new ResizeObserver(resize).observe($("stage"));
show(0);
chosen = regions().some(mine) ? { region: regions().findIndex(mine), shape: -1 } : null;
fit();
