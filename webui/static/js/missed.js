// A defect was found downstream: which part, what, where. Three touches and one to send.
import "./frame.js";
import { newId, post, whyNot } from "./posting.js";
import { listenToScanner } from "./scanner.js";
import { say, word } from "./words.js";

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const page = byId("missed");
const send = /** @type {HTMLButtonElement} */ (byId("send"));
const cards = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".card"));
/** @type {{seq: number | null | undefined, what: string, found_at: string}} */
const chosen = { seq: undefined, what: "", found_at: "" };
let id = newId();
let sent = false;

listenToScanner(/** @type {HTMLInputElement} */ (byId("find")));

function show() {
  for (const card of cards) card.setAttribute("aria-pressed", String(Number(card.dataset.seq) === chosen.seq));
  byId("not-there").setAttribute("aria-pressed", String(chosen.seq === null));
  for (const key of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-what]"))) key.setAttribute("aria-pressed", String(key.dataset.what === chosen.what));
  for (const key of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-place]"))) key.setAttribute("aria-pressed", String(key.dataset.place === chosen.found_at));
  send.disabled = sent || chosen.seq === undefined || !chosen.what || !chosen.found_at;
  if (!sent) say("told", chosen.seq === undefined && (chosen.what || chosen.found_at) ? word("missed.pick") : "");
}

page.addEventListener("click", (event) => {
  const key = /** @type {HTMLElement | null} */ (/** @type {HTMLElement} */ (event.target).closest("button"));
  if (!key || key === send) return;
  if (key.classList.contains("card")) chosen.seq = Number(key.dataset.seq);
  else if (key.id === "not-there") chosen.seq = null;
  else if (key.dataset.what) chosen.what = key.dataset.what;
  else if (key.dataset.place) chosen.found_at = key.dataset.place;
  else return;
  if (sent) id = newId();
  sent = false;
  show();
});

send.addEventListener("click", async () => {
  send.disabled = true;
  const serial = chosen.seq === null ? page.dataset.serial ?? "" : "";
  const answer = await post(/** @type {string} */ (page.dataset.url), { ...chosen, serial, id });
  if (answer.done) {
    sent = true;
    say("told", word("missed.reported"));
    Object.assign(chosen, { seq: undefined, what: "", found_at: "" });
    show();
    return;
  }
  say("told", word("run.not_done", { why: whyNot(answer) }));
  send.disabled = false;
});

if (cards.length === 1 && (page.dataset.serial || location.search.includes("seq="))) chosen.seq = Number(cards[0].dataset.seq);
show();
