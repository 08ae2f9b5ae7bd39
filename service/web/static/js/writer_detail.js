// One writer: the references with their pictures, renaming, and erasing what is no longer wanted.

import { eraseReference, eraseWriter, getWriter, listReferences, renameWriter } from "./api.js";
import { announce, el, icon } from "./dom.js";
import { confirmErasure } from "./erase_dialog.js";
import { onSubmit, showError } from "./forms.js";
import { referenceCard, referenceLabel, warningList } from "./pictures.js";
import { dateWords, nameOf, plural, standingWords } from "./words.js";

export function createWriterDetail(box, { changed }) {
  let openId = null;

  async function open(writerId) {
    openId = writerId;
    if (box.dataset.writer !== writerId) box.replaceChildren(backLink(), loading());
    try {
      const [writer, { references }] = await Promise.all([getWriter(writerId), listReferences(writerId)]);
      if (openId !== writerId) return;
      box.dataset.writer = writerId;
      box.replaceChildren(backLink(), panel(writer, references));
    } catch (error) {
      if (openId !== writerId) return;
      delete box.dataset.writer;
      const alert = el("div", { class: "alert", role: "alert" });
      box.replaceChildren(backLink(), alert);
      showError(alert, error);
    }
  }

  function panel(writer, references) {
    const alert = el("div", { class: "alert", role: "alert", hidden: true });
    const id = encodeURIComponent(writer.writer_id);
    const form = renameForm(writer);
    return el(
      "article",
      { class: "card decision-part" },
      el(
        "div",
        { class: "panel-head" },
        el(
          "div",
          { class: "person" },
          el("h2", {}, nameOf(writer)),
          el("span", { class: "option-id" }, `${writer.writer_id}, on file since ${dateWords(writer.created_at)}`),
        ),
        el(
          "div",
          { class: "detail-actions" },
          el("a", { class: "button button-small", href: `#/verify?writer=${id}` }, "Verify a signature"),
          el("a", { class: "button button-small", href: `#/enroll?writer=${id}` }, "Add references"),
          renameButton(form),
          el("button", { type: "button", class: "button button-small button-danger", onclick: () => askToErase(writer, alert) }, "Erase writer"),
        ),
      ),
      form,
      alert,
      references.length
        ? el("ul", { class: "reference-grid" }, references.map((one) => card(writer, one, alert)))
        : el("p", { class: "hint" }, "No references are on file. Without them this writer can be neither verified nor identified."),
    );
  }

  function renameButton(form) {
    const button = el("button", { type: "button", class: "button button-small", "aria-expanded": "false" }, "Rename");
    button.addEventListener("click", () => {
      form.hidden = !form.hidden;
      button.setAttribute("aria-expanded", String(!form.hidden));
      if (!form.hidden) form.querySelector("input").focus();
    });
    return button;
  }

  function renameForm(writer) {
    const input = el("input", { id: "writer-name", type: "text", maxlength: 200, autocomplete: "off", value: writer.name });
    const form = el(
      "form",
      { class: "rename", hidden: true, novalidate: true },
      el("div", { class: "field" }, el("label", { for: "writer-name" }, "Name"), input),
      el(
        "button",
        { type: "submit", class: "button" },
        el("span", { class: "spinner", "aria-hidden": "true" }),
        el("span", { class: "button-words" }, "Save the name"),
      ),
      el("div", { class: "alert", role: "alert", hidden: true }),
    );
    onSubmit(form, "Saving…", async () => {
      await renameWriter(writer.writer_id, input.value.trim());
      announce("The name was saved.");
      await refresh(writer.writer_id);
    });
    return form;
  }

  const card = (writer, reference, alert) =>
    referenceCard(
      writer.writer_id,
      reference,
      referenceLabel(reference),
      standingNote(writer.references?.find((one) => one.reference_id === reference.reference_id)),
      warningList(reference.quality?.warnings),
      el(
        "button",
        {
          type: "button",
          class: "button button-small",
          "aria-label": `Erase reference ${reference.reference_id}`,
          onclick: () => askToEraseReference(writer, reference, alert),
        },
        icon("bin"),
        "Erase",
      ),
    );

  async function askToErase(writer, alert) {
    const sure = await confirmErasure({
      title: `Erase ${nameOf(writer)} for good?`,
      text: `The writer and ${plural(writer.reference_count, "reference")} go from the registry, the index and its snapshots. This cannot be undone. Decisions already made stay in the audit trail, without pictures.`,
      expected: writer.writer_id,
    });
    if (!sure) return;
    try {
      await eraseWriter(writer.writer_id);
      announce(`${nameOf(writer)} was erased.`);
      location.hash = "#/writers";
    } catch (error) {
      showError(alert, error);
    }
  }

  async function askToEraseReference(writer, reference, alert) {
    const sure = await confirmErasure({
      title: `Erase reference ${reference.reference_id} for good?`,
      text: `The image and what was computed from it are erased. This cannot be undone. ${nameOf(writer)} keeps ${plural(writer.reference_count - 1, "reference")}.`,
    });
    if (!sure) return;
    try {
      await eraseReference(writer.writer_id, reference.reference_id);
      announce(`Reference ${reference.reference_id} was erased.`);
      await refresh(writer.writer_id);
    } catch (error) {
      showError(alert, error);
    }
  }

  const refresh = (writerId) => Promise.all([changed(), open(writerId)]);

  return { open };
}

const standingNote = (standing) => {
  const words = standing && standingWords(standing);
  return words ? el("p", { class: "hint", "data-standing": standing.standing }, words) : null;
};

const backLink = () => el("a", { class: "back-link", href: "#/writers" }, icon("back"), "All writers");

const loading = () =>
  el("p", { class: "hint loading", "aria-busy": "true" }, el("span", { class: "spinner", "aria-hidden": "true" }), "Loading…");
