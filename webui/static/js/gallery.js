// The gallery: older parts come as they are scrolled to.
import "./frame.js";
import { pieceOf } from "./piece.js";
import { listenToScanner } from "./scanner.js";

const cards = /** @type {HTMLElement} */ (document.getElementById("cards"));

const eye = new IntersectionObserver((seen) => {
  if (seen.some((entry) => entry.isIntersecting)) void load();
}, { root: cards, rootMargin: "400px" });

let loading = false;

async function load() {
  const more = document.getElementById("more");
  if (!more || loading) return;
  loading = true;
  try {
    more.replaceWith(...(await pieceOf(/** @type {string} */ (more.dataset.next))));
    watch();
  } catch {
    // The key stays: a touch on it asks again.
  } finally {
    loading = false;
  }
}

function watch() {
  eye.disconnect();
  const more = document.getElementById("more");
  if (more) eye.observe(more);
}

watch();

listenToScanner(/** @type {HTMLInputElement} */ (document.getElementById("find")), () => !document.querySelector("dialog[open]"));
