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
  let cursor = null;
  let timer = 0;
  let asking = null;
  let openId = null;

  async function load() {
    asking?.abort();
    asking = new AbortController();
    list.setAttribute("aria-busy", "true");
    try {
      append(await fetchPage(null, asking.signal), true);
    } catch (error) {
      if (error.name !== "AbortError") showError(alert, error);
    } finally {
      list.removeAttribute("aria-busy");
    }
  }

  const fetchPage = (from, signal) =>
    listWriters({ query: search.value.trim(), cursor: from, limit: page_size, signal });

  function append(page, afresh) {
    clearError(alert);
    if (afresh) list.replaceChildren();
    list.append(...page.writers.map(row));
    cursor = page.next_cursor;
    more.hidden = !cursor;
    note.textContent = noteWords(list.childElementCount);
    mark();
  }

  function noteWords(count) {
    if (count) return cursor ? `The first ${count} are shown.` : plural(count, "writer");
    return search.value.trim()
      ? `No writer on file matches “${search.value.trim()}”.`
      : "No writer is on file yet.";
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
  more.addEventListener("click", () =>
    whileBusy(more, "Loading…", async () => {
      try {
        append(await fetchPage(cursor), false);
      } catch (error) {
        showError(alert, error);
      }
    }),
  );

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
