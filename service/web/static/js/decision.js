// Draws the answer of a verification: verdict, score, what was compared, details to quote.

import { referenceImageUrl } from "./api.js";
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

// What decides stands first and in one screen: the verdict in a line, and the two signatures that are
// most alike beside each other. What it rests on can be opened below.
export function verificationDecision(answer, writer, query, choosePart) {
  const [title, sentence] = verdictWords(answer.verdict, answer.references.length);
  const references = [...answer.references].sort((one, other) => other.similarity - one.similarity);
  const beside = el("div", { class: "pair-reference", "aria-live": "polite" });
  const strip = referenceStrip(writer, references, (reference) =>
    beside.replaceChildren(largeReference(writer, reference, references[0] === reference)),
  );
  return decisionCard(
    answer.verdict,
    verdictHead(answer.verdict, title, sentence, unmeasuredWords(answer)),
    el(
      "section",
      { class: "decision-part" },
      el("div", { class: "pair" }, largeQuery(answer, query.file), beside),
      warningList(answer.warnings),
    ),
    part(
      `The references of ${nameOf(writer)}, most alike first`,
      el(
        "p",
        { class: "hint" },
        "Similarity to the query signature: 1 is the same picture, 0 is unrelated.",
        references.some((one) => one.local_similarity !== null)
          ? " Strokes: how well they match piece by piece, at most 1."
          : null,
      ),
      strip,
    ),
    figures(answer),
    part("The query signature", queryPair({ ...answer, cleaned: null, warnings: [] }, query.file, choosePart)),
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

const largeQuery = ({ cleaned }, file) =>
  cleaned
    ? captioned(plate(cleaned, "The query signature after cleaning"), "Query signature, as compared")
    : captioned(filePlate(file, "The query signature as uploaded"), "Query signature");

const largeReference = (writer, { reference_id: id }, isBest) =>
  captioned(
    plate(referenceImageUrl(writer.writer_id, id), `Reference ${id}, cleaned`),
    isBest ? `Reference ${id}, the most alike` : `Reference ${id}`,
  );

// The references small, one of them shown large; the most alike is at first.
function referenceStrip(writer, references, showLarge) {
  const buttons = references.map((reference) =>
    el(
      "button",
      {
        type: "button",
        class: "button button-small",
        "aria-label": `Show reference ${reference.reference_id} large`,
        onclick: () => pick(reference),
      },
      "Show large",
    ),
  );
  const pick = (reference) => {
    buttons.forEach((button, at) => button.setAttribute("aria-pressed", String(references[at] === reference)));
    showLarge(reference);
  };
  if (references.length) pick(references[0]);
  return el(
    "ul",
    { class: "reference-grid" },
    references.map((reference, at) =>
      referenceCard(
        writer.writer_id,
        reference,
        likenessBar(`Ref. ${reference.reference_id}`, reference.similarity, reference.local_similarity),
        reference.copy ? el("p", { class: "hint" }, "A copy of another reference: left out of the score.") : null,
        buttons[at],
      ),
    ),
  );
}

const figures = (answer) =>
  el(
    "details",
    { class: "decision-part figures" },
    el("summary", {}, `The figures behind it: score ${signed(answer.score, 3)}, threshold ${signed(answer.threshold, 3)}`),
    scoreGauge(answer),
    likelihood(answer.log_lr, answer.log_lr_bound, "a practised imitation", answer.verdict),
    likelihood(answer.log_lr_random, answer.log_lr_random_bound, "another person’s own signature", answer.verdict),
    contributionList(answer.contributions),
  );

const likelihood = (...about) => el("p", { class: "likelihood" }, likelihoodWords(...about));

// Paper has nothing to open.
addEventListener("beforeprint", () => {
  for (const one of document.querySelectorAll(".figures:not([open])")) {
    one.open = true;
    addEventListener("afterprint", () => (one.open = false), { once: true });
  }
});

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
    el("div", {}, el("h2", { tabindex: "-1" }, title), el("p", {}, sentence), caution ? el("p", {}, caution) : null),
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

// What was uploaded beside what was made of it, since a clerk has to see that cleaning kept the
// signature and nothing else.
export function queryPair(answer, file, choosePart) {
  return el(
    "div",
    {},
    el(
      "div",
      { class: "plates" },
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
