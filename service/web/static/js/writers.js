// The register of writers: searched, paged, and one of them opened beside it.

import { listWriters } from "./api.js";
import { byId, el, showOnly } from "./dom.js";
import { clearError, showError, whileBusy } from "./forms.js";
import { idLine, nameOf, plural } from "./words.js";
import { createWriterDetail } from "./writer_detail.js";

const page_size = 30;
const pause_ms = 160;

export function createWritersView() {
  const columns = byId("writers-columns");
  const search = byId("writers-search");
  const list = byId("writers-list");
  const note = byId("writers-note");
  const more = byId("writers-more");
  const alert = byId("writers-alert");
  const empty = byId("writers-empty");
  const detailBox = byId("writer-detail");
  const detail = createWriterDetail(detailBox, { changed: load });
  // What the list shows: a further page belongs to the search it was asked for with.
  let shown = { query: "", cursor: null };
  let timer = 0;
  let asking = null;
  let openId = null;

  async function load() {
    asking?.abort();
    asking = new AbortController();
    list.setAttribute("aria-busy", "true");
    const query = search.value.trim();
    try {
      const page = await listWriters({ query, limit: page_size, signal: asking.signal });
      list.replaceChildren();
      append(page, query);
    } catch (error) {
      if (error.name !== "AbortError") showError(alert, error);
    } finally {
      list.removeAttribute("aria-busy");
    }
  }

  async function loadMore() {
    const before = shown;
    try {
      const page = await listWriters({ ...before, limit: page_size });
      if (shown === before) append(page, before.query);
    } catch (error) {
      showError(alert, error);
    }
  }

  function append(page, query) {
    clearError(alert);
    list.append(...page.writers.map(row));
    shown = { query, cursor: page.next_cursor };
    more.hidden = !page.next_cursor;
    note.textContent = noteWords(list.childElementCount);
    mark();
  }

  function noteWords(count) {
    if (count) return shown.cursor ? `The first ${count} are shown.` : plural(count, "writer");
    return shown.query ? `No writer on file matches “${shown.query}”.` : "No writer is on file yet.";
  }

  const row = (writer) =>
    el(
      "li",
      {},
      el(
        "a",
        { href: `#/writers/${encodeURIComponent(writer.writer_id)}`, "data-writer": writer.writer_id },
        el("span", { class: "person" }, nameOf(writer), el("span", { class: "option-id" }, idLine(writer))),
        el("span", { class: "option-count" }, plural(writer.reference_count, "reference")),
      ),
    );

  function mark() {
    for (const link of list.querySelectorAll("a")) {
      if (link.dataset.writer === openId) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(load, pause_ms);
  });
  more.addEventListener("click", () => whileBusy(more, "Loading…", loadMore));

  // Shows the register, with one writer opened if an id is given.
  function show(writerId) {
    openId = writerId;
    columns.classList.toggle("shows-detail", Boolean(writerId));
    showOnly(detailBox.parentElement, writerId ? detailBox : empty);
    load();
    if (writerId) detail.open(writerId);
  }

  return { show };
}
