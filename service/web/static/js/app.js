// Starts the page: builds the four views and shows the one that the address asks for.

import { about } from "./api.js";
import { showCalibration } from "./calibration.js";
import { byId } from "./dom.js";
import { ignoreStrayDrops } from "./dropzone.js";
import { createEnrollView } from "./enroll.js";
import { createIdentifyView } from "./identify.js";
import { startSession } from "./session.js";
import { createVerifyView } from "./verify.js";
import { modelWords, plural } from "./words.js";
import { createWritersView } from "./writers.js";

const titles = { verify: "Verify", identify: "Identify", enroll: "Enroll", writers: "Writers" };

await startSession();
const facts = about();
const verifyView = createVerifyView(facts);
const enrollView = createEnrollView();
const writersView = createWritersView();
createIdentifyView((writerId, query) => {
  verifyView.prefill(writerId, query);
  location.hash = "#/verify";
});

// An address is #/view, #/view?writer=ID or #/writers/ID.
function readAddress() {
  const [path, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, rest = ""] = path.split("/");
  return {
    view: Object.hasOwn(titles, name) ? name : "verify",
    item: rest ? decoded(rest) : null,
    writer: new URLSearchParams(search).get("writer"),
  };
}

// A mistyped address is looked up as it is, and said to be unknown.
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function route({ first = false } = {}) {
  const { view, item, writer } = readAddress();
  for (const section of document.querySelectorAll(".view")) section.hidden = section.id !== view;
  for (const link of document.querySelectorAll(".tabs a")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${titles[view]} · Countersign`;
  if (view === "writers") writersView.show(item);
  if (view === "verify") verifyView.prefill(writer);
  if (view === "enroll") enrollView.prefill(writer);
  if (first) return;
  // As after loading a new page: the focus at its heading, the view at its top.
  byId(`${view}-title`).focus({ preventScroll: true });
  scrollTo(0, 0);
}

function showFacts({ version, model, gallery }) {
  byId("about").textContent = [
    `Countersign ${version}`,
    `model ${modelWords(model)}`,
    `${plural(gallery.writers, "writer")}, ${plural(gallery.references, "reference")} on file`,
  ].join(" · ");
}

// The skip link's #main is a place in the view that is shown, not the address of another.
addEventListener("hashchange", () => {
  if (!/^#[^/]/.test(location.hash)) route();
});
ignoreStrayDrops();
facts.then(showFacts, (error) => {
  byId("about").textContent = error.message;
});
showCalibration();
route({ first: true });
