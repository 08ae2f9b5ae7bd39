// Two ways to draw a number: a plain bar for a likeness, and the gauge of a score and its zones.

import { el } from "./dom.js";
import { signed } from "./words.js";

const clamp = (value) => Math.min(100, Math.max(0, value));

// A bar from 0 to 1 with its label and number above it, and below how alike the strokes are, if known.
export const likenessBar = (label, value, ofStrokes = null) =>
  el(
    "div",
    { class: "likeness" },
    el("span", {}, label),
    el("strong", { class: "numeric" }, signed(value)),
    el("div", { class: "bar", "aria-hidden": "true" }, el("span", { "--share": clamp(100 * value) })),
    ofStrokes === null ? null : el("span", {}, "Strokes"),
    ofStrokes === null ? null : el("span", { class: "numeric" }, signed(ofStrokes)),
  );

// The threshold stands in the middle; the scale grows in steps when a score lies far off.
const reaches = [0.25, 0.5, 1, 2, 4];

const reachOf = (distance) => reaches.find((reach) => distance <= 0.96 * reach) ?? 1.1 * distance;

const placeOf = (score, threshold, reach) => clamp(50 + (50 * (score - threshold)) / reach);

// The score among the three zones of a verification's answer; their keys tell them apart by
// pattern and words, not by colour alone.
export function scoreGauge({ verdict, score, threshold, non_match_threshold: lower }) {
  const reach = reachOf(Math.max(Math.abs(score - threshold), threshold - lower));
  const at = placeOf(score, threshold, reach);
  const tick = (place, words, kind = "") =>
    el("span", { "--at": place, class: `numeric ${kind}`.trim() }, words);
  return el(
    "div",
    { class: "gauge", "--score": at, "--threshold": 50, "--lower": placeOf(lower, threshold, reach) },
    el(
      "div",
      { class: "gauge-track", role: "img", "aria-label": gaugeWords(score, threshold, lower) },
      el("span", { class: "gauge-zone gauge-non_match" }),
      el("span", { class: "gauge-zone gauge-inconclusive" }),
      el("span", { class: "gauge-zone gauge-match" }),
      lower < threshold ? el("span", { class: "gauge-lower" }) : null,
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
      "ul",
      { class: "gauge-legend", "aria-hidden": "true" },
      zonesOf(threshold, lower).map(([zone, words]) =>
        el(
          "li",
          { class: zone === verdict ? "is-here" : null, "data-zone": zone },
          el("span", { class: `gauge-key gauge-${zone}` }),
          words,
        ),
      ),
    ),
  );
}

// Where the thresholds are one, no score is inconclusive.
const zonesOf = (threshold, lower) =>
  [
    ["non_match", `No match below ${signed(lower, 3)}`],
    lower < threshold && ["inconclusive", "Inconclusive in between"],
    ["match", `Match from ${signed(threshold, 3)}`],
  ].filter(Boolean);

function gaugeWords(score, threshold, lower) {
  const between = lower < threshold ? ", and in between it is inconclusive" : "";
  return `Score ${signed(score, 3)}; a match needs ${signed(threshold, 3)} or more, below ${signed(lower, 3)} it is no match${between}.`;
}

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
