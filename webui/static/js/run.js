// The Run screen. Picture, overlay and verdict always carry one part number: they are put up together or not at all.
import { bitmapOf } from "./bitmap.js";
import { events } from "./frame.js";
import { PictureView } from "./picture.js";
import { codeLine, ViewKeys } from "./views.js";
import { makeShape, say, setShape, shapeOf, word } from "./words.js";

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const run = byId("run");
const urls = run.dataset;
const holdMs = Number(urls.holdMs);
const view = new PictureView(/** @type {HTMLCanvasElement} */ (byId("canvas")));
const LATE_MS = 1200;
const REMEMBERED = 24;

/** live: the newest part · held: the last NG · frozen: stays whatever comes */
let mode = "live";
/** @type {any} */
let shown = null;
/** @type {any} */
let lastNg = null;
let heldUntil = 0;
/** @type {Map<number, any>} results that came by event, by the number of their picture */
const results = new Map();
/** @type {{frame: number, bitmap: ImageBitmap, overlay: ImageBitmap | null} | null} */
let newestPicture = null;
/** @type {{result: any, bitmap: ImageBitmap | null, overlay: ImageBitmap | null} | null} the newest part of all, shown or not */
let newestPart = null;
/** @type {any} */
let waiting = null;
/** camera whose picture stands in place of the deciding one; empty: none does */
let swapped = "";

// ---- putting one part on the screen

function put(/** @type {any} */ result, /** @type {ImageBitmap | null} */ bitmap, /** @type {ImageBitmap | null} */ overlay) {
  if (mode === "frozen" && swapped && shown?.result.key === result.key) {
    // More is known of the part; the picture that was asked for stays.
    shown.result = result;
    write(result);
    return;
  }
  swapped = "";
  shown = { result, bitmap, overlay };
  view.show(result, bitmap, overlay);
  write(result);
  const empty = byId("picture-empty");
  empty.hidden = Boolean(bitmap);
  say("picture-empty", word("no_picture"));
  say("caption-part", result.part ? [`${word("part")} ${result.part}`, result.camera].filter(Boolean).join(" · ") : word("free_run"));
  say("caption-codes", codeLine(result));
  keys.show(viewsOf(result), result.camera);
}

// ---- the pictures of the other cameras

const keys = new ViewKeys(byId("views"), (camera) => void swap(camera));

/** The address of one camera's picture of a part. */
function urlOf(/** @type {any} */ result, /** @type {any} */ one) {
  if (one.picture_url) return one.picture_url;
  return result.frame ? `${urls.frame}?frame=${result.frame}&camera=${encodeURIComponent(one.camera)}` : null;
}

function viewsOf(/** @type {any} */ result) {
  if (!result.views?.length) return [];
  return [result, ...result.views].map((one) => ({
    camera: one.camera,
    outcome: one === result && result.score === null ? "" : one.outcome ?? "",
    url: one.thumb_url ?? urlOf(result, one),
  }));
}

/** Another camera's picture of the part on the screen, which stays until the picture is touched. */
async function swap(/** @type {string} */ camera) {
  if (!shown) return;
  const { result, bitmap, overlay } = shown;
  swapped = camera === result.camera ? "" : camera;
  if (mode !== "frozen") {
    heldUntil = 0;
    setMode("frozen");
  }
  const one = result.views.find((/** @type {any} */ view) => view.camera === camera);
  let [picture, heat] = [bitmap, overlay];
  if (one) {
    picture = (await bitmapOf(one.picture_url)) ?? (await keys.picture(camera));
    const over = `${urls.overlay}?frame=${result.frame}&part=${result.part}&camera=${encodeURIComponent(camera)}`;
    heat = picture && one.overlay ? await overlayOf(over, String(result.part)) : null;
  }
  if (shown?.result.key !== result.key || mode !== "frozen" || (swapped || result.camera) !== camera) return; // the next part has come
  const place = one ? { defects: one.defects ?? [], width: one.width, height: one.height, camera } : {};
  view.show({ ...result, ...place }, picture, heat);
  byId("picture-empty").hidden = Boolean(picture);
  say("caption-part", [`${word("part")} ${result.part}`, camera].join(" · "));
  keys.show(viewsOf(result), camera);
}

