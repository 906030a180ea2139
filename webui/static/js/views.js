// The keys that swap the large picture for that of another camera of the same part.
import { makeShape, shapeOf, word } from "./words.js";

/** @typedef {{camera: string, outcome?: string, url: string | null}} View */

export class ViewKeys {
  /** @param {HTMLElement} box @param {(camera: string) => void} onPick */
  constructor(box, onPick) {
    this.box = box;
    this.onPick = onPick;
    this.shown = "";
  }

  /** Show a key for each view, none where there is but one. @param {View[]} views @param {string} current */
  show(views, current) {
    const wanted = views.length > 1 ? views : [];
    const asked = JSON.stringify(wanted);
    if (asked !== this.shown) {
      this.shown = asked;
      this.box.hidden = !wanted.length;
      this.box.replaceChildren(...wanted.map((view) => this.key(view)));
    }
    for (const key of this.box.children) {
      key.setAttribute("aria-pressed", String(/** @type {HTMLElement} */ (key).dataset.camera === current));
    }
  }

  /** The picture on a key, once it is there. It stays when the server has let go of it. @param {string} camera */
  async picture(camera) {
    const image = /** @type {HTMLImageElement | null} */ (this.box.querySelector(`[data-camera="${camera}"] img`));
    await image?.decode().catch(() => undefined);
    return image?.naturalWidth ? createImageBitmap(image) : null;
  }

  /** @param {View} view */
  key(view) {
    const key = document.createElement("button");
    key.type = "button";
    key.className = "view";
    key.dataset.camera = view.camera;
    key.setAttribute("aria-label", `${word("view")} ${view.camera}`);
    if (view.url) {
      const image = document.createElement("img");
      image.src = view.url;
      image.alt = "";
      key.append(image);
    } else {
      const none = document.createElement("span");
      none.className = "view-none";
      none.append(makeShape("nopicture"));
      key.append(none);
    }
    const tag = document.createElement("span");
    tag.className = "view-tag";
    const shape = shapeOf[/** @type {"NG"} */ (view.outcome)];
    if (shape) tag.append(makeShape(shape));
    tag.append(document.createTextNode(view.camera));
    key.append(tag);
    key.addEventListener("click", (event) => {
      event.stopPropagation();
      this.onPick(view.camera);
    });
    return key;
  }
}

/** The end of a long text: what tells one number from the next stands there. @param {string} text @param {number} most */
const end = (text, most) => (text.length > most ? `…${text.slice(1 - most)}` : text);

/** What was read on a part, as one line. @param {any} result */
export function codeLine(result) {
  return (result.codes ?? [])
    .map(([name, text, serial]) => `${serial ? word("serial") : name} ${end(text, 40) || word("unreadable")}`)
    .join(" · ");
}
