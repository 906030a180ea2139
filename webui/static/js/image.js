// The Image page: asks for its charts again when parts have come or an alarm has changed.
import { events } from "./frame.js";
import { pieceOf } from "./piece.js";

const EVERY_MS = 2000;
const image = /** @type {HTMLElement} */ (document.getElementById("image"));
let parts = -1;
let drift = "";
let due = false;
let busy = false;

events.on("counters", (count) => {
  if (parts >= 0 && count.triggers !== parts) due = true;
  parts = count.triggers;
});

events.on("state", (state) => {
  const now = JSON.stringify(state.drift);
  if (drift && now !== drift) due = true;
  drift = now;
});

async function ask() {
  if (!due || busy || document.hidden) return;
  [due, busy] = [false, true];
  try {
    const charts = await pieceOf(/** @type {string} */ (image.dataset.charts));
    const top = image.querySelector(".drift")?.scrollTop ?? 0;
    image.replaceChildren(...charts);
    image.querySelector(".drift")?.scrollTo(0, top);
    image.dataset.asked = String(Number(image.dataset.asked ?? 0) + 1);
  } catch {
    due = true; // The charts stay; the guard over the events says when the server is gone.
  } finally {
    busy = false;
  }
}

setInterval(ask, EVERY_MS);
