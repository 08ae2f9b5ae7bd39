// A writer picker: search as you type, after the combobox pattern of the ARIA authoring practices.

import { listWriters } from "./api.js";
import { el } from "./dom.js";
import { idLine, nameOf, plural } from "./words.js";

const pause_ms = 160;
const shown_limit = 20;

// `onChange` hears of every choice, `onNamed` of a writer whose very id was typed, with Enter.
export function createCombobox(root, onChange = () => {}, onNamed = () => {}) {
  const input = root.querySelector("input");
  const list = root.querySelector("[role=listbox]");
  const popup = root.querySelector(".combobox-popup");
  const note = root.querySelector(".combobox-note");
  const clear = root.querySelector(".combobox-clear");
  let chosen = null;
  let found = [];
  let foundFor = null; // What was typed when they were found.
  let active = -1;
  let timer = 0;
  let asking = null;
  let taking = false;

  const typed = () => (chosen ? "" : input.value.trim());

  function choose(writer, { quietly = false } = {}) {
    chosen = writer;
    input.value = writer ? labelOf(writer) : "";
    input.removeAttribute("aria-invalid");
    clear.hidden = !writer;
    close();
    if (!quietly) onChange(writer);
  }

  function close() {
    clearTimeout(timer);
    asking?.abort();
    popup.hidden = true;
    input.setAttribute("aria-expanded", "false");
    point(-1);
  }

  function point(at) {
    active = at;
    [...list.children].forEach((option, place) => {
      option.setAttribute("aria-selected", String(place === at));
      if (place === at) option.scrollIntoView({ block: "nearest" });
    });
    if (at < 0) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", list.children[at].id);
  }

  async function search() {
    asking?.abort();
    asking = new AbortController();
    clearTimeout(timer);
    const query = typed();
    try {
      const page = await listWriters({ query, limit: shown_limit, signal: asking.signal });
      found = page.writers;
      foundFor = query;
      list.replaceChildren(...found.map(optionOf));
      say(found.length ? (page.next_cursor ? "There are more: keep typing." : "") : nothingWords(query));
    } catch (error) {
      if (error.name === "AbortError") return;
      found = [];
      foundFor = null;
      list.replaceChildren();
      say(error.message);
    }
    popup.hidden = false;
    input.setAttribute("aria-expanded", "true");
    point(query && found.length ? 0 : -1);
  }

  // Takes the writer for whom something was typed: the one pointed at, or else the first found, who is
  // the one with this very id if there is one. Resolves to whether the id named the writer: then nobody
  // else can have been meant.
  async function take() {
    const words = typed();
    if (!words) return chosen !== null;
    taking = true;
    if (foundFor !== words) await search();
    taking = false;
    if (typed() !== words) return false;
    const writer = foundFor === words ? found[Math.max(active, 0)] : undefined;
    if (!writer) {
      input.setAttribute("aria-invalid", "true");
      if (!root.contains(document.activeElement)) close();
      return false;
    }
    choose(writer);
    return isNamedBy(words, writer, found);
  }

  function say(words) {
    note.textContent = words;
    note.hidden = !words;
  }

  function optionOf(writer, place) {
    const choosing = (event) => {
      event.preventDefault(); // Keeps the focus in the input.
      choose(writer);
    };
    return el(
      "li",
      { class: "combobox-option", role: "option", id: `${list.id}-${place}`, onmousedown: choosing },
      el("span", {}, nameOf(writer)),
      el("span", { class: "option-id" }, idLine(writer)),
      el("span", { class: "option-count" }, plural(writer.reference_count ?? 0, "reference")),
    );
  }

  function onKey(event) {
    const open = !popup.hidden;
    const last = found.length - 1;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!open) search();
      else if (event.key === "ArrowDown") point(active >= last ? 0 : active + 1);
      else point(active <= 0 ? last : active - 1);
    } else if (event.key === "Enter" && typed()) {
      event.preventDefault();
      take().then((named) => named && onNamed());
    } else if (event.key === "Enter" && open && active >= 0) {
      event.preventDefault();
      choose(found[active]);
    } else if (event.key === "Tab" && !event.shiftKey && typed()) {
      take();
    } else if (event.key === "Escape" && (open || input.value)) {
      event.preventDefault();
      if (open) close();
      else choose(null);
    }
  }

  input.addEventListener("input", () => {
    if (chosen) {
      chosen = null;
      onChange(null);
    }
    input.removeAttribute("aria-invalid");
    clear.hidden = !input.value;
    clearTimeout(timer);
    timer = setTimeout(search, pause_ms);
  });
  input.addEventListener("keydown", onKey);
  input.addEventListener("click", () => {
    // A click puts a caret into the name; what is typed next is another name.
    if (chosen) input.select();
    if (popup.hidden) search();
  });
  input.addEventListener("focus", () => input.select());
  root.addEventListener("focusout", (event) => {
    if (!root.contains(event.relatedTarget) && !taking) close();
  });
  clear.addEventListener("click", () => {
    choose(null);
    input.focus();
  });

  return {
    choose,
    take,
    typed,
    writer: () => chosen,
    // Where typing begins: what stands there is replaced by it.
    begin: () => {
      input.focus({ preventScroll: true });
      input.select();
    },
    focus: () => {
      input.setAttribute("aria-invalid", "true");
      input.focus();
    },
  };
}

const labelOf = (writer) => (writer.name ? `${writer.name} (${writer.writer_id})` : writer.writer_id);

// Ids are compared whatever their case, but where two differ in it alone.
function isNamedBy(words, writer, found) {
  const same = (id) => id.toLowerCase() === words.toLowerCase();
  return writer.writer_id === words || (same(writer.writer_id) && found.filter(({ writer_id: id }) => same(id)).length === 1);
}

const nothingWords = (query) =>
  query ? `No writer on file matches “${query}”.` : "No writer is on file yet. Enroll one first.";