function write(/** @type {any} */ result) {
  const box = byId("verdict");
  const text = result.outcome ? word(result.outcome) : "–";
  box.dataset.outcome = result.outcome;
  box.dataset.part = String(result.part);
  box.dataset.long = text.length > 4 ? "yes" : "no";
  setShape(byId("verdict-shape"), shapeOf[/** @type {"OK"} */ (result.outcome)] ?? "dash");
  say("verdict-word", text);
  say("verdict-action", result.action ? word(result.action) : "");
  say("verdict-why", result.why ? word(`why.${result.why}`) : result.outcome ? word("deciding") : "");
  const unacked = result.delivery === "unconfirmed" ? [word("unconfirmed")] : [];
  say("verdict-reason", [...result.reasons.slice(0, 1), ...unacked].join(" · "));
  const judged = result.score !== null && result.threshold > 0;
  say("score", judged ? result.score.toFixed(2) : "–");
  say("limit", judged ? result.threshold.toFixed(2) : "–");
  writeTime(result);
  const fill = byId("bar-fill");
  fill.setAttribute("width", String(judged ? Math.min(400, Math.max(0, (result.score / result.threshold) * 200)) : 0));
  fill.setAttribute("class", judged && result.score > result.threshold ? "bar-fill over" : "bar-fill");
}

/** "43 ms of 120 ms", and the bar that is full at the deadline. */
function writeTime(/** @type {any} */ result) {
  const [ms, budget] = [result.verdict_ms, result.budget_ms];
  const known = ms !== null && ms !== undefined;
  const text = known && budget ? word("verdict.of_ms", { ms: Math.round(ms), budget: Math.round(budget) }) : known ? word("ms", { ms: Math.round(ms) }) : "–";
  say("took", text);
  const fill = byId("time-fill");
  fill.setAttribute("width", String(known && budget ? Math.min(400, (ms / budget) * 400) : 0));
  fill.setAttribute("class", known && budget && ms > budget ? "bar-fill over" : "bar-fill");
}

function setMode(/** @type {string} */ next) {
  mode = next;
  byId("picture").dataset.mode = next;
  say("mode", word(next));
  say("caption-hint", word(next === "frozen" ? "frozen.hint" : "freeze.hint"));
  byId("half-live").classList.toggle("on", next === "live");
  byId("half-ng").classList.toggle("on", next === "held");
}

/** A live part. An NG stays up for a while, so that a person sees why. */
function offer(/** @type {any} */ result, /** @type {ImageBitmap | null} */ bitmap, /** @type {ImageBitmap | null} */ overlay) {
  if (result.outcome === "NG" && (bitmap || !lastNg || lastNg.result.key !== result.key)) lastNg = { result, bitmap, overlay };
  newestPart = { result, bitmap, overlay };
  if (mode === "frozen" || (mode === "held" && !heldUntil)) return;
  const now = performance.now();
  if (mode === "held" && now < heldUntil && result.outcome !== "NG" && result.key !== shown?.result.key) return;
  if (result.outcome === "NG" && holdMs > 0) {
    if (shown?.result.key !== result.key || mode !== "held") heldUntil = now + holdMs;
    setMode("held");
  } else if (mode === "held") {
    heldUntil = 0;
    setMode("live");
  }
  put(result, bitmap, overlay);
}

// ---- results by event, pictures by long-poll, joined by the picture's number

