// What is shown on every screen while the line is not in production: the hatched frame, outputs set by hand, and that
// nobody watches alarms and tests. And whether it is night.
import { say, word } from "./words.js";

const body = document.body;
const SILENT_MS = 5000;

/** @param {string} id @param {boolean} shown */
function show(id, shown) {
  const element = document.getElementById(id);
  if (element) element.hidden = !shown;
}

/** @param {import("./events.js").Events} events */
export function startMode(events) {
  let station = "";
  /** @type {{mode: string, left_min: number | null} | null} */
  let shift = null;
  let silentSince = 0;

  const draw = () => {
    // io is the one that acts: its word goes first; what is asked for and not yet in force is shown too.
    const mode = station && station !== "production" ? station : shift && shift.mode !== "production" ? shift.mode : "";
    body.dataset.mode = mode || "production";
    show("top-mode", Boolean(mode));
    if (!mode) return;
    say("mode-word", word(mode === "bypass" || mode === "challenge" ? `mode.${mode}` : "mode.other"));
    const left = shift && shift.mode === mode ? shift.left_min : null;
    say("mode-left", left === null ? "" : word("mode.left", { minutes: left }));
  };

  events.on("state", (state) => {
    station = state.mode ?? "";
    const forced = state.forced ?? [];
    show("forced", forced.length > 0);
    say("forced-text", word("forced", { outputs: forced.join(", ") }));
    draw();
  });
  events.on("shift", (said) => {
    shift = said.known ? said.mode : null;
    if (said.known) silentSince = 0;
    else silentSince ||= performance.now();
    show("top-lot", Boolean(said.known && said.lot));
    say("lot", said.known ? said.lot : "");
    draw();
  });
  setInterval(() => show("unwatched", silentSince > 0 && performance.now() - silentSince > SILENT_MS), 500);
}

/** @param {() => string} clock Time of day of the box, empty: not known yet. */
export function startTheme(clock) {
  if (body.dataset.themeChosen !== "auto") return;
  const [from, to] = (body.dataset.night ?? "20-6").split("-").map(Number);
  setInterval(() => {
    const time = clock();
    if (!time) return;
    const hour = Number(time.slice(0, 2));
    const night = from <= to ? hour >= from && hour < to : hour >= from || hour < to;
    document.documentElement.dataset.theme = night ? "night" : "light";
  }, 10000);
}
