// Choosing parts of the gallery: to mark them as looked at, or to take them out as a ZIP. And the filter.
import { post, whyNot } from "./posting.js";
import { say, word } from "./words.js";

const byId = (/** @type {string} */ id) => document.getElementById(id);
const gallery = /** @type {HTMLElement} */ (byId("gallery"));
const cards = /** @type {HTMLElement} */ (byId("cards"));
const key = /** @type {HTMLElement} */ (byId("key-mark"));
const MOST = 200;
/** @type {Set<number>} */
const marked = new Set();
let marking = false;

const filter = /** @type {HTMLDialogElement} */ (byId("filter"));
byId("key-filter")?.addEventListener("click", () => filter.showModal());

function show() {
  gallery.classList.toggle("marking", marking);
  key.setAttribute("aria-pressed", String(marking));
  /** @type {HTMLElement} */ (byId("marked")).hidden = !marking;
  for (const card of /** @type {NodeListOf<HTMLElement>} */ (cards.querySelectorAll(".card"))) {
    const on = marking && marked.has(Number(card.dataset.seq));
    card.classList.toggle("on", on);
    if (marking) card.setAttribute("aria-pressed", String(on));
    else card.removeAttribute("aria-pressed");
  }
  say("marked-count", word("mark.count", { count: marked.size }));
  for (const id of ["mark-reviewed", "mark-export", "mark-stick"]) {
    const one = /** @type {HTMLButtonElement | null} */ (byId(id));
    if (one) one.disabled = !marked.size;
    if (one?.dataset.stick) one.dataset.body = JSON.stringify({ seqs: [...marked] });
  }
}

key.addEventListener("click", () => {
  marking = !marking;
  marked.clear();
  say("marked-told", "");
  show();
});
byId("mark-end")?.addEventListener("click", () => key.click());

cards.addEventListener("click", (event) => {
  const card = /** @type {HTMLElement | null} */ (/** @type {HTMLElement} */ (event.target).closest(".card"));
  if (!marking || !card) return;
  event.preventDefault();
  const seq = Number(card.dataset.seq);
  if (!marked.delete(seq) && marked.size < MOST) marked.add(seq);
  show();
});

byId("mark-all")?.addEventListener("click", () => {
  for (const card of /** @type {NodeListOf<HTMLElement>} */ (cards.querySelectorAll(".card"))) {
    if (marked.size < MOST) marked.add(Number(card.dataset.seq));
  }
  show();
});

byId("mark-reviewed")?.addEventListener("click", async () => {
  const seqs = [...marked];
  const answer = await post(/** @type {string} */ (gallery.dataset.reviewed), { seqs });
  say("marked-told", answer.done ? word("post.saved") : word("run.not_done", { why: whyNot(answer) }));
  if (answer.done) marked.clear();
  show();
});

byId("mark-export")?.addEventListener("click", () => {
  location.href = `${gallery.dataset.export}?seqs=${[...marked].join(",")}`;
});
