// Draws the answer of a verification: verdict, score, what was compared, details to quote.

import { likenessBar, scoreGauge } from "./bars.js";
import { el, icon } from "./dom.js";
import { captioned, filePlate, leftOutLegend, leftOutPlate, plate, referenceCard, warningList } from "./pictures.js";
import {
  expectedErrorsWords,
  likelihoodWords,
  modelWords,
  momentWords,
  nameOf,
  operatingPointName,
  signed,
  unmeasuredWords,
  verdictWords,
} from "./words.js";

export function verificationDecision(answer, writer, query, choosePart) {
  const [title, sentence] = verdictWords(answer.verdict, answer.references.length);
  const piecesKnown = answer.references.some((reference) => reference.local_similarity !== null);
  return decisionCard(
    answer.verdict,
    verdictHead(answer.verdict, title, sentence, unmeasuredWords(answer)),
    part(
      "How alike",
      scoreGauge(answer),
      el("p", { class: "likelihood" }, likelihoodWords(answer.log_lr, answer.log_lr_bound, "a practised imitation")),
      el(
        "p",
        { class: "likelihood" },
        likelihoodWords(answer.log_lr_random, answer.log_lr_random_bound, "another person’s own signature"),
      ),
      contributionList(answer.contributions),
    ),
    part("The query signature", queryPair(answer, query.file, choosePart)),
    part(
      `The references of ${nameOf(writer)}, most alike first`,
      el(
        "p",
        { class: "hint" },
        "Similarity to the query signature: 1 is the same picture, 0 is unrelated.",
        piecesKnown ? " Strokes: how well they match piece by piece, at most 1." : null,
      ),
      el(
        "ul",
        { class: "reference-grid" },
        [...answer.references]
          .sort((one, other) => other.similarity - one.similarity)
          .map((reference) =>
            referenceCard(
              writer.writer_id,
              reference,
              likenessBar(`Ref. ${reference.reference_id}`, reference.similarity, reference.local_similarity),
              reference.copy ? el("p", { class: "hint" }, "A copy of another reference: left out of the score.") : null,
            ),
          ),
      ),
    ),
    part(
      "To quote",
      facts([
        ["Decision", copyable(answer.decision_id)],
        ["Writer", writer.name ? `${writer.name} (${writer.writer_id})` : writer.writer_id],
        ["Image", imageWords(query)],
        ["Operating point", `${operatingPointName(answer.operating_point)} (${answer.operating_point})`],
        ["Errors to expect", expectedErrorsWords(answer.expected_errors, answer.calibration)],
        ["Model", modelWords(answer.model)],
        ["Decided", momentWords(new Date())],
      ]),
      printButton(),
    ),
  );
}

// What spoke for and against, the least like the writer first; 0 is a usual genuine signature.
const contributionList = (contributions) =>
  el(
    "details",
    { class: "contributions" },
    el("summary", {}, "What the score is made of"),
    el(
      "p",
      { class: "hint" },
      "Against a usual genuine signature: below 0, this one is less like the references than usual.",
    ),
    facts(contributions.map(({ points, meaning }) => [signed(points), sentence(meaning)])),
  );

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;

export const decisionCard = (verdict, ...parts) =>
  el("article", { class: `card decision decision-${verdict}`, "data-verdict": verdict }, ...parts);

export const verdictHead = (verdict, title, sentence, caution = "") =>
  el(
    "header",
    { class: "verdict" },
    el("span", { class: "verdict-mark" }, icon(markOf[verdict] ?? "inconclusive")),
    el("div", {}, el("h2", {}, title), el("p", {}, sentence), caution ? el("p", {}, caution) : null),
  );

const markOf = {
  match: "match",
  identified: "identify",
  inconclusive: "inconclusive",
  not_enrolled: "identify",
  non_match: "non_match",
};

export const part = (title, ...content) =>
  el("section", { class: "decision-part" }, el("h3", {}, title), ...content);

// Both pictures, since a clerk has to see that cleaning kept the signature and nothing else.
export function queryPair(answer, file, choosePart) {
  return el(
    "div",
    {},
    el(
      "div",
      { class: "pair" },
      captioned(filePlate(file, "The query signature as uploaded"), "As uploaded"),
      answer.cleaned
        ? captioned(plate(answer.cleaned, "The query signature after cleaning"), "As compared, cleaned")
        : null,
      answer.left_out ? captioned(leftOutPlate(answer.left_out), leftOutLegend()) : null,
    ),
    warningList(answer.warnings),
    el(
      "div",
      { class: "decision-actions" },
      el("button", { type: "button", class: "button button-small", onclick: choosePart }, "Look at a part of the image only"),
    ),
  );
}

export const imageWords = ({ file, region }) =>
  region ? `${file.name}; looked at: ${region.words}` : file.name;

export const facts = (pairs) =>
  el(
    "dl",
    { class: "facts" },
    pairs.flatMap(([term, value]) => [el("dt", {}, term), el("dd", {}, value)]),
  );

export function copyable(text) {
  const said = el("span", { class: "hint", role: "status" });
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      said.textContent = "Copied";
    } catch {
      said.textContent = "Select and copy it by hand";
    }
  };
  return el(
    "span",
    {},
    el("code", { class: "decision-id" }, text),
    el("button", { type: "button", class: "icon-button", "aria-label": "Copy the decision id", onclick: copy }, icon("copy")),
    said,
  );
}

export const printButton = () =>
  el(
    "div",
    { class: "decision-actions" },
    el("button", { type: "button", class: "button", onclick: () => print() }, icon("print"), "Print or save as PDF"),
  );
