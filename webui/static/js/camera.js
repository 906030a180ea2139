// Set-up of a camera: live picture with zoom, sharpness and levels of a place, features in steps; a session while it lasts.
import "./frame.js";
import "./pad.js";
import Panzoom from "../vendor/panzoom-4.6.2/panzoom.es.js";
import { post, postLast } from "./posting.js";
import { makeShape, say, teller } from "./words.js";

const root = /** @type {HTMLElement} */ (document.getElementById("camera"));
const shown = JSON.parse(/** @type {string} */ (root.dataset.shown));
const $ = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));
const tell = teller(shown.words);

const canvas = /** @type {HTMLCanvasElement} */ ($("canvas"));
const panzoom = Panzoom(canvas, { maxScale: 20, minScale: 1, panOnlyWhenZoomed: true, cursor: "" });
let live = false;
let busy = false;
let number = 0;
/** Place that is measured, in pixels of the picture; empty: all of it. */
let box = "";
let reset = false;
let size = [0, 0];
/** @type {any[]} */
let features = [];
/** @type {Map<string, any>} */
const before = new Map();

const place = () => (box ? `&box=${box}` : "") + (reset ? "&reset=1" : "");

async function pictures() {
  for (;;) {
    if (document.hidden) {
      await new Promise((next) => setTimeout(next, 500));
      continue;
    }
    try {
      const asked = place();
      const answer = await fetch(`${shown.picture}?after=${number}${asked}`, { cache: "no-store" });
      if (asked.includes("reset")) reset = false;
      if (answer.status === 200) {
        number = Number(answer.headers.get("X-Number"));
        size = (answer.headers.get("X-Size") ?? "0,0").split(",").map(Number);
        const bitmap = await createImageBitmap(await answer.blob());
        if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
        canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
        root.dataset.picture = String(number);
        say("note", `${size[0]} × ${size[1]} · ${tell("age", { age: (Number(answer.headers.get("X-Age-Ms")) / 1000).toFixed(1) })}`);
        frameBox();
        await measure();
      } else if (answer.status !== 204) throw new Error(String(answer.status));
      else if (!number) say("note", tell("none"));
    } catch {
      await new Promise((next) => setTimeout(next, 1000));
    }
    await new Promise((next) => setTimeout(next, 30));
  }
}

async function measure() {
  const found = await fetch(`${shown.measured}?${place().slice(1)}`, { cache: "no-store" }).then((one) => one.json());
  if (!found) return;
  const share = found.peak > 0 ? found.focus / found.peak : 0;
  $("focus-now").setAttribute("width", String(Math.round(300 * Math.min(1, share))));
  say("focus", found.focus.toFixed(1));
  say("peak", found.peak.toFixed(1));
  say("trend", tell(found.trend));
  say("clipped", tell("clipped", { share: (100 * found.clipped).toFixed(1) }));
  say("dark", tell("dark", { share: (100 * found.dark).toFixed(1) }));
  say("mean", tell("mean", { level: found.mean.toFixed(0) }));
  const channels = found.channels;
  const most = Math.max(1, ...channels.flatMap((/** @type {any} */ one) => one[1]));
  root.querySelector(".levels")?.setAttribute("data-channels", String(channels.length));
  ["level-a", "level-b", "level-c"].forEach((id, at) => {
    const counts = channels[at]?.[1] ?? [];
    const path = counts.map((/** @type {number} */ count, /** @type {number} */ bin) => `V${(80 - (80 * Math.sqrt(count / most))).toFixed(1)}H${(bin + 1) * 4}`).join("");
    $(id).setAttribute("d", path ? `M0 80${path}V80Z` : "");
  });
}

// -- the place that is measured ---------------------------------------------------------------------------------------

let picking = false;
$("pick").addEventListener("click", () => {
  if (box) {
    [box, reset] = ["", true];
    frameBox();
  } else picking = !picking;
  $("pick").setAttribute("aria-pressed", String(picking || box !== ""));
  $("stage").classList.toggle("picking", picking);
  panzoom.setOptions({ disablePan: picking });
});

const toPicture = (/** @type {PointerEvent} */ event) => {
  const rect = canvas.getBoundingClientRect();
  const at = [((event.clientX - rect.left) / rect.width) * size[0], ((event.clientY - rect.top) / rect.height) * size[1]];
  return at.map((value, axis) => Math.round(Math.min(Math.max(value, 0), size[axis])));
};

$("stage").addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
  if (!picking || !size[0]) return;
  const start = toPicture(event);
  const move = (/** @type {PointerEvent} */ at) => {
    const [x, y] = toPicture(at);
    box = [Math.min(start[0], x), Math.min(start[1], y), Math.abs(x - start[0]), Math.abs(y - start[1])].join(",");
    frameBox();
  };
  const end = () => {
    window.removeEventListener("pointermove", move);
    window.removeEventListener("pointerup", end);
    const [, , w, h] = box.split(",").map(Number);
    if (!(w >= 20 && h >= 20)) box = "";
    [picking, reset] = [false, true];
    $("pick").setAttribute("aria-pressed", String(box !== ""));
    $("stage").classList.remove("picking");
    panzoom.setOptions({ disablePan: false });
    frameBox();
  };
  window.addEventListener("pointermove", move);
  window.addEventListener("pointerup", end);
});

