// A PDF is asked for, made elsewhere, and offered when it is there. The page goes on meanwhile.
import { csrfHeaders } from "./posting.js";

const LOOK_MS = 700;
const note = /** @type {HTMLElement} */ (document.getElementById("paper"));
const text = /** @type {HTMLElement} */ (document.getElementById("paper-text"));
const open = /** @type {HTMLAnchorElement} */ (document.getElementById("paper-open"));
const stick = document.getElementById("paper-stick"); // at the panel only

/** @param {string} words */
function say(words) {
  note.hidden = false;
  text.textContent = words;
}

/** @param {string} url */
async function look(url) {
  const answer = await fetch(url, { headers: { Accept: "application/json" }, cache: "no-store" });
  if (!answer.ok) return say("–");
  const now = await answer.json();
  say(now.text);
  if (now.state === "working") return void setTimeout(look, LOOK_MS, url);
  if (now.state === "done") {
    open.href = now.url;
    open.hidden = false;
    if (stick) {
      stick.dataset.body = JSON.stringify({ name: decodeURIComponent(now.url).replace(/^.*\/|\.pdf$/g, "") });
      stick.hidden = false;
    }
    note.dataset.state = "done";
  }
}

for (const form of document.querySelectorAll("form.paper-order")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    open.hidden = true;
    if (stick) stick.hidden = true;
    note.dataset.state = "working";
    const answer = await fetch(/** @type {HTMLFormElement} */ (form).action, {
      method: "POST",
      headers: { Accept: "application/json", ...csrfHeaders() },
      body: new FormData(/** @type {HTMLFormElement} */ (form)),
    });
    if (answer.ok) await look((await answer.json()).look);
    else say(note.dataset.busy ?? "–");
  });
}
