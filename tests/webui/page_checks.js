// Looked for in a page by page_checks.py, which evaluates this file first.
(() => {
  const hidden = (each) => each.closest("[hidden], dialog:not([open]), svg, canvas, .unseen") || !each.getClientRects().length;
  const named = (each) => `${each.tagName.toLowerCase()} ${(each.id || each.getAttribute("class") || each.name || "").slice(0, 40)}`;
  const said = (each) => `"${(each.textContent || each.value || "").trim().slice(0, 40)}"`;

  // A name may end in an ellipsis where its whole text can be read all the same: in its title.
  const elided = (each) => {
    const mark = each.closest("[data-elide]");
    return mark && (mark.title || "").includes(mark.textContent.trim());
  };

  // What a text sticks out of, if that is something that neither shows it nor lets one push.
  const covered = (each) => {
    const range = document.createRange();
    range.selectNodeContents(each);
    const inner = range.getBoundingClientRect();
    // The room of a letter is higher than its line may be.
    const slack = 2 + 0.25 * parseFloat(getComputedStyle(each).fontSize);
    for (let box = each; box && box !== document.body; box = box.parentElement) {
      const style = getComputedStyle(box);
      if ([style.overflowX, style.overflowY].some((one) => one === "auto" || one === "scroll")) return null;
      if (style.overflowX === "visible") continue;
      const outer = box.getBoundingClientRect();
      // What lies below altogether is a row that is not shown on purpose; what is half there is cut.
      if (inner.bottom > outer.bottom + slack && inner.top < outer.bottom - slack) return box;
      if (inner.right > outer.right + 2 || inner.left < outer.left - 2) return box;
    }
    return null;
  };

  // Words that are broken in two where no hyphen stands.
  const brokenWords = () => {
    const bad = [];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const range = document.createRange();
    while (walk.nextNode()) {
      const node = walk.currentNode, parent = node.parentElement;
      if (!parent || hidden(parent) || parent.closest("script, style, [translate=no]")) continue;
      for (const word of node.textContent.matchAll(/[A-Za-z]{3,16}|[0-9]{2,9}/g)) {
        range.setStart(node, word.index);
        range.setEnd(node, word.index + word[0].length);
        const lines = new Set([...range.getClientRects()].filter((one) => one.width).map((one) => Math.round(one.top)));
        if (lines.size > 1) bad.push(`broken in two: "${word[0]}" in ${named(parent)}`);
      }
    }
    return [...new Set(bad)];
  };

  const smallTargets = (selector, least) => {
    const bad = [];
    for (const each of document.querySelectorAll(selector)) {
      if (hidden(each) || each.disabled || getComputedStyle(each).visibility === "hidden") continue;
      const boxes = [each.getBoundingClientRect()];
      const label = each.closest("label") || (each.id && document.querySelector(`label[for="${CSS.escape(each.id)}"]`));
      if (label) boxes.push(label.getBoundingClientRect());
      const side = Math.max(...boxes.map((box) => Math.min(box.width, box.height)));
      if (side < least - 0.6) bad.push(`${named(each)} ${said(each)} ${boxes[0].width.toFixed(0)}x${boxes[0].height.toFixed(0)}`);
    }
    return bad;
  };

  const clipped = () => {
    const bad = [];
    const root = document.documentElement;
    if (root.scrollWidth > root.clientWidth + 1) bad.push(`the page is wider than the screen: ${root.scrollWidth} > ${root.clientWidth}`);
    for (const each of document.querySelectorAll("body *")) {
      if (hidden(each) || ![...each.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())) continue;
      if (elided(each)) continue;
      const style = getComputedStyle(each);
      const scrolls = ["auto", "scroll"].includes(style.overflowX);
      if (!scrolls && style.overflowX !== "visible" && each.scrollWidth > each.clientWidth + 2) bad.push(`cut off: ${named(each)} ${said(each)}`);
      const within = covered(each);
      if (within) bad.push(`cut off by ${named(within)}: ${named(each)} ${said(each)}`);
      const hold = each.closest("button, a.key, .key, th, td, .card, .count, .page-head");
      if (!hold) continue;
      const inner = each.getBoundingClientRect(), outer = hold.getBoundingClientRect();
      if (inner.right > outer.right + 2 || inner.left < outer.left - 2 || inner.bottom > outer.bottom + 3) {
        bad.push(`out of its box: ${named(hold)} ${said(each)}`);
      } else if (hold.scrollWidth > hold.clientWidth + 2 && !["auto", "scroll"].includes(getComputedStyle(hold).overflowX)) {
        bad.push(`too long for its box: ${named(hold)} ${said(hold)}`);
      }
    }
    return [...new Set(bad)];
  };

  const texts = () => {
    const out = [];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const parent = walk.currentNode.parentElement;
      if (parent && !parent.closest("script, style, [translate=no], [hidden], dialog:not([open])") && walk.currentNode.textContent.trim()) {
        out.push(walk.currentNode.textContent.trim());
      }
    }
    for (const name of ["aria-label", "alt", "placeholder", "title"]) {
      for (const each of document.querySelectorAll(`[${name}]`)) if (!each.closest("[translate=no]")) out.push(each.getAttribute(name));
    }
    return out;
  };

  const doubled = () => {
    const seen = new Set(), bad = [];
    for (const each of document.querySelectorAll("[id]")) seen.has(each.id) ? bad.push(`two of id ${each.id}`) : seen.add(each.id);
    for (const each of document.querySelectorAll("button[form], input[form]")) if (!each.form) bad.push(`belongs to no form: ${named(each)}`);
    return bad;
  };

  const DRAWN = "path, rect, circle, line, polyline, polygon, ellipse, text";

  // Colours that are no token of tokens.css in the theme that is on.
  const strayColours = () => {
    const probe = document.body.appendChild(document.createElement("i"));
    const sheet = [...document.styleSheets].find((one) => (one.href || "").includes("/tokens."));
    const names = [...sheet.cssRules].flatMap((rule) => (rule.style ? [...rule.style] : [])).filter((name) => name.startsWith("--"));
    const tokens = new Set(["rgba(0, 0, 0, 0)"]);
    for (const name of new Set(names)) {
      const value = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
      if (!CSS.supports("color", value)) continue;
      probe.style.color = value;
      tokens.add(getComputedStyle(probe).color);
    }
    probe.remove();
    const bad = [];
    for (const each of document.querySelectorAll(`body, body *`)) {
      if (each.closest("[hidden], dialog:not([open])") || !each.getClientRects().length) continue;
      const style = getComputedStyle(each), seen = {};
      if (each.matches(DRAWN)) {
        if (style.fill !== "none" && style.fillOpacity !== "0") seen.fill = style.fill;
        if (style.stroke !== "none") seen.stroke = style.stroke;
      } else if (!each.closest("svg")) {
        seen.background = style.backgroundColor;
        if ([...each.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()) || each.matches("input, select, textarea")) seen.text = style.color;
        for (const side of ["Top", "Right", "Bottom", "Left"]) {
          if (parseFloat(style[`border${side}Width`]) && style[`border${side}Style`] !== "none") seen.border = style[`border${side}Color`];
        }
        if (style.outlineStyle !== "none" && parseFloat(style.outlineWidth)) seen.outline = style.outlineColor;
      }
      for (const [what, colour] of Object.entries(seen)) if (!tokens.has(colour)) bad.push(`${colour} is no token: ${what} of ${named(each)}`);
    }
    return [...new Set(bad)];
  };

  window.okngChecks = { brokenWords, doubled, smallTargets, strayColours, clipped, texts };
})();
