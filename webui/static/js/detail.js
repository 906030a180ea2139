// One part of the ledger: its picture, the heat map over it, zoom.
import { bitmapOf } from "./bitmap.js";
import "./frame.js";
import { PictureView } from "./picture.js";
import { post, whyNot } from "./posting.js";
import { ViewKeys } from "./views.js";
import { say, word } from "./words.js";

const result = JSON.parse(/** @type {string} */ (document.getElementById("detail")?.dataset.result));
const view = new PictureView(/** @type {HTMLCanvasElement} */ (document.getElementById("canvas")));

// Keys work before the pictures are there: nothing here waits for them but what shows them.
const own = Promise.all([bitmapOf(result.picture_url), bitmapOf(result.overlay_url)]);

// Boxes and heat map are of the deciding view: over another one's picture there are none.
const views = [
  { camera: result.camera, outcome: result.outcome, url: result.thumb_url },
  ...result.views.map((/** @type {any} */ one) => ({ camera: one.camera, url: one.thumb_url })),
];
let asked = result.camera;
const keys = new ViewKeys(/** @type {HTMLElement} */ (document.getElementById("views")), (camera) => void swap(camera));
void swap(result.camera);

/** @param {string} camera */
async function swap(camera) {
  asked = camera;
  keys.show(views, camera);
  const other = result.views.find((/** @type {any} */ one) => one.camera === camera);
  if (!other) {
    const [picture, overlay] = await own;
    if (asked === camera) view.show(result, picture, overlay);
    return;
  }
  const found = await bitmapOf(other.picture_url);
  if (asked === camera) view.show({ ...result, defects: [], width: other.width, height: other.height }, found, null);
}

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

const reviewedKey = /** @type {HTMLButtonElement | null} */ (document.getElementById("key-reviewed"));
reviewedKey?.addEventListener("click", async () => {
  reviewedKey.disabled = true;
  const { url, seq, who } = reviewedKey.dataset;
  const answer = await post(/** @type {string} */ (url), { seqs: [Number(seq)] });
  reviewedKey.disabled = answer.done;
  say("key-reviewed", answer.done ? word("post.saved") : word("run.not_done", { why: whyNot(answer) }));
  if (answer.done) say("reviewed", who ?? "");
});
