// The one query signature of a form: held, shown, replaced, taken away; all of the image or a part.
// Where several images come at once, the others wait until they are asked for.

import { el, icon } from "./dom.js";
import { createDropzone, say } from "./dropzone.js";
import { filePlate } from "./pictures.js";
import { regionChooser, regionNote, regionQuestion, regionText } from "./region_chooser.js";
import { severalWords } from "./words.js";

export function createQueryImage(root, onChange = () => {}) {
  const preview = root.querySelector(".dropzone-preview");
  const input = createDropzone(root, take);
  const said = regionNote(lookAtAll);
  root.after(said.note);
  let held = null;
  let waiting = [];
  let region = null; // {text, words}: the part to look at.

  function take([first, ...others]) {
    waiting.push(...others);
    hold(first);
  }

  // `words` say why there is no image now.
  function hold(file, part = null, words = "") {
    held = file;
    say(root, words, ...waitingWords());
    preview.hidden = !file;
    preview.replaceChildren(...(file ? [filePlate(file, "The chosen query signature"), bar(file)] : []));
    look(part);
  }

  function look(part) {
    region = part;
    said.show(part);
    onChange();
  }

  function waitingWords() {
    if (!waiting.length) return [];
    const names = waiting.map(({ name }) => name).join(", ");
    const drop = () => {
      waiting = [];
      say(root);
      input.focus();
    };
    return [
      ` ${waiting.length === 1 ? "Another image waits" : `${waiting.length} images wait`}: ${names}. Next (N) brings the next. `,
      el("button", { type: "button", class: "button button-small", onclick: drop }, "Leave out what waits"),
    ];
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
    // Brings the next image that waits, or none.
    next: () => hold(waiting.shift() ?? null),
    askForPart,
    askWhich,
    file: () => held,
    asked: () => ({ file: held, region }),
    focus: () => input.focus(),
  };
}
