// Says at the foot of the page by whose signatures the thresholds were set, and lets a proposal pass.

import { approveCalibration, model } from "./api.js";
import { byId, el } from "./dom.js";
import { calibrationWords, familiarityWords, proposalWords } from "./words.js";

export async function showCalibration() {
  try {
    show(await model());
  } catch (error) {
    byId("calibration").textContent = error.message;
  }
}

function show({ calibration, familiarity, proposal }) {
  const parts = [el("span", {}, calibrationWords(calibration)), " ", el("span", {}, familiarityWords(familiarity))];
  if (proposal) {
    const approve = el("button", { type: "button", class: "button button-small" }, "Use it");
    approve.addEventListener("click", () => put(approve, proposal.calibration_id));
    parts.push(" ", el("span", {}, proposalWords(proposal)), " ", approve);
  }
  byId("calibration").replaceChildren(...parts);
}

async function put(button, calibrationId) {
  button.disabled = true;
  try {
    show(await approveCalibration(calibrationId));
  } catch (error) {
    byId("calibration").replaceChildren(error.message);
  }
}
