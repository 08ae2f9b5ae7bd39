// A writer picker: search as you type, after the combobox pattern of the ARIA authoring practices.

import { listWriters } from "./api.js";
import { el } from "./dom.js";
import { idLine, nameOf, plural } from "./words.js";

const pause_ms = 160;
const shown_limit = 20;

export function createCombobox(root, onChange = () => {}) {
  const input = root.querySelector("input");
  const list = root.querySelector("[role=listbox]");
  const popup = root.querySelector(".combobox-popup");
  const note = root.querySelector(".combobox-note");
  const clear = root.querySelector(".combobox-clear");
  let chosen = null;
  let found = [];
  let active = -1;
  let timer = 0;
  let asking = null;

  function choose(writer) {
    chosen = writer;
    input.value = writer ? labelOf(writer) : "";
    input.removeAttribute("aria-invalid");
    clear.hidden = !writer;
    close();
    onChange(writer);
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
    const query = chosen ? "" : input.value.trim();
    try {
      const page = await listWriters({ query, limit: shown_limit, signal: asking.signal });
      found = page.writers;
      list.replaceChildren(...found.map(optionOf));
      say(found.length ? (page.next_cursor ? "There are more: keep typing." : "") : nothingWords(query));
    } catch (error) {
      if (error.name === "AbortError") return;
      found = [];
      list.replaceChildren();
      say(error.message);
    }
    popup.hidden = false;
    input.setAttribute("aria-expanded", "true");
    point(query && found.length ? 0 : -1);
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
    } else if (event.key === "Enter" && open && active >= 0) {
      event.preventDefault();
      choose(found[active]);
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
  input.addEventListener("click", () => popup.hidden && search());
  input.addEventListener("focus", () => input.select());
  root.addEventListener("focusout", (event) => {
    if (!root.contains(event.relatedTarget)) close();
  });
  clear.addEventListener("click", () => {
    choose(null);
    input.focus();
  });

  return {
    choose,
    writer: () => chosen,
    focus: () => {
      input.setAttribute("aria-invalid", "true");
      input.focus();
    },
  };
}

const labelOf = (writer) => (writer.name ? `${writer.name} (${writer.writer_id})` : writer.writer_id);

const nothingWords = (query) =>
  query ? `No writer on file matches “${query}”.` : "No writer is on file yet. Enroll one first.";
