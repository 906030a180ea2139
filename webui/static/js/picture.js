// One picture with its heat map and its boxes, in a canvas, with zoom and pan. Draws only what belongs to one part.
import Panzoom from "../vendor/panzoom-4.6.2/panzoom.es.js";

const LEAST_PX = 1400;
const css = getComputedStyle(document.documentElement);
const colour = (/** @type {string} */ name) => css.getPropertyValue(name).trim();

export class PictureView {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.overlayOn = true;
    this.zoomed = false;
    this.result = null;
    /** @type {ImageBitmap | null} */
    this.bitmap = null;
    /** @type {ImageBitmap | null} */
    this.overlay = null;
    this.panzoom = Panzoom(canvas, { maxScale: 8, minScale: 1, contain: "outside", panOnlyWhenZoomed: true, cursor: "" });
    this.canvas.parentElement?.addEventListener("wheel", (event) => this.panzoom.zoomWithWheel(event));
  }

  /** Show a part: all three belong to it, or are null. */
  show(/** @type {any} */ result, /** @type {ImageBitmap | null} */ bitmap, /** @type {ImageBitmap | null} */ overlay) {
    [this.result, this.bitmap, this.overlay] = [result, bitmap, overlay];
    this.draw();
  }

  setOverlay(/** @type {boolean} */ on) {
    this.overlayOn = on;
    this.draw();
  }

  /** Between the whole picture and the worst place of it. */
  toggleZoom() {
    this.zoomed = !this.zoomed;
    if (!this.zoomed) {
      this.panzoom.reset({ animate: false });
      return this.zoomed;
    }
    const box = this.canvas.getBoundingClientRect();
    const at = this.worst(box) ?? { x: box.left + box.width / 2, y: box.top + box.height / 2 };
    this.panzoom.zoomToPoint(3, { clientX: at.x, clientY: at.y }, { animate: false });
    return this.zoomed;
  }

  /** Where on the screen the worst place is. */
  worst(/** @type {DOMRect} */ box) {
    const first = this.result?.defects?.[0];
    if (!first || !this.bitmap || !this.result.width) return null;
    const scale = Math.min(box.width / this.result.width, box.height / this.result.height);
    const left = box.left + (box.width - this.result.width * scale) / 2;
    const top = box.top + (box.height - this.result.height * scale) / 2;
    return { x: left + (first[1] + first[3] / 2) * scale, y: top + (first[2] + first[4] / 2) * scale };
  }

  draw() {
    const { canvas, bitmap, result } = this;
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    canvas.dataset.part = result && bitmap ? String(result.part) : "";
    canvas.dataset.overlay = "";
    if (!bitmap || !result) {
      context.clearRect(0, 0, canvas.width, canvas.height);
      return;
    }
    // A small picture is drawn larger, so that lines and letters over it stay fine.
    const up = Math.max(1, LEAST_PX / bitmap.width);
    const [width, height] = [Math.round(bitmap.width * up), Math.round(bitmap.height * up)];
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, 0, 0, width, height);
    if (!this.overlayOn) return;
    if (this.overlay) {
      context.drawImage(this.overlay, 0, 0, width, height);
      canvas.dataset.overlay = String(result.part);
    }
    this.boxes(context, width / (result.width || width), height / (result.height || height));
  }

  boxes(/** @type {CanvasRenderingContext2D} */ context, /** @type {number} */ sx, /** @type {number} */ sy) {
    const line = Math.max(2, this.canvas.width / 350);
    for (const [, x, y, w, h] of this.result.defects.slice(0, 16)) {
      const box = /** @type {[number, number, number, number]} */ ([x * sx, y * sy, w * sx, h * sy]);
      context.lineWidth = line * 2.2;
      context.strokeStyle = colour("--ng-ink");
      context.strokeRect(...box);
      context.lineWidth = line;
      context.strokeStyle = colour("--ng");
      context.strokeRect(...box);
    }
  }
}
