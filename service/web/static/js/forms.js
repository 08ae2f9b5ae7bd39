// What every form does alike: say what is wrong beside the form, and be busy while it waits.

import { el } from "./dom.js";

export function showError(alert, error, refused = error.problem?.refused) {
  const reasons = (refused ?? []).map(({ filename, reason }) =>
    el("li", {}, filename ? `${filename}: ${reason}` : reason),
  );
  alert.replaceChildren(error.message, reasons.length ? el("ul", {}, reasons) : "");
  alert.hidden = false;
  alert.scrollIntoView({ block: "nearest" });
}

export function clearError(alert) {
  alert.hidden = true;
  alert.replaceChildren();
}

// Runs a task while its button shows a spinner. The button stays focusable: one that is truly
// disabled would drop the keyboard focus to the top of the page.
export async function whileBusy(button, words, task) {
  if (button.getAttribute("aria-disabled") === "true") return undefined;
  const label = button.querySelector(".button-words");
  const usual = label.textContent;
  button.setAttribute("aria-disabled", "true");
  button.setAttribute("aria-busy", "true");
  label.textContent = words;
  try {
    return await task();
  } finally {
    button.removeAttribute("aria-disabled");
    button.removeAttribute("aria-busy");
    // The task may have given the button new words, as a cleared queue does.
    if (label.textContent === words) label.textContent = usual;
  }
}

// Submits a form once at a time; whatever the task throws is said in the form's own alert.
export function onSubmit(form, busyWords, task) {
  const alert = form.querySelector("[role=alert]");
  const button = form.querySelector("[type=submit]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-disabled") === "true") return;
    clearError(alert);
    try {
      await whileBusy(button, busyWords, task);
    } catch (error) {
      showError(alert, error);
    }
  });
}

// What the reader still has to fill in; shown like a refusal, with the focus put on the field.
export class Incomplete extends Error {
  constructor(message, field) {
    super(message);
    field.focus();
  }
}
