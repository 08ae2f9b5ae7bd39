// The page for signing in.

import { readSession, signIn } from "./api.js";
import { byId } from "./dom.js";
import { Incomplete, onSubmit, showError } from "./forms.js";

const fields = ["username", "password", "code"].map(byId);
const [username, password, code] = fields;

onSubmit(byId("sign-in-form"), "Signing in …", async () => {
  if (!username.value) throw new Incomplete("Type your user name.", username);
  if (!password.value) throw new Incomplete("Type your password.", password);
  try {
    await signIn(username.value.trim(), password.value, code.value.trim());
  } catch (error) {
    if (error.problem?.code !== "code-needed") throw error;
    byId("code-field").hidden = false;
    throw new Incomplete(error.message, code);
  }
  location.replace(".");
});

readSession().then(({ auth, username: name, provider }) => {
  if (auth === "off" || name !== null) location.replace(".");
  byId("provider").hidden = !provider;
}, () => {});
if (location.hash === "#refused") {
  const words =
    "Your organisation did not vouch for you, or gives you no role here. Ask whoever runs this server.";
  showError(document.querySelector("#sign-in-form [role=alert]"), new Error(words));
}
username.focus();