function frameBox() {
  const frame = $("box");
  frame.hidden = !box;
  root.dataset.box = box;
  if (!box || !size[0]) return;
  const [x, y, w, h] = box.split(",").map(Number);
  const [rect, stage] = [canvas.getBoundingClientRect(), $("stage").getBoundingClientRect()];
  const [sx, sy] = [rect.width / size[0], rect.height / size[1]];
  frame.style.left = `${rect.left - stage.left + x * sx}px`;
  frame.style.top = `${rect.top - stage.top + y * sy}px`;
  frame.style.width = `${w * sx}px`;
  frame.style.height = `${h * sy}px`;
}
$("reset").addEventListener("click", () => (reset = true));
canvas.addEventListener("panzoomchange", frameBox);
$("zoom-in").addEventListener("click", () => panzoom.zoomIn({ animate: false }));
$("zoom-out").addEventListener("click", () => panzoom.zoomOut({ animate: false }));
$("fit").addEventListener("click", () => panzoom.reset({ animate: false }));
$("stage").addEventListener("wheel", (/** @type {WheelEvent} */ event) => panzoom.zoomWithWheel(event), { passive: false });

// -- the camera's features --------------------------------------------------------------------------------------------

function trouble(/** @type {any} */ answer) {
  const text = answer.done ? "" : answer.refused ? tell("refused") : answer.detail || tell("silent");
  $("trouble").hidden = !text;
  say("trouble-text", text);
  return !text;
}

function take(/** @type {any} */ answer) {
  if (!trouble(answer)) return state();
  live = answer.live;
  before.clear();
  for (const each of answer.changed ?? []) before.set(each.name, each.was);
  for (const each of answer.features ?? []) {
    const at = features.findIndex((one) => one.name === each.name);
    if (at < 0) features.push(each);
    else features[at] = each;
  }
  draw();
  state();
}

function state() {
  $("live").setAttribute("aria-pressed", String(live));
  const lamp = $("live-state");
  lamp.replaceChildren(makeShape(live ? "diamond" : "dash"), live ? tell("on") : tell("off"));
  const changed = before.size;
  say("changed", live ? (changed ? tell("changed", { count: changed }) : tell("unchanged")) : $("changed").dataset.said ?? "");
  for (const id of ["apply", "save"]) $(id).disabled = busy || !live || !changed;
  $("revert").disabled = busy || !live;
  $("live").disabled = busy;
  root.dataset.live = String(live);
  root.dataset.changed = JSON.stringify([...before]);
}

const format = (/** @type {any} */ value) => (typeof value === "number" && !Number.isInteger(value) ? String(Number(value.toPrecision(7))) : typeof value === "boolean" ? tell(String(value)) : String(value));

function draw() {
  const held = document.activeElement?.id;
  $("features").replaceChildren(...features.map(row));
  if (held) document.getElementById(held)?.focus();
}

function row(/** @type {any} */ each) {
  const line = document.createElement("div");
  line.className = before.has(each.name) ? "feature changed" : "feature";
  line.dataset.name = each.name;
  const title = document.createElement("label");
  title.className = "what";
  title.htmlFor = `f-${each.name}`;
  title.textContent = shown.titles[each.name.replace(/Abs$/, "")] ?? each.name;
  const about = document.createElement("div");
  about.className = "span";
  const was = before.has(each.name) ? ` · ${tell("was", { value: format(before.get(each.name)) })}` : "";
  about.textContent = `${each.name}${each.allowed && each.kind !== "choice" ? ` · ${each.low !== null ? `${format(each.low)} … ${format(each.high)} ${each.unit}` : ""}` : ""}${was}`;
  title.append(about);
  line.append(title, control(each));
  return line;
}

function control(/** @type {any} */ each) {
  const locked = !live || !each.writable || each.fixed || busy;
  if (each.kind === "choice" || each.kind === "boolean") {
    const list = document.createElement("select");
    list.id = `f-${each.name}`;
    list.disabled = locked;
    for (const choice of each.kind === "boolean" ? [true, false] : each.choices) {
      const option = new Option(format(choice), String(choice), false, choice === each.value);
      list.append(option);
    }
    list.addEventListener("change", () => write(each, each.kind === "boolean" ? list.value === "true" : list.value));
    return list;
  }
  if (each.kind !== "integer" && each.kind !== "float") {
    const text = document.createElement("b");
    text.id = `f-${each.name}`;
    text.textContent = each.value === null ? "–" : format(each.value);
    return text;
  }
  const steps = document.createElement("div");
  steps.className = "stepper";
  const field = document.createElement("input");
  field.id = `f-${each.name}`;
  field.type = "number";
  field.inputMode = "decimal";
  field.step = "any";
  field.disabled = locked;
  field.value = each.value === null ? "" : format(each.value);
  field.addEventListener("change", () => write(each, Number(field.value)));
  const key = (/** @type {string} */ sign, /** @type {number} */ way) => {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "key";
    made.textContent = sign;
    made.disabled = locked;
    made.setAttribute("aria-label", `${sign} ${each.name}`);
    made.addEventListener("click", () => write(each, stepped(each, way)));
    return made;
  };
  if (each.writable || !locked) steps.append(key("−", -1), field, key("+", 1));
  else steps.append(field);
  return steps;
}

