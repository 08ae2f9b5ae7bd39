// The images waiting to be enrolled: shown small, each removable.

import { el, icon } from "./dom.js";
import { createDropzone } from "./dropzone.js";
import { filePlate } from "./pictures.js";
import { regionNote } from "./region_chooser.js";

export function createImageQueue(root, list, onChange) {
  const input = createDropzone(root, add);
  let held = []; // {file, item, said, region}, the region as {text, words} where a part was chosen.

  function add(files) {
    const names = new Set(held.map(({ file }) => file.name));
    for (const file of files) {
      const one = withOwnName(file, names);
      names.add(one.name);
      held.push(card(one));
      list.append(held.at(-1).item);
    }
    changed();
  }

  function card(file) {
    const remove = () => {
      held = held.filter((one) => one.file !== file);
      item.remove();
      changed();
      input.focus();
    };
    const said = regionNote(() => {
      look(file.name, null);
      input.focus();
    });
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
      said.note,
    );
    return { file, item, said, region: null };
  }

  // Takes which part of an image to look at, or null for all of it.
  function look(name, region) {
    const one = held.find(({ file }) => file.name === name);
    if (!one) return;
    one.region = region;
    one.said.show(region);
  }

  // Keeps the images of these names alone.
  function keep(names) {
    for (const { file, item } of held) if (!names.includes(file.name)) item.remove();
    held = held.filter(({ file }) => names.includes(file.name));
    changed();
  }

  function changed() {
    list.hidden = !held.length;
    root.classList.toggle("is-small", held.length > 0);
    onChange(held.length);
  }

  return {
    files: () => held.map(({ file }) => file),
    // One for each image, or none: as the API wants them.
    regions: () =>
      held.some(({ region }) => region) ? held.map(({ region }) => region?.text ?? "all") : [],
    look,
    keep,
    focus: () => input.focus(),
  };
}

// Refusals name files, so two pasted "image.png" must not share a name.
function withOwnName(file, taken) {
  let name = file.name;
  for (let count = 2; taken.has(name); count += 1) {
    name = file.name.replace(/(\.[^.]*)?$/, (extension) => ` (${count})${extension}`);
  }
  return name === file.name ? file : new File([file], name, { type: file.type });
}