events.on("result", (result) => {
  waiting = null;
  if (result.frame) {
    results.set(result.frame, result);
    if (results.size > REMEMBERED) results.delete(results.keys().next().value ?? 0);
  }
  if (shown?.result.key === result.key && (shown.bitmap || !result.frame)) {
    put(result, shown.bitmap, shown.overlay); // the same part, now with its disposition
    if (newestPart?.result.key === result.key) newestPart.result = result;
    if (lastNg?.result.key === result.key) lastNg.result = result;
  } else if (!result.frame) offer(result, null, null);
  else if (newestPicture?.frame === result.frame) offer(result, newestPicture.bitmap, newestPicture.overlay);
  else waiting = { result, at: performance.now() };
});

events.on("state", (state) => {
  const [first, ...others] = state.drift;
  byId("advice").hidden = !first;
  say("advice-title", first ? [first.title, first.camera].filter(Boolean).join(" · ") : "");
  say("advice-what", first?.what ?? "");
  say("advice-todo", first?.todo ?? "");
  say("advice-more", others.length ? word("more", { count: others.length }) : "");
});

events.on("last_ng", (result) => {
  if (lastNg?.result.key !== result.key) return;
  lastNg.result = result;
  if (shown?.result.key === result.key) put(result, shown.bitmap, shown.overlay);
});

setInterval(() => {
  const now = performance.now();
  // A picture that does not come must not keep the verdict from the screen.
  if (waiting && now - waiting.at > LATE_MS) {
    const { result } = waiting;
    waiting = null;
    offer(result, null, null);
  }
  if (mode === "held" && heldUntil && now >= heldUntil) {
    heldUntil = 0;
    setMode("live");
    // Not the newest picture: the newest part may have none, and must not be hidden behind an older one.
    if (newestPart) put(newestPart.result, newestPart.bitmap, newestPart.overlay);
  }
}, 100);

const sleep = (/** @type {number} */ ms) => new Promise((done) => setTimeout(done, ms));

async function overlayOf(/** @type {string} */ url, /** @type {string} */ part) {
  const answer = await fetch(url);
  if (!answer.ok) return null;
  if (answer.headers.get("X-Part") !== null && answer.headers.get("X-Part") !== part) return null;
  return createImageBitmap(await answer.blob());
}

async function follow() {
  let after = 0;
  for (;;) {
    if (document.hidden) {
      await sleep(500);
      continue;
    }
    try {
      const answer = await fetch(`${urls.frame}?after=${after}`, { cache: "no-store" });
      if (answer.status !== 200) {
        await sleep(answer.headers.has("Retry-After") ? 3000 : answer.ok ? 50 : 1000);
        continue;
      }
      const frame = Number(answer.headers.get("X-Frame"));
      const part = answer.headers.get("X-Part") ?? "";
      const bitmap = await createImageBitmap(await answer.blob());
      const overlay = await overlayOf(`${urls.overlay}?frame=${frame}&part=${part}`, part);
      after = frame;
      newestPicture = { frame, bitmap, overlay };
      const result = results.get(frame);
      if (result) {
        if (waiting?.result.frame === frame) waiting = null;
        offer(result, bitmap, overlay);
      }
    } catch {
      await sleep(1000);
    }
  }
}

// ---- film strip

const film = byId("film");
/** @type {any[]} */
let liveTiles = [];
/** @type {any[]} */
let storedTiles = [];
let askAt = -Infinity;

events.on("film", (payload) => {
  liveTiles = payload.tiles;
  drawFilm();
  if (liveTiles.some((tile) => !tile.thumb && tile.width)) setTimeout(askFilm, 1500);
});

async function askFilm() {
  if (performance.now() - askAt < 1000) return;
  askAt = performance.now();
  try {
    const answer = await fetch(/** @type {string} */ (urls.film));
    if (answer.ok) storedTiles = (await answer.json()).tiles;
    drawFilm();
  } catch {
    // The strip stays as it is; the guard over the events says when the server is gone.
  }
}

