
// What is shown is set as text or as a property, never as markup: prompts and errors are other
// people's words. The page's policy has browsers see to that too.
const at = (id) => document.getElementById(id);
const ENDS = ["succeeded", "failed", "cancelled"];
const KEY = "ssd1b-key"; // in sessionStorage: gone with the tab
const BROKEN = "The connection broke. Trying again …";

// Without the name and password that an address may hold: fetch refuses those, and the command would
// show them.
const BASE = new URL(".", location.href);
BASE.username = BASE.password = "";

let model = null; // the entry of /v1/models
let running = null; // {id, stop}: the job that is waited for

// ---- What the server is asked

async function ask(path, { headers = {}, ...options } = {}) {
  const key = sessionStorage.getItem(KEY);
  const reply = await fetch(new URL(path, BASE), {
    ...options,
    headers: key ? { ...headers, "X-Api-Key": key } : headers,
    cache: "no-store",
  });
  if (reply.ok) return reply;
  const body = await reply.json().catch(() => null); // a proxy's page is no JSON
  const error = body?.error ?? { message: `the server answered with status ${reply.status}` };
  const refusal = new Refusal(reply.status, error, Number(reply.headers.get("Retry-After")) || 2);
  if (reply.status === 401) askForKey(refusal);
  throw refusal;
}

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** Waits where another attempt may help; else throws the fault again. */
async function pauseAfter(error, signal) {
  const isPassing = !(error instanceof Refusal) || error.status === 429 || error.status > 500;
  if (signal.aborted || !isPassing) throw error;
  say(error.status === 429 ? "The server asks to wait. Trying again …" : BROKEN);
  await pause(error.retryAfterS ?? 1);
}

/** A job's events, each once, over as many connections as it takes. */
async function* eventsOf(id, signal) {
  let seen = {};
  for (;;) {
    try {
      const reply = await ask(`v1/jobs/${id}/events`, { headers: seen, signal });
      const read = eventReader();
      const decoder = new TextDecoder();
      const stream = reply.body.getReader();
      for (let part = await stream.read(); !part.done; part = await stream.read()) {
        for (const event of read(decoder.decode(part.value, { stream: true }))) {
          seen = { "Last-Event-ID": event.id };
          yield event;
          if (ENDS.includes(event.event)) return;
        }
      }
      say(BROKEN);
      await pause(1);
    } catch (error) {
      if (error.status === 404) {
        const message = "the server has forgotten this picture, as after a restart: make it again";
        throw new Refusal(404, { message });
      }
      await pauseAfter(error, signal);
    }
  }
}

// ---- The settings

/** What the form says; null where there is none: no negative prompt, a random seed. */
function settingsNow() {
  const settings = {
    prompt: at("prompt").value,
    negative_prompt: at("uses_negative").checked ? at("negative_prompt").value : null,
    scheduler: at("scheduler").value,
    seed: at("random_seed").checked ? null : at("seed").value,
  };
  for (const name of NUMBERS) settings[name] = at(name).value;
  return settings;
}

function fill(settings) {
  for (const name of ["prompt", "scheduler", ...NUMBERS]) at(name).value = settings[name];
  at("uses_negative").checked = settings.negative_prompt !== null;
  at("negative_prompt").value = settings.negative_prompt ?? "";
  at("random_seed").checked = settings.seed === null;
  if (settings.seed !== null) at("seed").value = settings.seed;
  showSettings();
}

/** What follows from the settings: which fields are open, how many steps there may be, the command. */
function showSettings() {
  at("negative_prompt").disabled = !at("uses_negative").checked;
  at("seed").disabled = at("random_seed").checked;
  const steps = model?.limits.steps;
  if (steps) limit("steps", steps.per_scheduler?.[at("scheduler").value] ?? steps);
  const fields = fieldsOf(settingsNow(), model?.defaults ?? { negative_prompt: null });
  const address = new URL("generate-image", BASE).href;
  at("curl").textContent = curlOf(jsonText(fields), address, sessionStorage.getItem(KEY) !== null);
}

function limit(name, { minimum, maximum, multiple_of: multiple }) {
  Object.assign(at(name), { min: minimum, max: maximum });
  if (multiple) at(name).step = multiple;
}

