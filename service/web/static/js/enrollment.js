// Draws what became of each enrolled image: accepted and cleaned, or refused and why.

import { el } from "./dom.js";
import { filePlate, leftOutLegend, leftOutPlate, referenceCard, referenceLabel, warningList } from "./pictures.js";
import { regionChooser, regionText } from "./region_chooser.js";
import { nameOf, plural, severalWords } from "./words.js";

export function enrollmentOutcome({ writer, references, refused, warnings }, files, choosing) {
  const isUndecided = ({ boxes }) => boxes?.length > 0;
  const undecided = refused.filter(isUndecided);
  const unusable = refused.filter((one) => !isUndecided(one));
  return el(
    "div",
    { class: "card decision" },
    references.length ? accepted(writer, references, warnings) : null,
    undecided.length ? questions(undecided, files, choosing) : null,
    unusable.length ? refusals(unusable, files) : null,
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
    references.some((one) => one.left_out) ? el("p", { class: "hint" }, leftOutLegend()) : null,
    el(
      "ul",
      { class: "reference-grid" },
      references.map((one) =>
        referenceCard(writer.writer_id, one, leftOutPlate(one.left_out), referenceLabel(one), warningList(one.quality?.warnings)),
      ),
    ),
  );
}

// Images with more than one thing in them: each with its parts to choose from.
function questions(undecided, files, { onChoose, sendAgain, several }) {
  const byName = new Map(files.map((file) => [file.name, file]));
  return el(
    "section",
    { class: "decision-part region-question" },
    el("h2", {}, `${plural(undecided.length, "image")} to choose a part of`),
    el(
      "ul",
      { class: "region-questions" },
      undecided.map(({ filename, code, boxes }) =>
        el(
          "li",
          { "data-image": filename },
          el("p", {}, el("strong", {}, filename), el("br"), severalWords(code)[1]),
          regionChooser(
            byName.get(filename),
            boxes,
            (region, words) => onChoose(filename, { text: regionText(region), words }),
            { keeps: several },
          ),
        ),
      ),
    ),
    several
      ? el("button", { type: "button", class: "button button-primary", onclick: sendAgain }, "Enroll the parts chosen")
      : null,
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
