// Pictures on white plates: chosen files, cleaned images, references; with words where a browser
// cannot show the format (TIFF).

import { referenceImageUrl } from "./api.js";
import { el, icon } from "./dom.js";
import { dateWords } from "./words.js";

export function plate(source, alt) {
  const image = el("img", { src: source, alt, decoding: "async" });
  const box = el("div", { class: "preview-plate" }, image);
  image.addEventListener("error", () => {
    box.replaceChildren(
      el("span", { class: "preview-missing" }, icon("picture"), "No preview"),
    );
  });
  return box;
}

// The picture of a chosen file; its address is given back once the browser has read it.
export function filePlate(file, alt = "") {
  const url = URL.createObjectURL(file);
  const box = plate(url, alt);
  const image = box.querySelector("img");
  for (const end of ["load", "error"]) {
    image.addEventListener(end, () => URL.revokeObjectURL(url), { once: true });
  }
  return box;
}

export const captioned = (picture, caption) =>
  el("figure", { class: "plate" }, picture, el("figcaption", {}, caption));

// All ink of an image, what was taken as the signature apart from what was left out; nothing where
// nothing was.
export const leftOutPlate = (picture) =>
  picture ? plate(picture, "What was taken as the signature, in black, and what was left out, in brown") : null;

export const leftOutLegend = () =>
  el(
    "span",
    { class: "ink-legend" },
    el("span", {}, el("span", { class: "swatch swatch-kept", "aria-hidden": "true" }), "Black: taken as the signature"),
    el("span", {}, el("span", { class: "swatch swatch-left-out", "aria-hidden": "true" }), "Brown: left out as print, lines or stamps"),
  );

export function warningList(warnings = []) {
  if (!warnings.length) return null;
  return el(
    "ul",
    { class: "warnings" },
    warnings.map((one) => el("li", {}, icon("warning"), el("span", {}, one.message))),
  );
}

// A reference's cleaned picture with whatever the caller puts below it.
export function referenceCard(writerId, reference, ...foot) {
  const url = referenceImageUrl(writerId, reference.reference_id);
  return el(
    "li",
    { class: "plate", "data-reference": reference.reference_id },
    plate(url, `Reference ${reference.reference_id}, cleaned`),
    el("div", { class: "reference-foot" }, ...foot),
  );
}

export const referenceLabel = (reference) =>
  el(
    "span",
    { class: "option-id" },
    `Reference ${reference.reference_id}`,
    el("br"),
    dateWords(reference.created_at),
  );
