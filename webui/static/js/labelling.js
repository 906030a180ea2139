// What is drawn goes out of the box as a file, and comes back: both are long work of the workshop.
import "./frame.js";
import { csrfHeaders, post, whyNot } from "./posting.js";
import { say, word } from "./words.js";

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const urls = byId("labelling").dataset;
const EVERY_MS = 700;

for (const [key, name] of [["key-out", "out"], ["key-in", "in"]]) {
  const dialog = /** @type {HTMLDialogElement} */ (byId(name));
  byId(key).addEventListener("click", () => dialog.showModal());
}

function tell(/** @type {string} */ where, /** @type {string} */ text) {
  byId(`${where}-told`).hidden = !text;
  say(`${where}-told`, text);
}

/** Wait for a piece of work. @param {string} where @param {any} answer @returns {Promise<string>} its id; empty: it did not come to be */
async function worked(where, answer) {
  if (!answer.done) {
    tell(where, word("run.not_done", { why: whyNot(answer) }));
    return "";
  }
  for (;;) {
    const got = await fetch(/** @type {string} */ (urls.work).replace("WORK", answer.work), { headers: { Accept: "application/json" } }).catch(() => null);
    const now = got?.ok ? await got.json() : { done: false, silent: true };
    if (!now.done) {
      tell(where, word("run.not_done", { why: whyNot(now) }));
      return "";
    }
    if (now.work.state === "done") return answer.work;
    if (now.work.state === "failed") {
      tell(where, word("run.not_done", { why: now.work.detail }));
      return "";
    }
    tell(where, `${Math.round(now.work.share * 100)} %`);
    await new Promise((done) => setTimeout(done, EVERY_MS));
  }
}

byId("out").addEventListener("click", async (event) => {
  const form = /** @type {HTMLElement} */ (event.target).closest("button")?.dataset.format;
  if (!form) return;
  byId("out-zip").hidden = true;
  tell("out", word("run.asked"));
  const work = await worked("out", await post(/** @type {string} */ (urls.export), { format: form }));
  if (!work) return;
  tell("out", word("draw.ready"));
  const link = /** @type {HTMLAnchorElement} */ (byId("out-zip"));
  link.href = /** @type {string} */ (urls.zip).replace("WORK", work);
  link.hidden = false;
});

byId("in-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  tell("in", word("run.asked"));
  const form = /** @type {HTMLFormElement} */ (byId("in-form"));
  const headers = { Accept: "application/json", ...csrfHeaders() };
  const got = await fetch(/** @type {string} */ (urls.import), { method: "POST", body: new FormData(form), headers }).catch(() => null);
  const work = await worked("in", got?.ok ? await got.json() : { done: false, silent: !got, refused: got?.status ?? 0, detail: "" });
  if (!work) return;
  const taken = await post(/** @type {string} */ (urls.take), { work });
  tell("in", taken.done ? word("draw.taken", { taken: taken.taken }) : word("run.not_done", { why: whyNot(taken) }));
});
