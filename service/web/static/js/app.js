// Starts the page: builds the four views and shows the one that the address asks for.

import { about } from "./api.js";
import { showCalibration } from "./calibration.js";
import { byId } from "./dom.js";
import { takeDropsAnywhere } from "./dropzone.js";
import { createEnrollView } from "./enroll.js";
import { createIdentifyView } from "./identify.js";
import { onNextKey } from "./keys.js";
import { startSession } from "./session.js";
import { createVerifyView } from "./verify.js";
import { modelWords, plural } from "./words.js";
import { createWritersView } from "./writers.js";

const titles = { verify: "Verify", identify: "Identify", enroll: "Enroll", writers: "Writers" };

// Leads back to the writer last looked at.
const verifyTab = document.querySelector(".tabs a[data-view=verify]");

await startSession();
const facts = about();
const verifyView = createVerifyView(facts, followWriter);
const enrollView = createEnrollView();
const writersView = createWritersView();
const identifyView = createIdentifyView((writerId, query) => {
  verifyView.show(writerId, query);
  location.hash = verifyAddress(writerId);
});
const nexts = { verify: verifyView.next, identify: identifyView.next };

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

const verifyAddress = (writerId) =>
  writerId === null ? "#/verify" : `#/verify?writer=${encodeURIComponent(writerId)}`;

// The address names the writer chosen, so that Back, a reload and a link show the same one. Between
// two writers there is a moment without any, which is not worth a step of Back.
function followWriter(writerId) {
  const { view, writer } = readAddress();
  verifyTab.href = verifyAddress(writerId);
  if (view !== "verify" || writer === writerId) return;
  if (history.state?.between) history.replaceState(null, "", verifyAddress(writerId));
  else history.pushState(writerId === null ? { between: true } : null, "", verifyAddress(writerId));
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
  if (view === "verify") {
    verifyTab.href = verifyAddress(writer);
    verifyView.show(writer);
  }
  if (view === "enroll") enrollView.prefill(writer);
  // The desk's first step is to say who; elsewhere it is as after loading a new page: the focus at
  // the heading, the view at its top.
  if (view === "verify") verifyView.begin();
  else if (!first) byId(`${view}-title`).focus({ preventScroll: true });
  if (!first) scrollTo(0, 0);
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
takeDropsAnywhere();
onNextKey(() => nexts[readAddress().view]?.());
facts.then(showFacts, (error) => {
  byId("about").textContent = error.message;
});
showCalibration();
route({ first: true });
