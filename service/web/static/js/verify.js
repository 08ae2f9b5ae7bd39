// The view that answers "is it this writer's?".

import { getWriter, listReferences, verify } from "./api.js";
import { createCombobox } from "./combobox.js";
import { verificationDecision } from "./decision.js";
import { announce, bringIntoSight, byId, el, showOnly } from "./dom.js";
import { Incomplete, clearError, onSubmit, showError } from "./forms.js";
import { referenceCard, referenceLabel } from "./pictures.js";
import { createQueryImage } from "./query_image.js";
import { nameOf, operatingPointName, operatingPointWords, plural, verdictWords } from "./words.js";

export function createVerifyView(about) {
  const form = byId("verify-form");
  const alert = form.querySelector("[role=alert]");
  const results = byId("verify-results");
  const empty = byId("verify-empty");
  const onFile = byId("verify-references");
  const decision = byId("verify-decision");
  const point = byId("verify-point");
  const pointHint = byId("verify-point-hint");
  const picker = createCombobox(byId("verify-writer"), showReferences);
  const query = createQueryImage(byId("verify-image"), withdraw);
  // Counts what was asked: an answer to an earlier question is never shown beside a newer one.
  let question = 0;

  about.then(({ operating_points: points, default_operating_point: usual, expected_errors: errors }) => {
    const explain = () => {
      pointHint.textContent = operatingPointWords(errors[point.value]);
    };
    point.replaceChildren(
      ...points.map((name) => el("option", { value: name, selected: name === usual }, operatingPointName(name))),
    );
    point.addEventListener("change", explain);
    explain();
  }, () => point.replaceChildren(el("option", { value: "" }, "As the server is set")));
  point.addEventListener("change", withdraw);

  // A verdict must not outlive the inputs it was about.
  function withdraw() {
    question += 1;
    clearError(alert);
    decision.replaceChildren();
    showOnly(results, picker.writer() && onFile.childElementCount ? onFile : empty);
  }

  async function showReferences(writer) {
    onFile.replaceChildren();
    withdraw();
    if (!writer) return;
    const asked = question;
    try {
      const { references } = await listReferences(writer.writer_id);
      if (picker.writer() !== writer) return;
      onFile.replaceChildren(referencesOf(writer, references));
      if (asked === question || decision.hidden) showOnly(results, onFile);
    } catch (error) {
      if (picker.writer() === writer) showError(alert, error);
    }
  }

  onSubmit(form, "Verifying…", async () => {
    const writer = picker.writer();
    const file = query.file();
    if (!writer) throw new Incomplete("Choose the writer who is said to have signed.", picker);
    if (!file) throw new Incomplete("Add an image of the signature in question.", query);
    withdraw();
    const asked = question;
    const about = query.asked();
    const answer = await verify(writer.writer_id, file, about.region?.text, point.value).catch((error) =>
      query.askWhich(error, asked === question ? ask : () => {}),
    );
    if (answer === null || asked !== question) return;
    decision.replaceChildren(verificationDecision(answer, writer, about, () => ask()));
    showOnly(results, decision);
    bringIntoSight(results);
    announce(verdictWords(answer.verdict, answer.references.length).join(": "));
  });

  // Asks which part of the image to look at.
  function ask(problem) {
    const question = query.askForPart(form, problem);
    decision.replaceChildren(question.card);
    showOnly(results, decision);
    bringIntoSight(results);
    question.focus();
  }

  // Fills the form from elsewhere: a link with a writer, or a candidate with the image asked about.
  async function prefill(writerId, { file, region } = {}) {
    if (file) query.hold(file, region);
    if (!writerId || picker.writer()?.writer_id === writerId) return;
    try {
      picker.choose(await getWriter(writerId));
    } catch (error) {
      showError(alert, error);
    }
  }

  return { prefill };
}

function referencesOf(writer, references) {
  if (!references.length) {
    return el(
      "div",
      { class: "placeholder" },
      el("h2", {}, `${nameOf(writer)} has no references yet`),
      el("p", {}, "There is nothing to compare a signature with. Add references first."),
      el("a", { class: "button", href: `#/enroll?writer=${encodeURIComponent(writer.writer_id)}` }, "Add references"),
    );
  }
  return el(
    "section",
    { class: "card decision-part" },
    el("h3", {}, `${plural(references.length, "reference")} on file for ${nameOf(writer)}`),
    el(
      "ul",
      { class: "reference-grid" },
      references.map((one) => referenceCard(writer.writer_id, one, referenceLabel(one))),
    ),
  );
}
