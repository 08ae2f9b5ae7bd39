// An image with the parts that were found in it as buttons, and a way to give a part of one's own:
// for images of which the whole is no one signature.

import { el, icon } from "./dom.js";
import { boxNames } from "./words.js";

const drawn_from_px = 5; // A press that moves less is a click.
const sides = [
  ["x", "Left (x)"],
  ["y", "Top (y)"],
  ["w", "Width"],
  ["h", "Height"],
];

// Asks which part to look at; `onChoose` gets a region {x, y, w, h} and its name in words. With
// `keeps`, the choice stays marked instead of leading on at once.
export function regionChooser(file, boxes, onChoose, { keeps = false } = {}) {
  const names = boxNames(boxes);
  const choices = boxes.map((box, at) => choice(box, names[at]));
  const image = el("img", { alt: boxes.length ? "The image, with what was found in it" : "The image", draggable: "false" });
  const outline = el("span", { class: "region-outline", hidden: true });
  const stage = el("div", { class: "region-stage", hidden: true }, image, outline);
  const byWords = el("ul", { class: "region-words", hidden: true });
  const own = ownRegion(image, outline, (region) => choose(region, `the part at ${regionText(region)}`, own));

  function choice(box, [name, rest]) {
    const region = { x: box.x, y: box.y, w: box.w, h: box.h };
    const button = el(
      "button",
      { type: "button", "aria-pressed": keeps && "false" },
      el("span", { class: "region-name" }, name, rest ? el("span", { class: "visually-hidden" }, rest) : null),
    );
    button.addEventListener("click", () => choose(region, name + rest, button));
    return { button, region };
  }

  function choose(region, words, chosen) {
    if (keeps) {
      for (const { button } of choices) button.setAttribute("aria-pressed", String(button === chosen));
      outline.hidden = outline.hidden || chosen !== own;
    }
    onChoose(region, words);
  }

  image.addEventListener("load", () => {
    for (const { button, region } of choices) {
      button.className = "region-box";
      lay(button, region, image);
      stage.append(button);
    }
    stage.hidden = false;
    makeDrawable(stage, image, own.fill);
  }, { once: true });
  // Where the image cannot be shown: the same buttons in words.
  function sayInWords() {
    for (const { button } of choices) {
      button.className = "button";
      button.querySelector(".visually-hidden")?.classList.remove("visually-hidden");
    }
    byWords.append(...choices.map(({ button }) => el("li", {}, button)));
    byWords.hidden = !choices.length;
    own.showsNoImage();
  }

  image.addEventListener("error", sayInWords, { once: true }); // A TIFF or a PDF.
  isShownUpright(file).then((upright) => {
    if (!upright) {
      sayInWords();
      return;
    }
    const url = URL.createObjectURL(file);
    for (const end of ["load", "error"]) image.addEventListener(end, () => URL.revokeObjectURL(url), { once: true });
    image.src = url;
  });

  return el("div", { class: "region-chooser" }, stage, byWords, own.form);
}

// Browsers turn what says how it is to be turned, but for WebP: Chromium passes over what its Exif
// part says, and boxes would lie elsewhere.
async function isShownUpright(file) {
  const head = new Uint8Array(await file.slice(0, 21).arrayBuffer());
  const kinds = String.fromCharCode(...head.slice(8, 16));
  const hasExif = (head[20] & 0x08) !== 0;
  return !(kinds === "WEBPVP8X" && hasExif);
}

export const regionText = ({ x, y, w, h }) => `${x},${y},${w},${h}`;

// The card that asks about a query signature.
export function regionQuestion(title, words, chooser) {
  const heading = el("h2", { tabindex: "-1" }, title);
  const card = el(
    "section",
    { class: "card decision-part region-question" },
    el("div", { class: "note" }, icon("warning"), el("div", {}, heading, el("p", {}, words))),
    chooser,
  );
  return { card, focus: () => heading.focus({ preventScroll: true }) };
}

// Says under an image which part of it is looked at; `show(null)` says nothing.
export function regionNote(lookAtAll) {
  const note = el("div", { class: "hint region-note", hidden: true });
  const whole = el("button", { type: "button", class: "button button-small", onclick: lookAtAll }, "Look at all of it");
  const show = (region) => {
    note.hidden = !region;
    note.replaceChildren(...(region ? [el("span", {}, `Looked at: ${region.words}`), whole] : []));
  };
  return { note, show };
}