function drawFilm() {
  const stored = new Map(storedTiles.map((tile) => [tile.part, tile]));
  const live = liveTiles.map((tile) => ({
    ...tile,
    thumb_url: tile.thumb ? `/thumb/${tile.key}.jpg` : stored.get(tile.part)?.thumb_url,
    href: `/rejects/part/${tile.part}`,
  }));
  const known = new Set(live.map((tile) => tile.part));
  const tiles = [...live, ...storedTiles.filter((tile) => !known.has(tile.part))].slice(0, 8);
  const children = tiles.map(makeTile);
  while (children.length < 8) {
    const empty = document.createElement("div");
    empty.className = "tile empty";
    children.push(empty);
  }
  film.replaceChildren(...children);
  fitFilm();
}

/** What has no place in the one row is not there: half a tile is no target. */
function fitFilm() {
  const columns = getComputedStyle(film).gridTemplateColumns.split(" ").length;
  [...film.children].forEach((tile, n) => (/** @type {HTMLElement} */ (tile).hidden = n >= columns));
}
new ResizeObserver(fitFilm).observe(film);

function makeTile(/** @type {any} */ tile) {
  const link = document.createElement("a");
  link.className = "tile";
  // Who may say whether it was a real defect is asked at once; all about the part is one touch further.
  link.href = urls.confirm && tile.why === "ng" ? `${urls.confirm}?part=${tile.part}` : tile.href;
  link.setAttribute("aria-label", `${word("part")} ${tile.part} ${word(tile.outcome)}`);
  if (tile.thumb_url) {
    const image = document.createElement("img");
    image.src = tile.thumb_url;
    image.alt = "";
    link.append(image);
  } else {
    const none = document.createElement("span");
    none.className = "tile-none";
    none.append(makeShape("nopicture"));
    link.append(none);
  }
  const tag = document.createElement("span");
  tag.className = "tile-tag";
  tag.append(makeShape(shapeOf[/** @type {"NG"} */ (tile.outcome)] ?? "dash"), document.createTextNode(String(tile.part)));
  link.append(tag);
  return link;
}

// ---- keys

byId("key-view").addEventListener("click", async () => {
  if (mode !== "live") {
    heldUntil = 0;
    setMode("live");
    if (newestPart) put(newestPart.result, newestPart.bitmap, newestPart.overlay);
    return;
  }
  if (!lastNg?.bitmap) lastNg = (await storedNg()) ?? lastNg;
  if (!lastNg) {
    say("caption-part", word("none_ng"));
    return;
  }
  heldUntil = 0;
  setMode("held");
  put(lastNg.result, lastNg.bitmap, lastNg.overlay);
});

async function storedNg() {
  const answer = await fetch(/** @type {string} */ (urls.lastNg));
  const result = answer.ok ? await answer.json() : null;
  if (!result) return null;
  const bitmap = await bitmapOf(result.picture_url);
  const overlay = result.overlay_url ? await overlayOf(result.overlay_url, String(result.part)) : null;
  return { result, bitmap, overlay };
}

byId("key-overlay").addEventListener("click", () => {
  view.setOverlay(!view.overlayOn);
  byId("key-overlay").setAttribute("aria-pressed", String(view.overlayOn));
});

byId("key-zoom").addEventListener("click", () => {
  const zoomed = view.toggleZoom();
  byId("key-zoom").setAttribute("aria-pressed", String(zoomed));
  say("key-zoom", word(zoomed ? "fit" : "zoom"));
});

/** A touch freezes, a drag pans. */
let touched = { x: 0, y: 0 };
byId("picture").addEventListener("pointerdown", (event) => (touched = { x: event.clientX, y: event.clientY }), true);
byId("picture").addEventListener("click", (event) => {
  if (Math.hypot(event.clientX - touched.x, event.clientY - touched.y) > 12) return;
  freeze();
});
byId("picture").addEventListener("keydown", (event) => {
  if (event.key === "Enter" || event.key === " ") freeze();
});

function freeze() {
  heldUntil = 0;
  if (mode !== "frozen") {
    setMode("frozen");
    return;
  }
  setMode("live");
  if (newestPart) put(newestPart.result, newestPart.bitmap, newestPart.overlay);
}

drawFilm();
void askFilm();
void follow();
