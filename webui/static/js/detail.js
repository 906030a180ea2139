// One part of the ledger: its picture, the heat map over it, zoom.
import "./frame.js";
import { PictureView } from "./picture.js";
import { say, word } from "./words.js";

const result = JSON.parse(/** @type {string} */ (document.getElementById("detail")?.dataset.result));
const view = new PictureView(/** @type {HTMLCanvasElement} */ (document.getElementById("canvas")));

/** @param {string | null} url */
async function bitmapOf(url) {
  if (!url) return null;
  const answer = await fetch(url);
  return answer.ok ? createImageBitmap(await answer.blob()) : null;
}

const [picture, overlay] = await Promise.all([bitmapOf(result.picture_url), bitmapOf(result.overlay_url)]);
view.show(result, picture, overlay);

const overlayKey = document.getElementById("key-overlay");
overlayKey?.addEventListener("click", () => {
  view.setOverlay(!view.overlayOn);
  overlayKey.setAttribute("aria-pressed", String(view.overlayOn));
  for (const half of overlayKey.querySelectorAll(".half")) half.classList.toggle("on");
});

const zoomKey = document.getElementById("key-zoom");
zoomKey?.addEventListener("click", () => {
  const zoomed = view.toggleZoom();
  zoomKey.setAttribute("aria-pressed", String(zoomed));
  say("key-zoom", word(zoomed ? "fit" : "zoom"));
});
