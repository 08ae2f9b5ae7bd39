// The view that answers "is it this writer's?".

import { getWriter, listReferences, verify } from "./api.js";
import { createCombobox } from "./combobox.js";
import { verificationDecision } from "./decision.js";
import { announce, bringIntoSight, byId, el, showOnly } from "./dom.js";
import { Incomplete, clearError, onSubmit, showError } from "./forms.js";
import { isTyping } from "./keys.js";
import { referenceCard, referenceLabel } from "./pictures.js";
import { createQueryImage } from "./query_image.js";
import { nameOf, operatingPointName, operatingPointWords, plural, verdictWords } from "./words.js";

// `onWriter` hears of every choice of a writer, by id or null.
export function createVerifyView(about, onWriter) {
  const form = byId("verify-form");
  const alert = form.querySelector("[role=alert]");
  const results = byId("verify-results");
  const empty = byId("verify-empty");
  const onFile = byId("verify-references");
  const decision = byId("verify-decision");
  const point = byId("verify-point");
  const pointHint = byId("verify-point-hint");
  const picker = createCombobox(byId("verify-writer"), changeWriter, () => query.file() && form.requestSubmit());
  const query = createQueryImage(byId("verify-image"), withdraw);
  // Counts what was asked: an answer to an earlier question is never shown beside a newer one.
  let question = 0;
  // Whom the view is about, by id, and the fetching of whoever the address names.
  let writerId = null;
  let arriving = null;

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

  // Beside a verdict the question is small: the signatures need the room.
  function show(element) {
    byId("verify").classList.toggle("is-decided", decision.querySelector(".decision") !== null);
    showOnly(results, element);
  }

  // A verdict must not outlive the inputs it was about.
  function withdraw() {
    question += 1;
    clearError(alert);
    decision.replaceChildren();
    show(picker.writer() && onFile.childElementCount ? onFile : empty);
  }

  // An image is of one writer's hand: it never stays when another one is chosen. One that came before
  // any writer does.
  function changeWriter(writer) {
    const before = writerId;
    writerId = writer?.writer_id ?? null;
    arriving = null;
    if (before !== null && before !== writerId && query.file()) {
      query.hold(null, null, "Another writer: the image before was taken away.");
    }
    onWriter(writerId);
    showReferences(writer);
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
      if (asked === question || decision.hidden) show(onFile);
    } catch (error) {
      if (picker.writer() === writer) showError(alert, error);
    }
  }

  onSubmit(form, "Verifying…", async () => {
    await arriving;
    if (!picker.writer() && picker.typed() && !(await picker.take()) && picker.writer()) {
      throw new Incomplete("Is this the writer who is meant? Press Verify again if so.", picker);
    }
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
    show(decision);
    bringIntoSight(results);
    announce(verdictWords(answer.verdict, answer.references.length).join(": "));
    // In the writer's field the next key would be a letter of a name, not a command.
    if (document.activeElement?.matches("#verify-writer-input")) focusVerdict();
  });

  const focusVerdict = () => decision.querySelector(".verdict h2").focus({ preventScroll: true });

  function next() {
    picker.choose(null);
    query.next();
    picker.begin();
    scrollTo(0, 0);
  }

  byId("verify-next").addEventListener("click", next);
  // After a verdict, what is typed begins anew.
  document.addEventListener("keydown", (event) => {
    if (!decision.hidden && isTyping(event, decision.querySelector(".verdict h2"))) picker.begin();
  });

  // Asks which part of the image to look at.
  function ask(problem) {
    const question = query.askForPart(form, problem);
    decision.replaceChildren(question.card);
    show(decision);
    bringIntoSight(results);
    question.focus();
  }

  // Shows what an address asks for: a writer or none, with an image where one was handed over.
  function goTo(id, { file = null, region = null } = {}) {
    if (id === writerId && !file) return;
    picker.choose(null, { quietly: true });
    writerId = id;
    arriving = null;
    onFile.replaceChildren();
    query.hold(file, region);
    if (id === null) return;
    const fetching = getWriter(id).then(
      (writer) => arriving === fetching && !picker.typed() && picker.choose(writer),
      (error) => arriving === fetching && showError(alert, error),
    );
    arriving = fetching;
  }

  return { show: goTo, next, begin: picker.begin };
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
