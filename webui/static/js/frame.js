// What every page has: top bar, alarm band, clock, and the guard against a frozen display.
import { Events } from "./events.js";
import { say, setShape, word } from "./words.js";

const body = document.body;
export const events = new Events("/events");

let offsetMin = 0;
let boxMs = 0;
let boxAt = 0;
let alarmSince = 0;
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

/** @param {number} ms */
function age(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function tick() {
  if (!boxMs) return;
  say("clock", localTime(boxNow()));
  say("band-age", alarmSince ? word("for", { age: age(boxNow() - alarmSince) }) : "");
}

events.on("heartbeat", (beat) => {
  if (web && beat.web !== web) location.reload();
  web = beat.web;
  [boxMs, boxAt, offsetMin, inspecting] = [beat.utc_ms, performance.now(), beat.offset_min, beat.inspecting];
  body.dataset.inspecting = beat.inspecting ? "yes" : "no";
  tick();
});

events.on("state", (state) => {
  body.dataset.line = state.state;
  say("state-word", word(`state.${state.state}`));
  const shape = { inspecting: "check", fault: "octagon", silent: "octagon" }[state.state] ?? "triangle";
  setShape(/** @type {Element} */ (document.querySelector("#state svg")), shape);
  if (state.recipe) say("recipe", `${state.recipe} · ${state.revision.slice(0, 6)}`);
  if (state.model) say("model", state.model.slice(0, 8));
  if (state.station) say("station", state.station);
  const [first, ...others] = state.reasons;
  const band = /** @type {HTMLElement} */ (document.getElementById("band"));
  band.hidden = !first;
  alarmSince = first ? Date.parse(state.since) : 0;
  say("band-what", first?.what ?? "");
  say("band-todo", first?.todo ?? "");
  say("band-more", others.length ? word("more", { count: others.length }) : "");
  body.dataset.drift = state.drift.length ? "yes" : "no";
  tick();
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

setInterval(tick, 250);
// Modules are evaluated in order: a page that imports this one adds its handlers before the stream opens.
queueMicrotask(() => setTimeout(() => events.start(), 0));
