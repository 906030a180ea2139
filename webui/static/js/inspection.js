// Stops and starts the inspection, not the machine: a key, then a question. What was not answered is not done.
import { events } from "./frame.js";
import { post, whyNot } from "./posting.js";
import { say, word } from "./words.js";

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const dialog = /** @type {HTMLDialogElement} */ (byId("stop-dialog"));
let stopped = "";
let asked = "";

events.on("shift", (shift) => {
  stopped = shift.known ? shift.stopped_by : stopped;
  byId("key-stop").classList.toggle("stopped", Boolean(stopped));
  say("stop-word", word(stopped ? "run.start" : "run.stop"));
  // Done is what the line says, not what was asked for.
  if (asked && shift.known && Boolean(stopped) === (asked === "stop")) {
    asked = "";
    dialog.close();
  }
});

function tell(/** @type {string} */ text, bad = false) {
  byId("stop-told").hidden = !text;
  byId("stop-told").classList.toggle("bad", bad);
  say("stop-told", text);
}

byId("key-stop").addEventListener("click", () => {
  if (byId("key-stop").tagName === "A") return; // leads to the sign-in
  byId("ask-stop").hidden = Boolean(stopped);
  byId("ask-start").hidden = !stopped;
  say("stopped-by", stopped ? word("run.stopped_by", { who: stopped }) : "");
  asked = "";
  tell("");
  dialog.showModal();
});

dialog.addEventListener("click", async (event) => {
  const key = /** @type {HTMLElement} */ (event.target).closest("button");
  if (!key?.dataset.do) return;
  tell(word("run.asked"));
  asked = key.dataset.do === "stop" ? "stop" : "start";
  const answer = await post(/** @type {string} */ (dialog.dataset.url), { do: key.dataset.do });
  if (answer.refused === 401 && dialog.dataset.signIn) location.href = dialog.dataset.signIn;
  else if (!answer.done) {
    asked = "";
    tell(word("run.not_done", { why: whyNot(answer) }), true);
  }
});
