// The Python of a lesson: one kernel, one namespace, found again after the page was reloaded.

import { KernelManager, ServerConnection, SessionManager } from "./vendor.js";

const settings = ServerConnection.makeSettings({
  baseUrl: `${location.origin}/`,
  wsUrl: `${location.origin.replace(/^http/, "ws")}/`,
  token: "", // the cookie is enough
});

/** Ask the book's own server; returns what it says. */
export async function ask(path, method = "GET", body) {
  const init = { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  const response = await ServerConnection.makeRequest(`${settings.baseUrl}book/${path}`, init, settings);
  if (!response.ok) {
    const told = await response.json().catch(() => ({}));
    throw new Error(told.message || `${response.status} ${response.statusText}`);
  }
  return response.json();
}

let starting = null;

/** Return the kernel of this lesson; starts it at the first call. */
export function kernelOf(lesson) {
  starting ??= (async () => {
    const kernels = new KernelManager({ serverSettings: settings });
    const sessions = new SessionManager({ kernelManager: kernels, serverSettings: settings });
    await sessions.ready;
    const session = await sessions.startNew({
      path: lesson, name: lesson, type: "notebook", kernel: { name: "lesson" },
    });
    return session.kernel;
  })();
  starting.catch(() => { starting = null; });
  return starting;
}

/** Run code; `take` gets each message of output. Returns whether it ended well. */
export async function execute(kernel, code, take) {
  const future = kernel.requestExecute({ code, stop_on_error: true, allow_stdin: false });
  future.onIOPub = take;
  const reply = await future.done;
  return reply.content.status === "ok";
}
