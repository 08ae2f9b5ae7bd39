// The HTTP API as functions; every refusal becomes an ApiError whose message is fit to show.

export class ApiError extends Error {
  constructor(message, status = 0, problem = {}) {
    super(message);
    this.status = status;
    this.problem = problem;
  }
}

// What changes carry besides the session's cookie; null where nobody signs in.
let csrfToken = null;

// Addresses are relative to the page, so that it also works below a path prefix.
const writerUrl = (writerId) => `v1/writers/${encodeURIComponent(writerId)}`;

export const referenceImageUrl = (writerId, referenceId, { cleaned = true } = {}) =>
  `${writerUrl(writerId)}/references/${referenceId}/image${cleaned ? "?cleaned=true" : ""}`;

export const about = () => request("GET", "v1/about");

export const model = () => request("GET", "v1/model");

export const approveCalibration = (calibrationId) =>
  request("POST", "v1/model/calibration", json({ calibration_id: calibrationId }));

export function listWriters({ query = "", cursor = null, limit = 20, signal } = {}) {
  const parameters = new URLSearchParams({ limit });
  if (query) parameters.set("q", query);
  if (cursor) parameters.set("cursor", cursor);
  return request("GET", `v1/writers?${parameters}`, { signal });
}

export const getWriter = (writerId) => request("GET", writerUrl(writerId));

export const listReferences = (writerId) => request("GET", `${writerUrl(writerId)}/references`);

// `regions` are texts: the part to look at of each file, or none at all.
export const createWriter = (writerId, name, files, regions = []) =>
  request("POST", "v1/writers", {
    body: form({ writer_id: writerId, name, images: files, region: regions, include: "left-out" }),
  });

export const addReferences = (writerId, files, regions = []) =>
  request("POST", `${writerUrl(writerId)}/references`, {
    body: form({ images: files, region: regions, include: "left-out" }),
  });

export const renameWriter = (writerId, name) =>
  request("PATCH", writerUrl(writerId), json({ name }));

export const eraseWriter = (writerId) => request("DELETE", writerUrl(writerId));

export const eraseReference = (writerId, referenceId) =>
  request("DELETE", `${writerUrl(writerId)}/references/${referenceId}`);

export const verify = (writerId, image, region, operatingPoint) =>
  request("POST", `${writerUrl(writerId)}/verify`, {
    body: form({ image, region, operating_point: operatingPoint, include: "cleaned,left-out" }),
  });

export const identify = (image, region) =>
  request("POST", "v1/identify", { body: form({ image, region, include: "cleaned,left-out" }) });

export async function readSession() {
  const session = await request("GET", "v1/session");
  csrfToken = session.csrf_token;
  return session;
}

export const signIn = (username, password, code) =>
  request("POST", "v1/session", json({ username, password, code: code || null }));

export const signOut = () => request("DELETE", "v1/session");

export const listSessions = () => request("GET", "v1/sessions");

export const endSession = (id) => request("DELETE", `v1/sessions/${encodeURIComponent(id)}`);

export const setPassword = (link, password) => request("POST", "v1/password", json({ link, password }));

export const changePassword = (current, code, password) =>
  request("PUT", "v1/password", json({ current, code, password }));

export const offerSecondFactor = (password) => request("POST", "v1/second-factor", json({ password }));

export const confirmSecondFactor = (code) => request("PUT", "v1/second-factor", json({ code }));

export const removeSecondFactor = (password, code) =>
  request("POST", "v1/second-factor/removal", json({ password, code }));

const json = (fields) => ({
  body: JSON.stringify(fields),
  headers: { "Content-Type": "application/json" },
});

function form(fields) {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one instanceof File) data.append(name, one, one.name);
      else if (one !== undefined && one !== null && one !== "") data.append(name, one);
    }
  }
  return data;
}

async function request(method, url, options = {}) {
  const headers = { ...options.headers };
  if (csrfToken !== null && method !== "GET") headers["X-CSRF-Token"] = csrfToken;
  let response;
  try {
    response = await fetch(url, { method, ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The server could not be reached. Check the connection and try again.");
  }
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => null);
  if (response.ok && answer !== null) return answer;
  // The session has ended: what was typed is lost, and so it would be with any other answer.
  if (answer?.code === "unauthorized") location.assign("sign-in");
  throw new ApiError(refusalWords(response, answer), response.status, answer ?? {});
}

function refusalWords(response, problem) {
  return (
    problem?.detail ||
    problem?.title ||
    `The server answered ${response.status} without saying why. Try again; if it stays, tell whoever runs it.`
  );
}
