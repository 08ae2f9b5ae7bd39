// Asks before anything is erased; resolves to true only after an explicit yes.

import { byId } from "./dom.js";

// `expected` is what has to be typed, for erasures that deserve it; without it a yes is enough.
export function confirmErasure({ title, text, expected = "" }) {
  const dialog = byId("erase-dialog");
  const form = dialog.querySelector("form");
  const typed = byId("erase-typed");
  const confirm = byId("erase-confirm");
  byId("erase-title").textContent = title;
  byId("erase-text").textContent = text;
  byId("erase-expected").textContent = expected;
  byId("erase-typed-field").hidden = !expected;
  typed.value = "";

  const settle = () => {
    confirm.disabled = expected !== "" && typed.value.trim() !== expected;
  };
  settle();
  typed.oninput = settle;
  byId("erase-cancel").onclick = () => dialog.close("keep");
  form.onsubmit = (event) => {
    // Enter in the field submits even where the button is disabled in some browsers.
    event.preventDefault();
    if (!confirm.disabled) dialog.close("erase");
  };

  dialog.returnValue = "keep";
  dialog.showModal();
  (expected ? typed : byId("erase-cancel")).focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "erase"), { once: true });
  });
}
