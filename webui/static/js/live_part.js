// A part of a page that follows the line: fetched anew when the shift process has something new to say.
import { boxNow, events } from "./frame.js";
import { age } from "./band.js";
import { textOf } from "./piece.js";
import { word } from "./words.js";

const DEBOUNCE_MS = 120;
const HELD_MS = 400;
const EVERY_MS = 15000;

/** @type {HTMLElement | null} */
const part = document.querySelector("[data-part]");
let wanted = 0;
let busy = false;
let pressedUntil = 0;

document.addEventListener("pointerdown", () => (pressedUntil = Infinity));
for (const end of ["pointerup", "pointercancel"]) {
  document.addEventListener(end, () => (pressedUntil = performance.now() + HELD_MS));
}

/** Fetch it again soon; never under a finger, never over what somebody types. */
function refresh(delay = DEBOUNCE_MS) {
  clearTimeout(wanted);
  wanted = window.setTimeout(renew, delay);
}

async function renew() {
  if (!part) return;
  if (busy || document.hidden || performance.now() < pressedUntil) return refresh(HELD_MS);
  busy = true;
  try {
    const text = await textOf(part.dataset.part ?? "");
    if (performance.now() < pressedUntil) return refresh(HELD_MS);
    if (text !== part.dataset.held) {
      part.dataset.held = text;
      const scrolled = part.querySelector("[data-scrolls]")?.scrollTop ?? 0;
      const given = entered();
      part.innerHTML = text;
      enter(given);
      const scrolls = part.querySelector("[data-scrolls]");
      if (scrolls) scrolls.scrollTop = scrolled;
      part.dispatchEvent(new CustomEvent("renewed"));
    }
    tick();
  } catch {
    refresh(3000); // the server is gone; the watch over the heartbeat says so
  } finally {
    busy = false;
  }
}

/** @typedef {{form: string, name: string, value: string, kind: string, focused: boolean}} Given */

/** What somebody has entered and not sent. @returns {Given[]} */
function entered() {
  const found = [];
  for (const input of /** @type {NodeListOf<HTMLInputElement>} */ (part?.querySelectorAll("input, textarea") ?? [])) {
    const kind = input.type;
    const focused = document.activeElement === input;
    if (kind === "hidden" && !input.dataset.words) continue;
    const told = kind === "radio" ? input.checked : kind === "hidden" || input.value !== input.defaultValue;
    if (told || focused) {
      const form = input.form?.getAttribute("action") ?? "";
      found.push({ form, name: input.name, value: input.value, kind, focused });
    }
  }
  return found;
}

/** @param {Given[]} given */
function enter(given) {
  for (const one of given) {
    for (const input of /** @type {NodeListOf<HTMLInputElement>} */ (part?.querySelectorAll("input, textarea") ?? [])) {
      if (input.name !== one.name || (input.form?.getAttribute("action") ?? "") !== one.form) continue;
      if (one.kind === "radio") input.checked = input.checked || input.value === one.value;
      else input.value = one.value;
      if (one.kind === "hidden") restore(input);
      if (one.focused && (one.kind !== "radio" || input.value === one.value)) input.focus();
    }
  }
}

/** The words of a stepper follow its number. @param {HTMLInputElement} input */
function restore(input) {
  const shown = input.closest("[data-stepper]")?.querySelector("output");
  if (shown) shown.textContent = (input.dataset.words ?? "{n}").replace("{n}", input.value);
}

/** Ages and what is left, of every element that says since or until when. */
function tick() {
  if (!boxNow()) return;
  for (const element of document.querySelectorAll("[data-since], [data-until]")) {
    const { since, until } = /** @type {HTMLElement} */ (element).dataset;
    const at = Date.parse(since ?? until ?? "");
    if (!at) continue;
    const text = since ? word("for", { age: age(boxNow() - at) }) : word("left", { age: age(at - boxNow()) });
    if (element.textContent !== text) element.textContent = text;
  }
}

events.on("shift", () => refresh());
events.on("state", () => refresh());
setInterval(tick, 500);
setInterval(() => refresh(), EVERY_MS);
