// Keys that work wherever the focus is, but where letters are typed.

// What takes letters for itself: a list of choices jumps to the one that begins with them.
const takes_letters = "input:not([type=radio], [type=file]), textarea, select, dialog, [contenteditable]";

const isPlain = (event) =>
  !event.defaultPrevented && !event.repeat && !event.ctrlKey && !event.altKey && !event.metaKey;

// Runs a task at each press of N.
export function onNextKey(task) {
  document.addEventListener("keydown", (event) => {
    if (!isPlain(event) || event.key.toLowerCase() !== "n" || event.target.closest(takes_letters)) return;
    event.preventDefault();
    task();
  });
}

// Whether a press types a letter or a digit on an element itself, or on nothing at all. What then
// takes the focus gets the letter.
export const isTyping = (event, element) =>
  isPlain(event) && [document.body, element].includes(event.target) && /^[\p{L}\p{N}]$/u.test(event.key);
