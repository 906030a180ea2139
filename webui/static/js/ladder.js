// The Ladder page: how models stand, again every two seconds. Whoever types, or has opened something, is left alone.
import "./frame.js";
import { pieceOf } from "./piece.js";

const root = /** @type {HTMLElement} */ (document.getElementById("ladder"));
const standing = /** @type {HTMLElement} */ (document.getElementById("standing"));
const EVERY_MS = 2000;

const busy = () =>
  standing.querySelector("details[open]") !== null ||
  [...standing.querySelectorAll("input[name=reason]")].some((one) => one === document.activeElement || /** @type {HTMLInputElement} */ (one).value !== "");

async function look() {
  if (!document.hidden && !busy()) {
    try {
      const piece = await pieceOf(/** @type {string} */ (root.dataset.standing));
      if (!busy()) standing.replaceChildren(...piece);
    } catch {
      // The guard over the events says when the server is gone.
    }
  }
  setTimeout(look, EVERY_MS);
}
setTimeout(look, EVERY_MS);
