// The diagnostics page: its figures again every two seconds, the log when asked, and the support bundle.
import "./frame.js";
import { pieceOf } from "./piece.js";
import { post } from "./posting.js";
import { say, teller } from "./words.js";

const root = /** @type {HTMLElement} */ (document.getElementById("diagnostics"));
const shown = JSON.parse(/** @type {string} */ (root.dataset.shown));
const $ = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));
const tell = teller(shown.words);
const EVERY_MS = 2000;

async function fetched(/** @type {string} */ url, /** @type {string} */ id) {
  try {
    $(id).replaceChildren(...(await pieceOf(url)));
    root.dataset[id] = String(Number(root.dataset[id] ?? 0) + 1);
  } catch {
    // The guard over the events says when the server is gone.
  }
}

async function run() {
  if (!document.hidden) await fetched(shown.urls.figures, "figures");
  setTimeout(run, EVERY_MS);
}
setTimeout(run, EVERY_MS);
$("again").addEventListener("click", () => fetched(shown.urls.log, "log"));

$("pictures").addEventListener("change", () => {
  if ($("bundle-stick")) $("bundle-stick").dataset.body = JSON.stringify({ pictures: $("pictures").checked });
});

$("bundle").addEventListener("click", async () => {
  $("bundle").disabled = true;
  $("bundle-file").hidden = true;
  const answer = await post(shown.urls.bundle, { pictures: $("pictures").checked });
  const end = (/** @type {string} */ text) => {
    say("bundle-state", text);
    $("bundle").disabled = false;
  };
  if (!answer.done) return end(answer.refused ? tell("refused") : answer.detail || tell("silent"));
  for (;;) {
    const seen = await fetch(answer.status).then((one) => one.json(), () => ({ done: false }));
    const work = seen.work ?? {};
    if (!seen.done || work.state === "failed") return end(seen.detail || work.detail || tell("silent"));
    if (seen.result) {
      $("bundle-file").href = answer.file;
      $("bundle-file").hidden = false;
      return end(tell("made", { size: Math.ceil(seen.result.size / 1024) }));
    }
    say("bundle-state", tell("making", { share: Math.round(100 * (work.share ?? 0)) }));
    await new Promise((next) => setTimeout(next, 500));
  }
});
root.dataset.ready = "yes";