function takeModel(entry) {
  const before = settingsNow();
  if (model === null) before.negative_prompt ??= entry.defaults.negative_prompt;
  for (const name of ["scheduler", ...NUMBERS]) before[name] ||= entry.defaults[name];
  model = entry;
  at("model").textContent = `${entry.id} (${entry.type}), ${entry.dtype} on ${entry.device}`;
  document.title = `${entry.id} - ssd1b-server`;
  for (const name of NUMBERS) limit(name, entry.limits[name]);
  at("scheduler").replaceChildren(...entry.schedulers.map((name) => new Option(name, name)));
  at("previews_choice").hidden = !entry.limits.previews;
  fill(before);
}

// ---- What the page says

/** Steps follow each other too fast to be read aloud. */
function say(text, isReadAloud = true) {
  at("status").setAttribute("aria-live", isReadAloud ? "polite" : "off");
  at("status").textContent = text;
}

const sentence = (words) => words.charAt(0).toUpperCase() + words.slice(1);

/** An error in words, at the field that it names. */
function complain(error) {
  const isOurs = error instanceof Refusal;
  const id = error.status >= 500 && error.requestId ? ` (request ${error.requestId})` : "";
  const words = isOurs
    ? sentence(error.message) + id
    : `The server cannot be reached: ${error.message}`;
  if (!at("notice").hidden && at("notice").textContent === words) return; // is said already
  at("notice").textContent = words;
  at("notice").hidden = false;
  const field = isOurs && error.param ? at(error.param) : null;
  if (field?.form === at("settings")) {
    field.setAttribute("aria-invalid", "true");
    field.setCustomValidity(at("notice").textContent);
    field.reportValidity(); // goes there and says so there too
  } else {
    at("notice").scrollIntoView({ block: "nearest" });
  }
}

function forgetFault(field) {
  field.removeAttribute("aria-invalid");
  field.setCustomValidity("");
}

function forgetComplaint() {
  at("notice").hidden = true;
  for (const field of at("settings").elements) forgetFault(field);
}

function tell({ position, eta_ms: eta }) {
  const before = `${position} ${position === 1 ? "picture" : "pictures"} before it`;
  say((position > 0 ? `Waiting: ${before}` : "Starting") + about(eta));
}

function askForKey(refusal) {
  at("key_form").hidden = false;
  at("key_note").textContent = sessionStorage.getItem(KEY)
    ? `The server does not take this key: ${refusal.message}.`
    : "This server asks for a key. The page keeps it until the tab is closed.";
  at("key").focus();
}

function setBusy(isBusy) {
  at("make").setAttribute("aria-disabled", isBusy); // and not disabled: it would lose the focus
  at("cancel").hidden = !isBusy;
  at("cancel").disabled = isBusy; // until there is a job
  at("progress").hidden = true;
}

// ---- Jobs

/** The picture of a job that has succeeded. As JSON, because its warnings have words there. */
async function pictureOf({ id, stop }, settings) {
  let reply = null;
  while (reply === null) {
    try {
      reply = await ask(`v1/jobs/${id}/image`, { signal: stop.signal });
    } catch (error) {
      await pauseAfter(error, stop.signal);
    }
  }
  const seed = reply.headers.get("X-Seed");
  const { images, model: name, timings_ms: timings, warnings } = await reply.json();
  const bytes = Uint8Array.from(atob(images[0].b64_json), (char) => char.charCodeAt(0));
  const url = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
  const seconds = (timings.text_encoder + timings.denoise + timings.vae + timings.encode) / 1000;
  return { url, name, warnings, seconds, settings: { ...settings, seed } };
}

/** Where a job stands in the queue changes without an event. */
async function watchQueue(job) {
  while (running === job && !job.hasStarted) {
    await pause(2);
    if (running !== job || job.hasStarted) return;
    const state = await ask(`v1/jobs/${job.id}`).then((reply) => reply.json()).catch(() => null);
    if (state?.status === "queued" && running === job && !job.hasStarted) tell(state);
  }
}

