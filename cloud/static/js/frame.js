// Every page: times in the viewer's zone, the clock, and pieces that are asked for again.
const pad = (/** @type {number} */ n) => String(n).padStart(2, "0");

/** @param {Date} at */
export function local(at) {
  return `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())} ${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
}

/** @param {ParentNode} root */
export function localTimes(root) {
  for (const each of root.querySelectorAll("time[datetime]")) {
    const at = new Date(each.getAttribute("datetime") ?? "");
    if (!Number.isNaN(at.getTime())) each.textContent = local(at);
  }
}

function tick() {
  const clock = document.getElementById("clock");
  if (clock) clock.textContent = local(new Date()).slice(11);
}

/** Asks for a piece of this very page again, as long as nobody types in it. @param {HTMLElement} piece */
async function again(piece) {
  if (document.hidden || piece.contains(document.activeElement)) return;
  try {
    const answer = await fetch(location.href, { headers: { "X-Piece": piece.id }, cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(piece.id);
    if (!fresh) throw new Error("no piece");
    localTimes(fresh);
    piece.replaceChildren(...fresh.childNodes);
    document.body.dataset.stale = "";
  } catch {
    document.body.dataset.stale = "yes";
  }
  const stale = document.getElementById("stale");
  if (stale) stale.hidden = document.body.dataset.stale !== "yes";
}

localTimes(document);
tick();
setInterval(tick, 1000);
for (const piece of document.querySelectorAll("[data-again-s]")) {
  setInterval(() => again(/** @type {HTMLElement} */ (piece)), 1000 * Number(/** @type {HTMLElement} */ (piece).dataset.againS));
}
for (const form of document.querySelectorAll("form[data-at-once]")) {
  form.addEventListener("change", () => /** @type {HTMLFormElement} */ (form).requestSubmit());
}
