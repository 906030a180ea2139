// Really a defect? The next picture is up at once; what could not be saved comes back and says so.
import { bitmapOf } from "./bitmap.js";
import { localTime } from "./frame.js";
import { PictureView } from "./picture.js";
import { newId, post, whyNot } from "./posting.js";
import { say, word } from "./words.js";

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const page = byId("confirm");
const urls = page.dataset;
const first = JSON.parse(/** @type {string} */ (urls.queue));
const view = new PictureView(/** @type {HTMLCanvasElement} */ (byId("canvas")));
/** A glove that bounces must not judge a picture nobody has seen yet. */
const DWELL_MS = 350;
const FEW = 4;
const SWAPPED = "okng-confirm-swapped";

/** @type {any[]} what is to be judged; the first is on the screen */
let queue = first.items;
let { total, done } = first;
let history = first.history;
let shownAt = 0;
let showing = 0;
let filling = false;
/** @type {{item: any, truth: string, kind: string, n: number}[]} what can be taken back, the last at the end */
const said = first.last ? [{ item: { seq: first.last.seq, part: first.last.part }, ...first.last }] : [];
/** @type {Map<number, any>} labels under way, by part */
const pending = new Map();
/** @type {Map<number, Promise<[ImageBitmap | null, ImageBitmap | null]>>} */
const pictures = new Map();

function pictureOf(/** @type {any} */ item) {
  const known = pictures.get(item.seq);
  if (known) return known;
  const made = Promise.all([bitmapOf(item.picture_url), bitmapOf(item.overlay_url)]);
  pictures.set(item.seq, made);
  return made;
}

async function show() {
  const item = queue[0];
  const turn = ++showing;
  const tiles = /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll(".tile-truth"));
  byId("facts").hidden = !item;
  count();
  if (!item) {
    for (const tile of tiles) tile.disabled = true;
    view.show(null, null, null);
    page.dataset.seq = "";
    empty(word(history ? "confirm.nothing" : "confirm.no_history"));
    return;
  }
  const [picture, overlay] = await pictureOf(item);
  if (turn !== showing) return;
  // Picture, overlay and words are put up together.
  view.show(item, picture, overlay);
  if (view.zoomed) view.toggleZoom(), view.toggleZoom();
  page.dataset.seq = String(item.seq);
  empty(picture ? "" : word("confirm.shed"));
  say("part", [`${word("part")} ${item.part}`, item.serial].filter(Boolean).join(" · "));
  say("when", localTime(Date.parse(item.taken_at)));
  say("score", item.threshold > 0 ? `${word("score")} ${item.score.toFixed(2)} · ${word("limit")} ${item.threshold.toFixed(2)}` : "");
  say("reason", item.reasons[0] ?? "");
  for (const tile of tiles) tile.disabled = false;
  shownAt = performance.now();
  for (const next of queue.slice(1, 3)) void pictureOf(next);
  for (const seq of pictures.keys()) {
    if (!queue.some((one) => one.seq === seq)) pictures.delete(seq);
  }
}

function empty(/** @type {string} */ text) {
  byId("picture-empty").hidden = !text;
  say("picture-empty", text);
}

function count() {
  const now = Math.min(total, done + pending.size + 1);
  say("count", queue.length && total ? word("confirm.count", { now, total }) : word("confirm.done", { done: done + pending.size, total }));
  const last = said.at(-1);
  /** @type {HTMLButtonElement} */ (byId("undo")).disabled = !last;
  say("undo-what", last ? `${word("part")} ${last.item.part} · ${word(`truth.${last.truth}`)}` : word("confirm.no_undo"));
}

function trouble(/** @type {string} */ text) {
  byId("trouble").hidden = !text;
  say("trouble-text", text);
}

// ---- saying

for (const tile of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".tile-truth"))) {
  tile.addEventListener("click", () => {
    const item = queue[0];
    if (!item || page.dataset.seq !== String(item.seq) || performance.now() - shownAt < DWELL_MS) return;
    queue.shift();
    void keep(item, /** @type {string} */ (tile.dataset.truth));
    void show();
    if (queue.length < FEW) void fill();
  });
}

