// Turns the API's codes and numbers into sentences a clerk can read; touches no element.

export const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

export const signed = (value, digits = 2) =>
  (Math.abs(value) < 0.5 * 10 ** -digits ? 0 : value).toFixed(digits).replace("-", "−");

const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export const dateWords = (text) => (text ? day.format(new Date(text)) : "");

export const momentWords = (date) => moment.format(date);

export const nameOf = (writer) => writer.name || writer.writer_id;

// The second line below a name.
export const idLine = (writer) => (writer.name ? writer.writer_id : "no name given");

const rate = ({ value }) => `${(100 * value).toFixed(1)} %`;

// By whose signatures the thresholds were set.
export function calibrationWords(calibration) {
  if (!calibration) return "Not calibrated on this installation’s signatures.";
  const { since, writers, references, after } = calibration;
  return (
    `Calibrated on this installation’s signatures since ${dateWords(since)}, from ` +
    `${plural(writers, "writer")} with ${plural(references, "reference")}: an identification ` +
    `names ${rate(after.naming.fpir)} of strangers.`
  );
}

// Whether the model was calibrated on signatures like this installation’s.
export function familiarityWords(familiarity) {
  if (!familiarity) return "";
  const { told, writers } = familiarity;
  return told === UNLIKE
    ? `The signatures of these ${plural(writers, "writer")} are unlike anything that the model was calibrated on: ` +
        "more is left inconclusive, and how often it errs is not known."
    : "They are like what the model was calibrated on.";
}

const UNLIKE = "unlike anything measured";

// At a verdict: that nothing was measured on such signatures.
export const unmeasuredWords = ({ calibration }) =>
  calibration === UNLIKE
    ? "The enrolled signatures are unlike anything that this was measured on: how often it errs is not known."
    : "";

// What a proposed calibration would change.
export function proposalWords({ writers, before, after }) {
  return (
    `A calibration from ${plural(writers, "writer")} is proposed: an identification would name ` +
    `${rate(after.naming.fpir)} of strangers (now ${rate(before.naming.fpir)}) and miss ` +
    `${rate(after.naming.fnir)} of those enrolled (now ${rate(before.naming.fnir)}).`
  );
}

export function verdictWords(verdict, referenceCount) {
  const references =
    referenceCount === 1 ? "the one reference" : `the ${referenceCount} references`;
  switch (verdict) {
    case "match":
      return ["Match", `This signature agrees with ${references} on file.`];
    case "inconclusive":
      return ["Inconclusive", "Ask for a second signature, or have an examiner look."];
    case "non_match":
      return ["No match", `This signature does not agree with ${references} on file.`];
    default:
      return [verdict, ""];
  }
}

// For each box that was found, what to call it and the rest of its name: which of how many, where.
export function boxNames(boxes) {
  const middles = boxes.map(({ x, y, w, h }) => [x + w / 2, y + h / 2]);
  const spread = [0, 1].map((axis) => {
    const along = middles.map((middle) => middle[axis]);
    return Math.max(...along) - Math.min(...along);
  });
  const axis = spread[0] >= spread[1] ? 0 : 1;
  const [first, last] = axis === 0 ? ["left", "right"] : ["top", "bottom"];
  const order = middles.map((_, at) => at).sort((one, other) => middles[one][axis] - middles[other][axis]);
  return boxes.map(({ what }, at) => {
    const noun = what === "signature" ? "Signature" : "Writing";
    const alike = order.filter((other) => boxes[other].what === what);
    const place = { 0: first, [order.length - 1]: last }[order.indexOf(at)] ?? "middle";
    if (alike.length === 1) return [noun, boxes.length > 1 ? `, ${place}` : ""];
    return [`${noun} ${alike.indexOf(at) + 1}`, ` of ${alike.length}, ${place}`];
  });
}

// Why an image with several things in it is refused, and what is asked.
export function severalWords(code) {
  if (code === "several-signatures") return ["More than one signature", "The image shows more than one signature. Choose the one that is meant."];
  return ["Other writing beside the signature", "The image shows other handwriting, such as a date. Choose the signature."];
}