/** Follows a job to its end and gives the event that ended it. */
async function follow(job, settings) {
  for await (const { event, data: text } of eventsOf(job.id, job.stop.signal)) {
    const data = JSON.parse(text);
    if (ENDS.includes(event)) return { event, data };
    if (event === "queued") {
      tell(data);
      watchQueue(job);
    }
    if (event === "preview") showPreview(data, settings);
    if (event === "step") {
      job.hasStarted = true;
      Object.assign(at("progress"), { max: data.steps, value: data.step, hidden: false });
      say(`Step ${data.step} of ${data.steps}${about(data.eta_ms)}`, /* isReadAloud */ false);
    }
  }
}

async function make() {
  const settings = settingsNow();
  for (const name of ["scheduler", ...NUMBERS]) settings[name] ||= String(model.defaults[name]);
  const fields = { ...fieldsOf(settings, model.defaults), response_format: '"b64_json"' };
  if (model.limits.previews && at("previews").checked) {
    fields.previews = String(model.limits.previews.maximum);
  }
  forgetComplaint();
  setBusy(true);
  say("Sending …");
  at("status").scrollIntoView({ block: "nearest" }); // on a phone it is below the form
  try {
    const headers = { "Content-Type": "application/json" };
    const reply = await ask("v1/jobs", { method: "POST", headers, body: jsonText(fields) });
    const job = { id: (await reply.json()).id, stop: new AbortController(), hasStarted: false };
    running = job;
    at("cancel").disabled = false;
    const { event, data } = await follow(job, settings);
    if (event === "failed") throw new Refusal(500, data.error);
    if (event === "succeeded") {
      const picture = await pictureOf(job, settings);
      show(picture);
      keep(picture);
      at("result").scrollIntoView({ block: "nearest" });
      if (at("random_seed").checked) at("seed").value = picture.settings.seed;
    }
    say(event === "cancelled" ? "Cancelled." : "Done.");
  } catch (error) {
    say("");
    if (!running?.stop.signal.aborted) complain(error);
  } finally {
    running = null;
    setBusy(false);
    if (shown) show(shown); // where a preview stands still
    at("result").hidden = !shown;
  }
}

async function cancel() {
  const { id, stop } = running;
  at("make").focus(); // the button that has it goes away
  stop.abort(); // first: a browser has few connections to one server
  try {
    await ask(`v1/jobs/${id}`, { method: "DELETE" });
    if (running === null) say("Cancelled.");
  } catch (error) {
    complain(error);
  }
}

/** Until the server tells of its model: it may still be loading it. */
async function loadModel() {
  for (;;) {
    let waitS = 2;
    try {
      const list = await (await ask("v1/models")).json();
      takeModel(list.data[0]);
      forgetComplaint();
      if (running === null) setBusy(false);
      return say("Ready.");
    } catch (error) {
      if (error.status === 401) return say("");
      const isLoading = error.code === "not_ready";
      say(isLoading ? `${sentence(error.message)}. Trying again …` : "Trying again …");
      if (!isLoading) complain(error);
      waitS = error.retryAfterS ?? waitS;
    }
    await pause(waitS);
  }
}

async function copy() {
  let isCopied = false;
  if (navigator.clipboard) { // only where the page's address is a secure one, or this machine
    isCopied = await navigator.clipboard.writeText(at("curl").textContent).then(() => true, () => false);
  }
  if (!isCopied) getSelection().selectAllChildren(at("curl"));
  at("copied").textContent = isCopied ? "Copied." : "Selected: copy it with Ctrl and C.";
}

at("settings").addEventListener("submit", (event) => {
  event.preventDefault();
  if (at("make").getAttribute("aria-disabled") === "false") make();
});
at("settings").addEventListener("input", (event) => {
  for (const field of at("settings").elements) forgetFault(field);
  at("copied").textContent = "";
  showSettings();
});
at("prompt").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) at("settings").requestSubmit();
});
at("key_form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, at("key").value);
  at("key").value = "";
  at("key_form").hidden = true; // shown again where it is not taken
  at("prompt").focus();
  loadModel();
});
at("cancel").addEventListener("click", cancel);
at("copy").addEventListener("click", copy);
// Nobody waits for the picture any more, so the server need not make it.
addEventListener("pagehide", () => {
  if (running) ask(`v1/jobs/${running.id}`, { method: "DELETE", keepalive: true }).catch(() => {});
});
showSettings();
loadModel();
