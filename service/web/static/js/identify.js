// The view that answers "whose is it, if anyone's we know?".

import { identify, referenceImageUrl } from "./api.js";
import { candidateBars } from "./bars.js";
import { copyable, decisionCard, facts, imageWords, part, printButton, queryPair, verdictHead } from "./decision.js";
import { announce, bringIntoSight, byId, el, icon, showOnly } from "./dom.js";
import { Incomplete, clearError, onSubmit } from "./forms.js";
import { plate } from "./pictures.js";
import { createQueryImage } from "./query_image.js";
import { idLine, identificationWords, modelWords, momentWords, nameOf, plural, signed, unmeasuredWords } from "./words.js";

const shown_at_once = 5;

export function createIdentifyView(verifyAgainst) {
  const form = byId("identify-form");
  const alert = form.querySelector("[role=alert]");
  const results = byId("identify-results");
  const empty = byId("identify-empty");
  const decision = byId("identify-decision");
  const query = createQueryImage(byId("identify-image"), withdraw);

  function withdraw() {
    clearError(alert);
    decision.replaceChildren();
    showOnly(results, empty);
  }

  onSubmit(form, "Identifying…", async () => {
    const file = query.file();
    if (!file) throw new Incomplete("Add an image of the signature in question.", query);
    const about = query.asked();
    const isStill = () => about.file === query.file() && about.region === query.asked().region;
    const answer = await identify(file, about.region?.text).catch((error) =>
      query.askWhich(error, isStill() ? ask : () => {}),
    );
    if (answer === null || !isStill()) return;
    decision.replaceChildren(identificationDecision(answer, about, { verifyAgainst, choosePart: () => ask() }));
    showOnly(results, decision);
    bringIntoSight(results);
    announce(identificationWords(answer).join(": "));
  });

  function next() {
    query.next();
    byId("identify-image-input").focus({ preventScroll: true });
    scrollTo(0, 0);
  }

  byId("identify-next").addEventListener("click", next);

  // Asks which part of the image to look at.
  function ask(problem) {
    const question = query.askForPart(form, problem);
    decision.replaceChildren(question.card);
    showOnly(results, decision);
    bringIntoSight(results);
    question.focus();
  }

  return { next };
}

function identificationDecision(answer, query, { verifyAgainst, choosePart }) {
  const [title, sentence] = identificationWords(answer);
  return decisionCard(
    answer.verdict,
    verdictHead(answer.verdict, title, sentence, unmeasuredWords(answer)),
    part(
      "Whom it resembles, best first",
      el(
        "p",
        { class: "note" },
        icon("warning"),
        el(
          "span",
          {},
          "Identification says whom a signature resembles, not that it is authentic: a good imitation resembles its victim most. Verify before you rely on it.",
        ),
      ),
      answer.candidates.length
        ? candidateList(answer, (writerId) => verifyAgainst(writerId, query))
        : el("p", {}, "Nobody is enrolled yet."),
    ),
    part("The query signature", queryPair(answer, query.file, choosePart)),
    part(
      "To quote",
      facts([
        ["Decision", copyable(answer.decision_id)],
        ["Image", imageWords(query)],
        ["Compared with", plural(answer.gallery_size, "enrolled writer")],
        ["Model", modelWords(answer.model)],
        ["Decided", momentWords(new Date())],
      ]),
      printButton(),
    ),
  );
}

function candidateList({ candidates, threshold }, onVerify) {
  const bars = candidateBars(candidates.map(({ score }) => score), threshold);
  const rows = candidates.map((candidate, at) =>
    candidateRow(candidate, at + 1, bars[at], () => onVerify(candidate.writer_id)),
  );
  return el(
    "div",
    {},
    el("ol", { class: "candidates" }, rows.slice(0, shown_at_once)),
    rows.length > shown_at_once
      ? el(
          "details",
          { class: "further" },
          el("summary", {}, plural(rows.length - shown_at_once, "further candidate")),
          el("ol", { class: "candidates", start: shown_at_once + 1 }, rows.slice(shown_at_once)),
        )
      : "",
    el("p", { class: "hint" }, `The line across a bar marks the threshold, ${signed(threshold)}: a signature counts as identified from there on.`),
  );
}

function candidateRow(candidate, rank, bar, onVerify) {
  return el(
    "li",
    { "data-writer": candidate.writer_id },
    el("span", { class: "rank" }, String(rank)),
    el(
      "div",
      { class: "plate" },
      plate(referenceImageUrl(candidate.writer_id, candidate.reference_id), `The most alike reference of ${nameOf(candidate)}`),
    ),
    el(
      "div",
      { class: "candidate-what" },
      el(
        "div",
        { class: "person" },
        el("a", { href: `#/writers/${encodeURIComponent(candidate.writer_id)}` }, nameOf(candidate)),
        el("span", { class: "option-id" }, idLine(candidate)),
      ),
      candidate.shares_with.length
        ? el("p", { class: "hint" }, `Has a reference that ${candidate.shares_with.join(" and ")} also has.`)
        : null,
      bar,
    ),
    el(
      "button",
      { type: "button", class: "button button-small", "aria-label": `Verify against ${nameOf(candidate)}`, onclick: onVerify },
      "Verify against this writer",
    ),
  );
}
