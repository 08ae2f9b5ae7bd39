// The page of one's own account: sessions, second factor, password.

import {
  changePassword,
  confirmSecondFactor,
  endSession,
  listSessions,
  offerSecondFactor,
  readSession,
  removeSecondFactor,
} from "./api.js";
import { announce, byId, el } from "./dom.js";
import { Incomplete, onSubmit, showError } from "./forms.js";
import { startSession } from "./session.js";

const session = await startSession();
let hasFactor = session.second_factor;
// So that a password manager knows whose password it is.
for (const field of document.querySelectorAll(".form-username")) field.value = session.username;

async function showSessions() {
  const { sessions } = await listSessions();
  byId("sessions").replaceChildren(...sessions.map(sessionItem));
}

function sessionItem({ session_id: id, created_at: since, address, agent, current }) {
  const words = `Since ${new Date(since).toLocaleString()}, from ${address}`;
  const end = el("button", { type: "button", class: "button button-small" }, "End");
  end.addEventListener("click", async () => {
    try {
      await endSession(id);
      await showSessions();
      announce("The session has ended.");
    } catch (error) {
      showError(byId("sessions-alert"), error);
    }
  });
  return el(
    "li",
    {},
    el("div", {}, el("p", {}, words), el("p", { class: "hint" }, agent)),
    current ? el("strong", {}, "This one") : end,
  );
}

function showFactor() {
  byId("second-factor-state").textContent = hasFactor
    ? "A code of your authenticator app is asked for when you sign in."
    : "Only your password is asked for when you sign in.";
  // Whoever is asked for codes at sign-in shows one again for what changes how they sign in.
  for (const field of document.querySelectorAll(".code-again")) field.hidden = !hasFactor;
  byId("factor-form").querySelector(".button-words").textContent = hasFactor
    ? "Ask for no code any more"
    : "Use an authenticator app";
}

onSubmit(byId("factor-form"), "Asking …", async () => {
  const password = byId("factor-password");
  if (!password.value) throw new Incomplete("Type your password.", password);
  if (hasFactor) {
    await removeSecondFactor(password.value, byId("factor-code-again").value.trim() || null);
  } else {
    const { secret, uri } = await offerSecondFactor(password.value);
    byId("factor-secret").textContent = secret;
    byId("factor-uri").href = uri;
    byId("code-form").hidden = false;
    byId("factor-code").focus();
  }
  password.value = "";
  byId("factor-code-again").value = "";
  ({ second_factor: hasFactor } = await readSession());
  byId("recovery").hidden = true;
  byId("factor-form").hidden = !byId("code-form").hidden;
  // After the button has its usual words again.
  setTimeout(showFactor);
});

onSubmit(byId("code-form"), "Confirming …", async () => {
  const code = byId("factor-code");
  const { recovery_codes: codes } = await confirmSecondFactor(code.value.trim() || "none");
  byId("recovery-codes").replaceChildren(...codes.map((one) => el("li", {}, one)));
  byId("recovery").hidden = false;
  byId("code-form").hidden = true;
  byId("factor-form").hidden = false;
  code.value = "";
  hasFactor = true;
  showFactor();
});

onSubmit(byId("password-form"), "Changing …", async () => {
  const [current, code, password] = ["current", "password-code", "new-password"].map(byId);
  const shown = code.value.trim() || null;
  await changePassword(current.value || "none", shown, password.value || "none");
  for (const field of [current, code, password]) field.value = "";
  announce("Your password is changed.");
  await showSessions();
});

showFactor();
showSessions();
