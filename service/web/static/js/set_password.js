// The page that a one-time link leads to; its token comes after the #, which no server sees.

import { setPassword } from "./api.js";
import { byId } from "./dom.js";
import { Incomplete, onSubmit } from "./forms.js";

const link = location.hash.slice(1);
const password = byId("password");
const again = byId("again");

onSubmit(byId("set-password-form"), "Setting …", async () => {
  if (!password.value) throw new Incomplete("Type a password.", password);
  if (password.value !== again.value) throw new Incomplete("Both should be the same.", again);
  await setPassword(link || "none", password.value);
  location.replace("sign-in");
});
password.focus();
