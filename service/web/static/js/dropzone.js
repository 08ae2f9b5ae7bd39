// A place that takes image files by choosing, dropping or pasting; what becomes of them is the
// caller's business.

export function createDropzone(root, onFiles) {
  const input = root.querySelector("input[type=file]");

  input.addEventListener("change", () => {
    const files = [...input.files];
    // Emptied, so that choosing the same file again is a change again.
    input.value = "";
    if (files.length) onFiles(files);
  });

  let depth = 0; // dragenter and dragleave also come from the elements inside.
  const over = (by) => {
    depth = Math.max(0, depth + by);
    root.classList.toggle("is-over", depth > 0);
  };
  root.addEventListener("dragenter", () => over(1));
  root.addEventListener("dragleave", () => over(-1));
  root.addEventListener("dragover", (event) => event.preventDefault());
  root.addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    over(0);
    if (event.dataTransfer.files.length) onFiles([...event.dataTransfer.files]);
  });

  document.addEventListener("paste", (event) => {
    const shown = root.offsetParent !== null;
    if (!shown || !event.clipboardData?.files.length) return;
    event.preventDefault();
    onFiles([...event.clipboardData.files]);
  });

  return input;
}

// A file dropped beside a dropzone must not make the browser leave the page.
export function ignoreStrayDrops() {
  for (const kind of ["dragover", "drop"]) {
    addEventListener(kind, (event) => event.preventDefault());
  }
}
