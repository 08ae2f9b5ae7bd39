// The images waiting to be enrolled: shown small, each removable.

import { el, icon } from "./dom.js";
import { createDropzone } from "./dropzone.js";
import { filePlate } from "./pictures.js";

export function createImageQueue(root, list, onChange) {
  const input = createDropzone(root, add);
  let held = [];

  function add(files) {
    const names = new Set(held.map((file) => file.name));
    for (const file of files) {
      const one = withOwnName(file, names);
      names.add(one.name);
      held.push(one);
      list.append(card(one));
    }
    changed();
  }

  function card(file) {
    const remove = () => {
      held = held.filter((one) => one !== file);
      item.remove();
      changed();
      input.focus();
    };
    const item = el(
      "li",
      {},
      filePlate(file),
      el(
        "div",
        { class: "preview-bar" },
        el("span", { class: "preview-name", title: file.name }, file.name),
        el("button", { type: "button", class: "icon-button", "aria-label": `Remove ${file.name}`, onclick: remove }, icon("close")),
      ),
    );
    return item;
  }

  function clear() {
    held = [];
    list.replaceChildren();
    changed();
  }

  function changed() {
    list.hidden = !held.length;
    root.classList.toggle("is-small", held.length > 0);
    onChange(held.length);
  }

  return { files: () => [...held], clear, focus: () => input.focus() };
}

// Refusals name files, so two pasted "image.png" must not share a name.
function withOwnName(file, taken) {
  let name = file.name;
  for (let count = 2; taken.has(name); count += 1) {
    name = file.name.replace(/(\.[^.]*)?$/, (extension) => ` (${count})${extension}`);
  }
  return name === file.name ? file : new File([file], name, { type: file.type });
}
