// What every page has: top bar, alarm band, clock, and the guard against a frozen display.
import { startBand } from "./band.js";
import { Events } from "./events.js";
import { startMode, startTheme } from "./mode.js";
import { again, startWho } from "./who.js";
import { say, setShape, word } from "./words.js";

const body = document.body;
export const events = new Events("/events");

let offsetMin = 0;
let boxMs = 0;
let boxAt = 0;
/** @type {boolean | null} */
let inspecting = null;
let web = 0;

/** Time of day in the box's zone. @param {number} utcMs */
export function localTime(utcMs, seconds = true) {
  const text = new Date(utcMs + offsetMin * 60000).toISOString();
  return text.slice(11, seconds ? 19 : 16);
}

export function boxNow() {
  return boxMs + (performance.now() - boxAt);
}

function tick() {
  if (!boxMs) return;
  say("clock", localTime(boxNow()));
}

events.on("heartbeat", (beat) => {
  if (web && beat.web !== web) again();
  web = beat.web;
  [boxMs, boxAt, offsetMin, inspecting] = [beat.utc_ms, performance.now(), beat.offset_min, beat.inspecting];
  body.dataset.inspecting = beat.inspecting ? "yes" : "no";
  tick();
  whole();
});

/** Names that may end in an ellipsis: the whole of it. */
function whole() {
  for (const each of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".top [data-elide]"))) each.title = (each.textContent ?? "").trim();
}

events.on("state", (state) => {
  body.dataset.line = state.state;
  say("state-word", word(`state.${state.state}`));
  const shape = { inspecting: "check", fault: "octagon", silent: "octagon" }[state.state] ?? "triangle";
  setShape(/** @type {Element} */ (document.querySelector("#state svg")), shape);
  if (state.recipe) say("recipe", `${state.recipe} · ${state.revision.slice(0, 6)}`);
  if (state.model) say("model", state.model.slice(0, 8));
  if (state.station) say("station", state.station);
  body.dataset.drift = state.drift.length ? "yes" : "no";
  whole();
});

events.onStale = (stale) => {
  body.classList.toggle("is-stale", stale);
  const box = /** @type {HTMLElement} */ (document.getElementById("stale"));
  box.hidden = !stale;
  if (!stale) return;
  say("stale-title", word("stale.title"));
  const known = inspecting === null ? "stale.unknown" : inspecting ? "stale.is" : "stale.not";
  say("stale-text", events.refused ? word("stale.full") : word(known));
};

// A key that closes the dialog it stands in, on every page.
document.addEventListener("click", (event) => /** @type {HTMLElement} */ (event.target).closest("[data-close]")?.closest("dialog")?.close());

startBand(events, () => (boxMs ? boxNow() : 0));
startMode(events);
startTheme(() => (boxMs ? localTime(boxNow()) : ""));
startWho();
setInterval(tick, 250);
// Modules are evaluated in order: a page that imports this one adds its handlers before the stream opens.
queueMicrotask(() => setTimeout(() => events.start(), 0));
