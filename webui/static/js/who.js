// Who is signed in: touches keep them so, a badge signs in from every screen, and without a touch nobody is.
import { csrfHeaders } from "./posting.js";
import { say, word } from "./words.js";

const body = document.body;
const TOUCH_EVERY_MS = 10000;
const WARN_S = 30;
// A reader types a letter every few milliseconds; the fastest typist needs some 60.
const BADGE_GAP_MS = 50;
const BADGE_LEAST = 4;
const BADGE_MOST = 200;

/** Send a form of our own, as if a person had. @param {string} action @param {Record<string, string>} values */
export function submit(action, values) {
  const form = document.createElement("form");
  form.method = "post";
  form.action = action;
  for (const [name, value] of Object.entries({ csrf_token: body.dataset.csrf ?? "", ...values })) {
    const input = document.createElement("input");
    input.type = "hidden";
    input.name = name;
    input.value = value;
    form.append(input);
  }
  body.append(form);
  form.submit();
}

/** Load the page again; one that came as the answer to a form is asked for afresh, not sent a second time. */
export function again() {
  location.replace(location.pathname + location.search);
}

function watchIdle() {
  let ends = performance.now() + Number(body.dataset.leftS) * 1000;
  let touched = -Infinity;
  let asking = false;

  /** @param {string} method */
  const ask = async (method) => {
    if (asking) return;
    asking = true;
    try {
      const answer = await fetch(method === "POST" ? (body.dataset.touch ?? "") : "/sign-in/who", {
        method,
        headers: csrfHeaders(),
        keepalive: true,
      });
      const said = answer.ok ? await answer.json() : null;
      if (said && said.who !== body.dataset.user) again();
      else if (said) ends = performance.now() + said.left_s * 1000;
    } catch {
      // No answer: the guard against a frozen display says so.
    } finally {
      asking = false;
    }
  };
  const touch = () => {
    const now = performance.now();
    if (now - touched < TOUCH_EVERY_MS && ends - now > WARN_S * 1000) return;
    touched = now;
    ask("POST");
  };
  for (const kind of ["pointerdown", "keydown"]) document.addEventListener(kind, touch, { capture: true, passive: true });
  setInterval(() => {
    const left = Math.ceil((ends - performance.now()) / 1000);
    const box = /** @type {HTMLElement} */ (document.getElementById("leaving"));
    box.hidden = left > WARN_S || left <= 0;
    if (!box.hidden) say("leaving-text", word("leaving", { seconds: left }));
    // Another page of this browser may have been touched: the server knows.
    if (left <= 0) ask("GET");
  }, 1000);
}

/** @param {EventTarget | null} target */
function isField(target) {
  if (target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  return target instanceof HTMLInputElement && !["checkbox", "radio", "button", "submit"].includes(target.type);
}

function watchBadge() {
  const prefix = body.dataset.badgePrefix ?? "";
  let typed = "";
  let last = 0;
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      const gap = performance.now() - last;
      last = performance.now();
      if (event.key !== "Enter") {
        if (event.key.length !== 1) return;
        if (gap > BADGE_GAP_MS) typed = "";
        typed = (typed + event.key).slice(-BADGE_MOST);
        return;
      }
      const code = typed;
      typed = "";
      if (gap > BADGE_GAP_MS || code.length < BADGE_LEAST) return;
      const badge = prefix !== "" && code.startsWith(prefix);
      const field = event.target;
      // What is scanned into a field is for the field, unless it says itself that it is a badge.
      if (isField(field) && (!badge || /** @type {HTMLElement} */ (field).dataset.field !== undefined)) return;
      if (!badge) {
        // A screen that waits for another code (a product, a part) takes it by preventDefault.
        const scan = new CustomEvent("okng:scan", { detail: code, cancelable: true });
        if (!document.dispatchEvent(scan)) {
          event.preventDefault();
          return;
        }
      }
      event.preventDefault();
      event.stopImmediatePropagation();
      submit(body.dataset.badge ?? "", { code, next: location.pathname + location.search });
    },
    { capture: true },
  );
}

function watchHelp() {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "?" || event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement) return;
    document.getElementById("nav-help")?.click();
  });
}

export function startWho() {
  if (body.dataset.user) watchIdle();
  watchBadge();
  watchHelp();
}
