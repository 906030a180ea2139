// One part after another, two tiles. The expert's answers stay here until all are given; everybody else's are stored at once.
import "./frame.js";
import { newId, post } from "./posting.js";

const look = /** @type {HTMLElement} */ (document.getElementById("look"));
const picture = /** @type {HTMLImageElement} */ (document.getElementById("picture"));
const none = /** @type {HTMLElement} */ (document.getElementById("no-picture"));
const undo = /** @type {HTMLButtonElement} */ (document.getElementById("undo"));
const trouble = /** @type {HTMLElement} */ (document.getElementById("trouble"));
const tiles = /** @type {HTMLButtonElement[]} */ ([...look.querySelectorAll(".tile")]);
const items = JSON.parse(look.dataset.items ?? "[]");
const about = JSON.parse(look.dataset.about ?? "{}");
const expert = look.dataset.mode === "reference";
const before = expert ? 0 : about.total - items.length;
let at = 0;
let shownAt = 0;
let id = newId();

function show() {
  const item = items[at];
  if (!item) return;
  trouble.hidden = true;
  picture.hidden = !item.picture;
  none.hidden = Boolean(item.picture);
  if (item.picture) picture.src = item.picture;
  const count = /** @type {HTMLElement} */ (document.getElementById("count"));
  count.textContent = `${before + at + 1} / ${before + items.length}`;
  for (const tile of tiles) {
    tile.disabled = false;
    tile.setAttribute("aria-pressed", String(expert && item.truth === tile.dataset.truth));
  }
  undo.disabled = at === 0;
  shownAt = performance.now();
  if (items[at + 1]?.picture) new Image().src = items[at + 1].picture;
}

/** @param {string} truth */
async function say(truth) {
  const item = items[at];
  for (const tile of tiles) tile.disabled = true;
  if (expert) {
    item.truth = truth;
    if (at + 1 < items.length) return step(1);
    const reference = Object.fromEntries(items.map((/** @type {any} */ one) => [one.seq, one.truth]));
    return end(await post(look.dataset.post ?? "", { ...about, reference, id }));
  }
  const took = Math.round(performance.now() - shownAt);
  const body = { seq: item.seq, round: item.round, operator: about.operator, truth, took_ms: took, id };
  const answer = await post(look.dataset.post ?? "", body);
  if (!answer.done || at + 1 >= items.length) return end(answer);
  return step(1);
}

/** @param {any} answer */
function end(answer) {
  if (answer.done) return void location.assign(answer.url ?? look.dataset.done);
  show();
  trouble.hidden = false;
}

/** @param {number} by */
function step(by) {
  at += by;
  id = newId(); // A touch again after a failure keeps its id: it is stored once.
  show();
}

for (const tile of tiles) tile.addEventListener("click", () => say(tile.dataset.truth ?? ""));
undo.addEventListener("click", () => step(-1));
if (!items.length) {
  none.hidden = false;
  if (!expert) location.assign(look.dataset.done ?? "/");
}
show();
