// The view that puts reference signatures on file, for a new writer or one already there.

import { addReferences, createWriter, getWriter } from "./api.js";
import { createCombobox } from "./combobox.js";
import { announce, bringIntoSight, byId, showOnly } from "./dom.js";
import { enrollmentOutcome } from "./enrollment.js";
import { Incomplete, clearError, onSubmit, showError } from "./forms.js";
import { createImageQueue } from "./image_queue.js";
import { plural } from "./words.js";

const max_images = 20; // As many as the API takes in one request.

export function createEnrollView() {
  const form = byId("enroll-form");
  const alert = form.querySelector("[role=alert]");
  const results = byId("enroll-results");
  const outcome = byId("enroll-outcome");
  const writerId = byId("enroll-id");
  const name = byId("enroll-name");
  const words = form.querySelector("[type=submit] .button-words");
  const modes = [...form.elements["enroll-mode"]];
  const picker = createCombobox(byId("enroll-writer"), () => clearError(alert));
  const queue = createImageQueue(byId("enroll-images"), byId("enroll-queue"), (count) => {
    words.textContent = count ? `Enroll ${plural(count, "image")}` : "Enroll";
    clearError(alert);
  });

  const isNew = () => modes.find((mode) => mode.checked).value === "new";

  function showMode() {
    byId("enroll-new").hidden = !isNew();
    byId("enroll-existing").hidden = isNew();
    clearError(alert);
  }

  for (const mode of modes) mode.addEventListener("change", showMode);

  function setMode(value) {
    for (const mode of modes) mode.checked = mode.value === value;
    showMode();
  }

  function require() {
    if (isNew() && !writerId.value.trim()) throw new Incomplete("Give the writer an id.", writerId);
    if (!isNew() && !picker.writer()) throw new Incomplete("Choose a writer on file.", picker);
    const count = queue.files().length;
    if (!count) throw new Incomplete("Add at least one image of a signature.", queue);
    if (count > max_images) {
      throw new Incomplete(`At most ${max_images} images go in at once; there are ${count}. Remove some.`, queue);
    }
  }

  async function send(files, regions) {
    if (isNew()) {
      const id = writerId.value.trim();
      const answer = await createWriter(id, name.value.trim(), files, regions);
      return { writer: answer, ...answer };
    }
    const writer = picker.writer();
    return { writer, ...(await addReferences(writer.writer_id, files, regions)) };
  }

  onSubmit(form, "Enrolling…", async () => {
    require();
    const files = queue.files();
    try {
      const answer = await send(files, queue.regions());
      show(answer, files);
      queue.keep(undecided(answer.refused));
      if (isNew()) await handOver(answer.writer.writer_id);
    } catch (error) {
      if (!error.problem?.refused) throw error;
      show({ writer: null, references: [], refused: error.problem.refused, warnings: [] }, files);
      throw new Error(
        undecided(error.problem.refused).length
          ? "Nothing was stored. Choose which part of an image is meant where it shows several."
          : "None of the images could be used, so nothing was stored. Each one has its reason.",
      );
    }
  });

  function show(answer, files) {
    const { references, refused } = answer;
    const several = undecided(refused).length > 1;
    const onChoose = (filename, region) => {
      queue.look(filename, region);
      if (!several) sendAgain();
    };
    outcome.replaceChildren(enrollmentOutcome(answer, files, { onChoose, sendAgain, several }));
    showOnly(results, outcome);
    bringIntoSight(results);
    announce(`${plural(references.length, "image")} enrolled, ${refused.length} refused.`);
  }

  function sendAgain() {
    // What was pressed goes; the focus waits where it does for any answer.
    form.querySelector("[type=submit]").focus({ preventScroll: true });
    form.requestSubmit();
  }

  // Further images most likely belong to the writer just made.
  async function handOver(id) {
    writerId.value = "";
    name.value = "";
    picker.choose(await getWriter(id));
    setMode("existing");
  }

  async function prefill(id) {
    if (!id) return;
    try {
      picker.choose(await getWriter(id));
      setMode("existing");
    } catch (error) {
      showError(alert, error);
    }
  }

  return { prefill };
}

// Names of images that are refused only until someone says which part of them is meant.
const undecided = (refused) => refused.filter(({ boxes }) => boxes?.length).map(({ filename }) => filename);
