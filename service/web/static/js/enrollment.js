// Draws what became of each enrolled image: accepted and cleaned, or refused and why.

import { el } from "./dom.js";
import { filePlate, referenceCard, referenceLabel, warningList } from "./pictures.js";
import { nameOf, plural } from "./words.js";

export function enrollmentOutcome({ writer, references, refused, warnings }, files) {
  return el(
    "div",
    { class: "card decision" },
    references.length ? accepted(writer, references, warnings) : null,
    refused.length ? refusals(refused, files) : null,
  );
}

function accepted(writer, references, warnings) {
  const id = encodeURIComponent(writer.writer_id);
  return el(
    "section",
    { class: "decision-part" },
    el(
      "div",
      { class: "panel-head" },
      el("h2", {}, `${plural(references.length, "reference")} put on file for ${nameOf(writer)}`),
      el(
        "div",
        { class: "detail-actions" },
        el("a", { class: "button button-small", href: `#/verify?writer=${id}` }, "Verify a signature"),
        el("a", { class: "button button-small", href: `#/writers/${id}` }, "See the writer"),
      ),
    ),
    warningList(warnings),
    el(
      "ul",
      { class: "reference-grid" },
      references.map((one) =>
        referenceCard(writer.writer_id, one, referenceLabel(one), warningList(one.quality?.warnings)),
      ),
    ),
  );
}

function refusals(refused, files) {
  const byName = new Map(files.map((file) => [file.name, file]));
  return el(
    "section",
    { class: "decision-part" },
    el("h2", {}, `${plural(refused.length, "image")} refused`),
    el("p", { class: "hint" }, "Nothing of a refused image is kept."),
    el(
      "ul",
      { class: "refusals" },
      refused.map(({ filename, reason }) =>
        el(
          "li",
          {},
          byName.has(filename) ? filePlate(byName.get(filename)) : el("span"),
          el("p", {}, el("strong", {}, filename ?? "Unnamed image"), reason),
        ),
      ),
    ),
  );
}
