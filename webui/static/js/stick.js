// What a key offers goes onto the USB stick: the dialog looks for a stick, has it written, and says when it may be pulled.
import { post } from "./posting.js";
import { teller } from "./words.js";

const LOOK_MS = 1500;
const STATE_MS = 500;
const byId = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));
const dialog = /** @type {HTMLDialogElement} */ (byId("stick"));
const shown = JSON.parse(/** @type {string} */ (dialog.dataset.shown));
const [choice, share, go, close] = ["stick-choice", "stick-share", "stick-go", "stick-close"].map(byId);
const tell = teller(shown.words);
/** @type {HTMLElement | null} */
let key = null;
let seen = "";

/** @param {string} state @param {string} words */
function say(state, words) {
  dialog.dataset.state = state;
  byId("stick-told").textContent = words;
  share.hidden = state !== "saving";
  close.disabled = state === "saving";
}

/** @param {string} url */
async function asked(url) {
  try {
    const answer = await fetch(url, { headers: { Accept: "application/json" }, cache: "no-store" });
    return answer.ok ? await answer.json() : { done: false, detail: answer.status === 401 ? tell("refused") : tell("silent") };
  } catch {
    return { done: false, detail: tell("silent") };
  }
}

/** @param {{name: string, text: string, ok: boolean}[]} found */
function offer(found) {
  if (JSON.stringify(found) === seen) return;
  seen = JSON.stringify(found);
  const before = choice.querySelector("input:checked")?.value;
  const first = found.find((one) => one.ok && one.name === before) ?? found.find((one) => one.ok);
  for (const old of choice.querySelectorAll("label")) old.remove();
  for (const one of found) {
    const label = document.createElement("label");
    label.className = "key pick";
    const radio = document.createElement("input");
    Object.assign(radio, { type: "radio", name: "stick", value: one.name, disabled: !one.ok, checked: one === first });
    const text = document.createElement("span");
    text.textContent = one.text;
    label.append(radio, text);
    choice.append(label);
  }
  choice.hidden = !found.length;
  go.disabled = !first;
  if (first) say("ready", tell("there"));
  else say("none", found.length ? "" : tell("none"));
}

async function look() {
  if (!dialog.open || !["looking", "ready", "none"].includes(dialog.dataset.state ?? "")) return;
  const answer = await asked(shown.look);
  if (dialog.open && ["looking", "ready", "none"].includes(dialog.dataset.state ?? "")) {
    if (answer.done) offer(answer.shown);
    else {
      seen = "";
      go.disabled = true;
      say("none", answer.detail || tell("silent"));
    }
  }
  setTimeout(look, LOOK_MS);
}

async function save() {
  const to = choice.querySelector("input:checked")?.value;
  if (!key || !to) return;
  go.disabled = true;
  share.value = 0;
  say("saving", tell("saving", { share: 0 }));
  const failed = (/** @type {string} */ why) => {
    go.disabled = false;
    seen = "";
    say("failed", tell("failed", { why }));
  };
  const begun = await post(/** @type {string} */ (key.dataset.stick), { ...JSON.parse(key.dataset.body || "{}"), stick: to });
  if (!begun.done) return failed(begun.refused ? tell("refused") : begun.detail || tell("silent"));
  for (;;) {
    const now = await asked(begun.state);
    if (!now.done) return failed(now.detail || tell("silent"));
    if (now.state === "failed") return failed(now.said || tell("silent"));
    if (now.state === "done") return say("done", tell("saved", { file: now.file }));
    share.value = Number(now.share) || 0;
    say("saving", tell("saving", { share: Math.round(100 * share.value) }));
    await new Promise((next) => setTimeout(next, STATE_MS));
  }
}

document.addEventListener("click", (event) => {
  const touched = /** @type {HTMLElement | null} */ (/** @type {HTMLElement} */ (event.target).closest("[data-stick]"));
  if (!touched) return;
  key = touched;
  seen = "";
  go.disabled = true;
  choice.hidden = true;
  say("looking", tell("looking"));
  dialog.showModal();
  void look();
});
go.addEventListener("click", save);
close.addEventListener("click", () => dialog.close());
dialog.addEventListener("cancel", (event) => {
  if (dialog.dataset.state === "saving") event.preventDefault(); // its end has to be seen
});
dialog.dataset.ready = "yes";
