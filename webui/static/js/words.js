// Words of the viewer's language, put into the page by the server.
const words = JSON.parse(document.body.dataset.words);

/** A text with its {places}, or %(places)s, filled. @param {string} text @param {Record<string, any>} values */
export function filled(text, values) {
  return text.replace(/\{(\w+)\}|%\((\w+)\)s/g, (whole, one, other) => String(values[one ?? other] ?? whole));
}

/** @param {string} key @param {Record<string, string | number>} [fill] */
export function word(key, fill = {}) {
  return filled(words[key] ?? key, fill);
}

/** The same for the words that a page has of its own. @param {Record<string, string>} own
 * @returns {(key: string, fill?: Record<string, any>) => string} */
export function teller(own) {
  return (key, fill = {}) => filled(own[key] ?? key, fill);
}

export const shapes = document.body.dataset.shapes ?? "";

/** Show a shape of shapes.svg in an <svg><use/></svg>. @param {Element} svg @param {string} name */
export function setShape(svg, name) {
  const href = `${shapes}#${name}`;
  const use = svg.querySelector("use");
  if (use && use.getAttribute("href") !== href) use.setAttribute("href", href);
}

/** @param {string} name */
export function makeShape(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS("http://www.w3.org/2000/svg", "use"));
  setShape(svg, name);
  return svg;
}

export const shapeOf = { OK: "check", NG: "octagon", UNJUDGED: "triangle" };

/** @param {string} id @param {string} text */
export function say(id, text) {
  const element = document.getElementById(id);
  if (element && element.textContent !== text) element.textContent = text;
}
