
// The picture that is seen, and those that were made before it.

const MAX_GALLERY = 60;

const gallery = []; // newest first
let shown = null; // the picture of them that is seen

function factsOf({ settings, seconds }) {
  const { width, height, steps, guidance_scale: guidance, scheduler, seed } = settings;
  return `Seed ${seed} · ${width} x ${height} · ${steps} steps of ${scheduler} · guidance ` +
    `${guidance} · made in ${seconds.toFixed(1)} s`;
}

function show(picture) {
  const { settings } = picture;
  shown = picture;
  Object.assign(at("picture"), { src: picture.url, alt: settings.prompt });
  for (const side of ["width", "height"]) at("picture").removeAttribute(side);
  at("facts").textContent = factsOf(picture);
  at("warnings").textContent = picture.warnings.map((each) => each.message).join("; ");
  Object.assign(at("download"), { href: picture.url, download: `${picture.name}-${settings.seed}.png` });
  at("download").hidden = at("facts").hidden = false;
  at("result").hidden = false;
}

function showPreview({ b64_json: base64 }, { prompt, width, height }) {
  Object.assign(at("picture"), { src: `data:image/jpeg;base64,${base64}`, alt: `Unfinished: ${prompt}` });
  Object.assign(at("picture"), { width, height });
  at("facts").hidden = at("download").hidden = true;
  at("warnings").textContent = "";
  at("result").hidden = false;
}

function keep(picture) {
  const image = Object.assign(new Image(), { src: picture.url, alt: "" });
  const words = document.createElement("span");
  Object.assign(words, { textContent: picture.settings.prompt, dir: "auto" });
  const seed = document.createElement("span");
  seed.textContent = `seed ${picture.settings.seed}`;
  const button = Object.assign(document.createElement("button"), { type: "button", title: factsOf(picture) });
  button.append(image, words, seed);
  button.addEventListener("click", () => {
    forgetComplaint();
    fill(picture.settings);
    if (running === null) show(picture);
  });
  picture.item = document.createElement("li");
  picture.item.append(button);
  at("gallery").prepend(picture.item);
  at("gallery_section").hidden = false;
  gallery.unshift(picture);
  for (const old of gallery.splice(MAX_GALLERY)) {
    old.item.remove();
    URL.revokeObjectURL(old.url);
  }
}
