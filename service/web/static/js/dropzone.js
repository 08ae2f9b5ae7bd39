// A place that takes image files by choosing, dropping or pasting; what becomes of them is the
// caller's business.

import { el } from "./dom.js";

const zones = [];

export function createDropzone(root, onTaken) {
  const onFiles = (files) => {
    say(root);
    onTaken(files);
  };
  const input = root.querySelector("input[type=file]");

  input.addEventListener("change", () => {
    const files = [...input.files];
    // Emptied, so that choosing the same file again is a change again.
    input.value = "";
    if (files.length) onFiles(files);
  });

  // For drops, which are taken anywhere on the page.
  zones.push({ root, onFiles });

  document.addEventListener("paste", (event) => {
    const shown = root.offsetParent !== null;
    if (!shown || !event.clipboardData?.files.length) return;
    event.preventDefault();
    onFiles([...event.clipboardData.files]);
  });

  return input;
}

const shownZone = () => zones.find(({ root }) => root.offsetParent !== null);

// Takes what is dropped anywhere into the dropzone that is shown. Where none is, the pointer says so,
// and the browser does not leave the page for the file.
export function takeDropsAnywhere() {
  let depth = 0; // dragenter and dragleave also come from the elements inside.
  const over = (by) => {
    depth = Math.max(0, depth + by);
    for (const { root } of zones) root.classList.toggle("is-over", depth > 0);
  };
  addEventListener("dragenter", () => over(1));
  addEventListener("dragleave", () => over(-1));
  addEventListener("dragover", (event) => {
    event.preventDefault();
    if (!shownZone()) event.dataTransfer.dropEffect = "none";
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    over(-depth);
    const files = [...event.dataTransfer.files];
    const zone = shownZone();
    if (files.length && zone) zone.onFiles(files);
    else if (zone) say(zone.root, "That was no file. Save the image first, then drop its file here.");
  });
}

// Says something below a dropzone, until something else is to be said there.
export function say(root, ...words) {
  if (!words.length && !root.nextElementSibling?.matches(".dropzone-note")) return;
  if (!root.nextElementSibling?.matches(".dropzone-note")) {
    root.after(el("p", { class: "hint dropzone-note", role: "status" }));
  }
  root.nextElementSibling.replaceChildren(...words);
}