// How a reference stands among the writer's others; nothing is said of a typical one.
export function standingWords({ standing, copy_of: original }) {
  switch (standing) {
    case "unlike-others":
      return "Unlike the writer’s other references. Check whose signature it is.";
    case "copy":
      return `The same signature as reference ${original}: the two count once.`;
    case "oldest":
      return "The oldest reference.";
    case "not-compared":
      return "Not compared yet.";
    default:
      return "";
  }
}

// Verbal equivalents of a likelihood ratio after the ENFSI guideline for evaluative reporting.
const supports = [
  [0.3, "no real"],
  [1, "weak"],
  [2, "moderate"],
  [3, "moderately strong"],
  [4, "strong"],
  [6, "very strong"],
  [Infinity, "extremely strong"],
];

// What the figures alone would say must not gainsay the verdict: it also rests on the strictness, the
// image and the other figure.
const despite = {
  "match against": "It matches nevertheless, as the strictness chosen allows.",
  "non_match for":
    "This alone makes no match: an imitation is alike too, and the verdict rests on all that was compared.",
};

// At its bound the ratio is at least so much: the signatures calibrated on can support no more.
export function likelihoodWords(logLr, bound, other, verdict) {
  const strength = Math.abs(logLr);
  const support = supports.find(([limit]) => strength < limit)[1];
  const figure = `log₁₀ likelihood ratio ${signed(logLr)}`;
  if (support === "no real") {
    return `A likeness such as this is about as usual in ${other} as in the writer’s own hand: no real support for either (${figure}).`;
  }
  const [likelier, than] = logLr > 0 ? ["the writer’s own hand", other] : [other, "the writer’s own hand"];
  const side = logLr > 0 ? "for" : "against";
  const note = despite[`${verdict} ${side}`];
  const usual = `A likeness such as this is ${timesWords(10 ** strength, strength >= bound)} more usual in ${likelier} than in ${than}`;
  return note ? `${usual} (${figure}). ${note}` : `${usual}: ${support} support ${side} the writer (${figure}).`;
}

function timesWords(ratio, atLeast) {
  if (ratio >= 1e6) return "more than a million times";
  const digits = ratio < 10 ? 1 : 2;
  return `${atLeast ? "at least" : "about"} ${Number(ratio.toPrecision(digits)).toLocaleString()} times`;
}

const pointNames = { "fmr_skilled=1%": "Strict", "fmr_skilled=5%": "Usual", "fmr_skilled=10%": "Lenient" };

const percent = (rate) => `${Number((100 * rate).toPrecision(2)).toLocaleString()} %`;

export const operatingPointName = (point) => pointNames[point] ?? point;

// An operating point by what was measured on signatures that its rule was not fitted on; what it
// aims at says nothing of signatures that nobody measured.
export function operatingPointWords(errors) {
  if (!errors) return "How often it errs here was not measured.";
  return (
    `Of signatures unknown to its rule, ${percent(errors.fmr_skilled.mean)} of practised imitations matched ` +
    `and ${percent(errors.fnmr.mean)} of genuine ones did not, with ${plural(errors.references, "reference")}.`
  );
}

export function expectedErrorsWords(errors, calibration = null) {
  if (calibration === UNLIKE) return "Not known: the enrolled signatures are unlike anything that was measured.";
  if (!errors) return "How often such verdicts err here was not measured.";
  const { data_sets: sets, references } = errors;
  const share = ({ mean, worst }) => `${percent(mean)} (at worst ${percent(worst)})`;
  return (
    `Measured with ${plural(references, "reference")} on ${plural(sets, "collection")} of signatures, each ` +
    `unknown to the rule that judged it: ${share(errors.fmr_skilled)} of practised imitations matched, ` +
    `${share(errors.fnmr)} of genuine signatures did not` +
    (errors.refused_genuine
      ? `, ${share(errors.refused_genuine)} were called no match. Not measured on this installation’s own signatures.`
      : ". When it is no match, this installation’s own signatures say.")
  );
}

export const modelWords = (model) => `${model.name} (${model.id.slice(0, 12)})`;

export function identificationWords({ verdict, candidates, gallery_size: size }) {
  if (verdict !== "identified") {
    return ["Not enrolled", `It resembles none of ${plural(size, "enrolled writer")} closely enough.`];
  }
  const [best] = candidates;
  const id = best.name ? ` (${best.writer_id})` : "";
  return ["Identified", `Of ${plural(size, "enrolled writer")}, it resembles ${nameOf(best)}${id} most.`];
}
