// The one query signature of a form: held, shown, replaced, taken away; all of the image or a part.

import { el, icon } from "./dom.js";
import { createDropzone } from "./dropzone.js";
import { filePlate } from "./pictures.js";
import { regionChooser, regionNote, regionQuestion, regionText } from "./region_chooser.js";
import { severalWords } from "./words.js";

export function createQueryImage(root, onChange = () => {}) {
  const preview = root.querySelector(".dropzone-preview");
  const input = createDropzone(root, ([file]) => hold(file));
  const said = regionNote(lookAtAll);
  root.after(said.note);
  let held = null;
  let region = null; // {text, words}: the part to look at.

  function hold(file, part = null) {
    held = file;
    preview.hidden = !file;
    preview.replaceChildren(...(file ? [filePlate(file, "The chosen query signature"), bar(file)] : []));
    look(part);
  }

  function look(part) {
    region = part;
    said.show(part);
    onChange();
  }

  function lookAtAll() {
    look(null);
    input.focus();
  }

  function bar(file) {
    const remove = () => {
      hold(null);
      input.focus();
    };
    return el(
      "div",
      { class: "preview-bar" },
      el("span", { class: "preview-name", title: file.name }, file.name),
      el("button", { type: "button", class: "button button-small", onclick: () => input.click() }, "Replace"),
      el(
        "button",
        { type: "button", class: "icon-button", "aria-label": `Remove ${file.name}`, onclick: remove },
        icon("close"),
      ),
    );
  }

  // The card that asks which part to look at. Choosing one sends the form again.
  function askForPart(form, { boxes = [], code = null } = {}) {
    const [title, words] = code
      ? severalWords(code)
      : ["Which part of the image?", "Only the part that you choose is then looked at."];
    const chooser = regionChooser(held, boxes, (chosen, name) => {
      look({ text: regionText(chosen), words: name });
      // The button that was pressed goes; the focus waits where it does for any answer.
      form.querySelector("[type=submit]").focus({ preventScroll: true });
      form.requestSubmit();
    });
    return regionQuestion(title, words, chooser);
  }

  // For a refusal: asks which of the boxes was meant, if it has any; throws it otherwise.
  function askWhich(error, ask) {
    if (!error.problem?.boxes?.length) throw error;
    ask(error.problem);
    return null;
  }

  return {
    hold,
    askForPart,
    askWhich,
    file: () => held,
    asked: () => ({ file: held, region }),
    focus: () => input.focus(),
  };
}
