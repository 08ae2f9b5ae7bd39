// The one query signature of a form: held, shown, replaced, taken away.

import { el, icon } from "./dom.js";
import { createDropzone } from "./dropzone.js";
import { filePlate } from "./pictures.js";

export function createQueryImage(root, onChange = () => {}) {
  const preview = root.querySelector(".dropzone-preview");
  const input = createDropzone(root, ([file]) => hold(file));
  let held = null;

  function hold(file) {
    held = file;
    preview.hidden = !file;
    preview.replaceChildren(...(file ? [filePlate(file, "The chosen query signature"), bar(file)] : []));
    onChange(file);
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

  return { hold, file: () => held, focus: () => input.focus() };
}