/** The next value: a tenth of it, in whole steps of the camera, inside its limits. @param {any} each @param {number} way */
function stepped(each, way) {
  const span = each.low !== null && each.high !== null ? each.high - each.low : 0;
  const rough = each.name.startsWith("Exposure") || each.name.endsWith("Delay") || each.name.includes("Debouncer") ? Math.max(Math.abs(each.value) / 10, 1) : Math.min(span / 50 || 1, 0.5);
  const least = each.step || (each.kind === "integer" ? 1 : 0);
  const by = least ? Math.max(least, Math.round(rough / least) * least) : rough;
  const next = each.value + way * by;
  const inside = Math.min(each.high ?? next, Math.max(each.low ?? next, next));
  return each.kind === "integer" ? Math.round(inside) : Number(inside.toPrecision(9));
}

async function during(/** @type {() => Promise<any>} */ work) {
  if (busy) return;
  busy = true;
  state();
  const answer = await work();
  busy = false;
  return answer;
}

async function write(/** @type {any} */ each, /** @type {any} */ value) {
  if (typeof value === "number" && !Number.isFinite(value)) return draw();
  const answer = await during(() => post(shown.urls.write, { values: [[each.name, value]], old: { [each.name]: each.value } }));
  if (answer) take(answer);
  if (answer?.done && each.name.endsWith("Selector")) await read();
  if (answer && !answer.done) draw();
}

async function read() {
  const answer = await fetch(shown.urls.features, { headers: { Accept: "application/json" } }).then((one) => (one.ok ? one.json() : { done: false, refused: one.status }), () => ({ done: false, silent: true }));
  take(answer);
}

async function run(/** @type {boolean} */ on, confirmed = false) {
  const answer = await during(() => post(shown.urls.live, { on, confirmed }));
  if (!answer) return;
  take(answer);
  await read();
}

$("live").addEventListener("click", async () => {
  if (live) return run(false);
  const found = await fetch(shown.urls.features).then((one) => one.json(), () => ({}));
  if (found.inspecting === true) {
    say("sure-text", tell("confirm"));
    $("sure").showModal();
  } else await run(true);
});
$("sure-yes").addEventListener("click", () => {
  $("sure").close();
  void run(true, true);
});

async function finish(/** @type {object} */ body, /** @type {string} */ said) {
  const answer = await during(() => post(shown.urls.write, body));
  if (!answer) return;
  take(answer);
  if (answer.done) {
    $("changed").dataset.said = tell(said);
    await read();
  }
}
$("revert").addEventListener("click", () => finish({ revert: true }, "reverted"));
$("apply").addEventListener("click", () => finish({ apply: true, old: Object.fromEntries(before) }, "applied"));

const changes = () => Object.fromEntries(features.filter((each) => before.has(each.name)).map((each) => [each.name, each.value]));
$("save").addEventListener("click", () => {
  $("saving-values").replaceChildren(...Object.entries(changes()).map(([name, value]) => Object.assign(document.createElement("li"), { textContent: `${shown.titles[name] ?? name}: ${format(before.get(name))} → ${format(value)}` })));
  say("saving-state", "");
  $("save-now").disabled = false;
  $("saving").showModal();
});
$("save-now").addEventListener("click", async () => {
  $("save-now").disabled = true;
  const answer = await during(() => post(shown.urls.save, { values: changes(), reason: $("reason").value }));
  state();
  if (!answer?.done) {
    $("save-now").disabled = false;
    return say("saving-state", answer?.refused ? tell("refused") : answer?.detail || tell("silent"));
  }
  say("saving-state", tell("saved", { revision: answer.revision, job: answer.job }));
  await finish({ revert: true }, "reverted");
});

async function lens() {
  const found = await fetch(shown.urls.lens).then((one) => one.json(), () => ({}));
  const rows = [];
  for (const [name, value] of Object.entries({ ...(found.section ?? {}), ...(found.section?.develop ?? {}) })) {
    if (value === null || name === "develop" || (typeof value === "object" && !Object.keys(value).length)) continue;
    rows.push(Object.assign(document.createElement("dt"), { textContent: name }), Object.assign(document.createElement("dd"), { textContent: typeof value === "object" ? JSON.stringify(value) : String(value) }));
  }
  $("lens").replaceChildren(...rows);
}

// Live goes on for as long as this page is open: without it the camera works again by itself.
setInterval(() => live && !busy && !document.hidden && post(shown.urls.live, { on: true, confirmed: true }).then((answer) => {
  if (answer.done && !answer.live !== !live) take(answer);
  else if (!answer.done) trouble(answer);
}), 8000);
window.addEventListener("pagehide", () => live && postLast(shown.urls.live, { on: false }));
void read();
void pictures();
void lens();
