// The Fleet page: how the box stands, again every two seconds. What somebody types meanwhile is left alone.
import "./frame.js";
import { pieceOf } from "./piece.js";

const root = /** @type {HTMLElement} */ (document.getElementById("fleet"));
const standing = /** @type {HTMLElement} */ (document.getElementById("standing"));
const EVERY_MS = 2000;

async function look() {
  const typing = standing.contains(document.activeElement) && document.activeElement?.tagName === "INPUT";
  if (!document.hidden && !typing) {
    try {
      const piece = await pieceOf(/** @type {string} */ (root.dataset.standing));
      const key = standing.contains(document.activeElement) ? document.activeElement?.closest("form")?.action : "";
      standing.replaceChildren(...piece);
      if (key) [...standing.querySelectorAll("form")].find((one) => one.action === key)?.querySelector("button")?.focus();
    } catch {
      // The guard over the events says when the server is gone.
    }
  }
  setTimeout(look, EVERY_MS);
}
setTimeout(look, EVERY_MS);
