// Building elements: a small stand-in for a template language, safe because text is never markup.

const sprite = new URL("../icons.svg", import.meta.url).pathname;
const svgNamespace = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

// el("a", {class: "x", href: "#"}, "text", child): keys starting with "on" are listeners, keys
// starting with "--" are custom properties; null and false are left out.
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.startsWith("--")) element.style.setProperty(name, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export function icon(name, className = "") {
  const svg = document.createElementNS(svgNamespace, "svg");
  svg.setAttribute("class", `icon ${className}`.trim());
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(svgNamespace, "use");
  use.setAttribute("href", `${sprite}#${name}`);
  svg.append(use);
  return svg;
}

// Says something to a screen reader without showing it.
export function announce(words) {
  byId("announcer").textContent = words;
}

export function showOnly(container, element) {
  for (const child of container.children) child.hidden = child !== element;
}

// On a narrow screen the answer lies below the form: bring it into sight.
export function bringIntoSight(element) {
  const { top } = element.getBoundingClientRect();
  if (top < 0 || top > innerHeight * 0.6) element.scrollIntoView({ behavior: "smooth" });
}
