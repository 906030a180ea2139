// Review by the keyboard: G good, D defect, U unsure, Z back to the last one. The next pictures are fetched ahead.
import { localTimes } from "./frame.js";

const KEYS = { g: "good", d: "defect", u: "unsure", 1: "good", 2: "defect", 3: "unsure" };
let busy = false;

function piece() {
  return /** @type {HTMLElement} */ (document.getElementById("review"));
}

/** Shows what a page brought, without loading the frame again. @param {string} html @param {string} url */
function show(html, url) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const fresh = page.getElementById("review");
  if (!fresh) {
    location.href = url;
    return;
  }
  localTimes(fresh);
  piece().replaceWith(fresh);
  history.replaceState(null, "", url);
  ahead();
}

function ahead() {
  for (const link of (piece().dataset.next ?? "").split(" ").filter(Boolean)) new Image().src = link;
}

/** @param {HTMLFormElement} form @param {HTMLElement | null} by */
async function send(form, by) {
  if (busy) return;
  busy = true;
  try {
    const body = new URLSearchParams(/** @type {any} */ (new FormData(form)));
    if (by instanceof HTMLButtonElement && by.name) body.set(by.name, by.value);
    const answer = await fetch(form.action, { method: "POST", body });
    if (!answer.ok) throw new Error(String(answer.status));
    show(await answer.text(), answer.url);
  } catch {
    const said = document.getElementById("review-failed");
    if (said) said.hidden = false;
  } finally {
    busy = false;
  }
}

document.addEventListener("submit", (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  if (!form.closest("#review") || form.method !== "post") return;
  event.preventDefault();
  send(form, /** @type {SubmitEvent} */ (event).submitter);
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  if (event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement) return;
  const key = event.key.toLowerCase();
  if (key === "z") {
    /** @type {HTMLAnchorElement | null} */ (document.getElementById("review-back"))?.click();
    return;
  }
  const truth = /** @type {Record<string, string>} */ (KEYS)[key];
  const button = truth && /** @type {HTMLButtonElement | null} */ (document.querySelector(`#review button[value="${truth}"]`));
  if (button) button.click();
});

ahead();