async function keep(/** @type {any} */ item, /** @type {string} */ truth) {
  byId("kinds").hidden = true;
  pending.set(item.seq, truth);
  count();
  const id = item.tried === truth ? item.id : newId();
  const answer = await post(/** @type {string} */ (urls.label), { seq: item.seq, truth, second: item.second, id });
  pending.delete(item.seq);
  if (!answer.done) {
    // The same wish under the same id is done once, should it have been done after all.
    Object.assign(item, { id, tried: truth });
    queue.unshift(item);
    trouble(word("confirm.not_saved", { part: item.part, why: whyNot(answer) }));
    void show();
    return;
  }
  trouble("");
  if (!item.second) done += 1;
  said.push({ item, truth, kind: "", n: answer.n });
  if (truth === "defect") askKind(said[said.length - 1]);
  count();
}

// ---- which defect: offered, never required

/** @type {any} */
let asked = null;

function askKind(/** @type {any} */ label) {
  asked = label;
  say("kinds-what", word("confirm.which", { part: label.item.part }));
  byId("kinds").hidden = false;
}

byId("kinds").addEventListener("click", async (event) => {
  const kind = /** @type {HTMLElement} */ (event.target).closest("button")?.dataset.kind;
  const label = asked;
  if (!kind || !label) return;
  byId("kinds").hidden = true;
  const body = { seq: label.item.seq, truth: "defect", kind, second: label.item.second ?? false, id: newId() };
  const answer = await post(/** @type {string} */ (urls.label), body);
  if (answer.done) Object.assign(label, { kind, n: answer.n });
  else trouble(word("confirm.not_saved", { part: label.item.part, why: whyNot(answer) }));
});

// ---- taking back

byId("undo").addEventListener("click", async () => {
  const last = said.at(-1);
  if (!last || last.busy) return;
  last.busy = true;
  last.undoId ??= newId();
  const answer = await post(/** @type {string} */ (urls.undo), { n: last.n, id: last.undoId });
  last.busy = false;
  if (!answer.done) {
    trouble(word("confirm.not_undone", { part: last.item.part, why: whyNot(answer) }));
    if (answer.detail && !answer.silent) said.splice(said.indexOf(last), 1);
    count();
    return;
  }
  trouble("");
  said.splice(said.indexOf(last), 1);
  if (!last.item.second) done = Math.max(0, done - 1);
  byId("kinds").hidden = true;
  if (last.item.picture_url !== undefined) queue.unshift(last.item);
  else await fill();
  void show();
});

// ---- more parts

async function fill() {
  if (filling) return;
  filling = true;
  try {
    const known = [...queue.map((item) => item.seq), ...pending.keys()];
    const url = new URL(/** @type {string} */ (urls.next), location.href);
    url.searchParams.set("skip", known.join(","));
    const answer = await fetch(url, { headers: { Accept: "application/json" }, cache: "no-store" });
    if (!answer.ok) return;
    const more = await answer.json();
    history = more.history;
    if (history) ({ total } = more), (done = more.done);
    const before = queue.length;
    const held = new Set([...queue.map((item) => item.seq), ...pending.keys()]);
    queue.push(...more.items.filter((/** @type {any} */ item) => !held.has(item.seq)));
    if (!before) void show();
    else count();
  } catch {
    // The guard over the events says when the server is gone; what is on the screen stays.
  } finally {
    filling = false;
  }
}

setInterval(() => {
  if (!document.hidden && queue.length < FEW) void fill();
}, 5000);

// ---- keys

byId("key-overlay").addEventListener("click", () => {
  view.setOverlay(!view.overlayOn);
  byId("key-overlay").setAttribute("aria-pressed", String(view.overlayOn));
});
byId("key-zoom").addEventListener("click", () => {
  const zoomed = view.toggleZoom();
  byId("key-zoom").setAttribute("aria-pressed", String(zoomed));
});
const more = /** @type {HTMLDialogElement} */ (byId("more"));
byId("key-more").addEventListener("click", () => {
  const about = /** @type {HTMLAnchorElement} */ (byId("about"));
  about.hidden = !queue[0];
  if (queue[0]) about.href = queue[0].href;
  more.showModal();
});
page.classList.toggle("swapped", localStorage.getItem(SWAPPED) === "yes");
byId("swap").addEventListener("click", () => {
  const swapped = page.classList.toggle("swapped");
  localStorage.setItem(SWAPPED, swapped ? "yes" : "no");
});

void show();
