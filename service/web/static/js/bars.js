// Two ways to draw a number: a plain bar for a likeness, and the gauge of a score and threshold.

import { el } from "./dom.js";
import { signed } from "./words.js";

const clamp = (value) => Math.min(100, Math.max(0, value));

// A bar from 0 to 1 with its label and number above it.
export const likenessBar = (label, value) =>
  el(
    "div",
    { class: "likeness" },
    el("span", {}, label),
    el("strong", { class: "numeric" }, signed(value)),
    el("div", { class: "bar", "aria-hidden": "true" }, el("span", { "--share": clamp(100 * value) })),
  );

// The threshold stands in the middle; the scale grows in steps when a score lies far off.
const reaches = [0.25, 0.5, 1, 2, 4];

const reachOf = (distance) => reaches.find((reach) => distance <= 0.96 * reach) ?? 1.1 * distance;

const placeOf = (score, threshold, reach) => clamp(50 + (50 * (score - threshold)) / reach);

export function scoreGauge(score, threshold) {
  const reach = reachOf(Math.abs(score - threshold));
  const at = placeOf(score, threshold, reach);
  const tick = (place, words, kind = "") =>
    el("span", { "--at": place, class: `numeric ${kind}`.trim() }, words);
  return el(
    "div",
    { class: "gauge", "--score": at, "--threshold": 50 },
    el(
      "div",
      { class: "gauge-track", role: "img", "aria-label": gaugeWords(score, threshold) },
      el("span", { class: "gauge-below" }),
      el("span", { class: "gauge-above" }),
      el("span", { class: "gauge-threshold" }),
      el("span", { class: "gauge-dot" }),
      el("span", { class: "gauge-label numeric" }, `Score ${signed(score, 3)}`),
    ),
    el(
      "div",
      { class: "gauge-ticks", "aria-hidden": "true" },
      tick(0, signed(threshold - reach)),
      tick(50, `Threshold ${signed(threshold, 3)}`, "gauge-tick-threshold"),
      tick(100, signed(threshold + reach)),
    ),
    el(
      "div",
      { class: "gauge-legend", "aria-hidden": "true" },
      el("span", {}, "◂ less alike"),
      el("span", {}, "alike enough for a match ▸"),
    ),
  );
}

const gaugeWords = (score, threshold) =>
  `Score ${signed(score, 3)}; a match needs ${signed(threshold, 3)} or more.`;

// The candidates of one answer share a scale, so that their bars can be compared.
export function candidateBars(scores, threshold) {
  const reach = reachOf(Math.max(0, ...scores.map((score) => Math.abs(score - threshold))));
  return scores.map((score) =>
    el(
      "div",
      { class: "likeness" },
      el("span", {}, score >= threshold ? "Above threshold" : "Below threshold"),
      el("strong", { class: "numeric" }, signed(score)),
      el(
        "div",
        { class: "bar bar-marked", "aria-hidden": "true" },
        el("span", { "--share": placeOf(score, threshold, reach) }),
      ),
    ),
  );
}