// Four numbers and a button; `fill` puts in what was drawn.
function ownRegion(image, outline, onChoose) {
  const fields = sides.map(([side, label]) => {
    const input = el("input", { type: "number", name: side, min: side === "w" || side === "h" ? 1 : 0, step: 1, inputmode: "numeric", required: true });
    return { side, input, label: el("label", {}, label, input) };
  });
  const hint = el("p", { class: "hint" }, "Draw a box on the image, or give its place and size in pixels.");
  const alert = el("p", { class: "alert", role: "alert", hidden: true });
  const form = el(
    "form",
    { class: "region-own", novalidate: true },
    el("fieldset", {}, el("legend", {}, "A part of your own"), hint, el("div", { class: "region-sides" }, fields.map(({ label }) => label))),
    alert,
    el("button", { type: "submit", class: "button" }, "Look at this part"),
  );

  const read = () => Object.fromEntries(fields.map(({ side, input }) => [side, input.value.trim() === "" ? NaN : Number(input.value)]));

  function show() {
    alert.hidden = true;
    const region = read();
    outline.hidden = fault(region, image) !== null;
    if (!outline.hidden) lay(outline, region, image);
  }

  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const region = read();
    const wrong = fault(region, image);
    if (wrong === null) {
      onChoose(region);
      return;
    }
    alert.textContent = wrong.words;
    alert.hidden = false;
    fields.find(({ side }) => side === wrong.side).input.focus();
  });

  return {
    form,
    fill(region) {
      for (const { side, input } of fields) input.value = region[side];
      show();
    },
    showsNoImage() {
      hint.textContent = "The browser cannot show this image. Give the place and size of the part in pixels of the upright image.";
    },
  };
}

// What is wrong with a region, and with which of its sides; null if nothing is. The size of an
// image that the browser cannot show is for the server to know.
function fault(region, { naturalWidth, naturalHeight }) {
  for (const [side, label] of sides) {
    const least = side === "w" || side === "h" ? 1 : 0;
    if (!Number.isInteger(region[side]) || region[side] < least) {
      return { side, words: `${label}: give a whole number of pixels, ${least} or more.` };
    }
  }
  if (!naturalWidth) return null;
  const size = `The image is ${naturalWidth} pixels wide and ${naturalHeight} high.`;
  if (region.x + region.w > naturalWidth) return { side: "w", words: `The part reaches out of the image at the right. ${size}` };
  if (region.y + region.h > naturalHeight) return { side: "h", words: `The part reaches out of the image at the bottom. ${size}` };
  return null;
}

// Puts an element over a part of the image, whatever size that is shown in.
function lay(element, region, { naturalWidth, naturalHeight }) {
  const shares = [region.x / naturalWidth, region.y / naturalHeight, region.w / naturalWidth, region.h / naturalHeight];
  for (const [at, name] of ["--left", "--top", "--width", "--height"].entries()) {
    element.style.setProperty(name, String(100 * shares[at]));
  }
}

// Lets the pointer draw a box, also one that begins on a button.
function makeDrawable(stage, image, onDrawn) {
  let start = null;
  let drew = false;

  const at = ({ clientX, clientY }) => {
    const box = image.getBoundingClientRect();
    const share = (value, length) => Math.min(1, Math.max(0, value / length));
    return {
      x: Math.round(share(clientX - box.left, box.width) * image.naturalWidth),
      y: Math.round(share(clientY - box.top, box.height) * image.naturalHeight),
    };
  };

  stage.addEventListener("pointerdown", (event) => {
    drew = false;
    start = event.isPrimary && event.button === 0 ? { event, point: at(event) } : null;
  });
  stage.addEventListener("pointermove", (event) => {
    if (!start) return;
    const moved = Math.hypot(event.clientX - start.event.clientX, event.clientY - start.event.clientY);
    if (!drew && moved < drawn_from_px) return;
    drew = true;
    stage.setPointerCapture(event.pointerId);
    const end = at(event);
    const [x, y] = [Math.min(start.point.x, end.x), Math.min(start.point.y, end.y)];
    const [w, h] = [Math.abs(start.point.x - end.x), Math.abs(start.point.y - end.y)];
    onDrawn({ x, y, w, h });
  });
  for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, () => (start = null));
  // The click that ends a drawing chooses nothing, also where it is sent to the button and not, as
  // by Chromium, to what holds the pointer.
  stage.addEventListener("click", (event) => {
    if (drew) event.stopPropagation();
    drew = false;
  }, { capture: true });
}
