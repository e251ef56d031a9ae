"use strict";
// One review of the error browser: its facts, the words that pushed most, its text.

const CLASSES = ["negative", "positive"];
const LONG_REVIEW = 420;

/** A push with its sign, as in "+1.32". */
function signed(push) {
  return `${push < 0 ? "−" : "+"}${Math.abs(push).toFixed(2)}`;
}

/** The strongest words of a review in words: "Towards positive: great +1.32, ... Towards negative: ...". */
function strongestWords(review) {
  const line = element("p", "strongest");
  for (const [name, wanted] of [["positive", (push) => push > 0], ["negative", (push) => push < 0]]) {
    const words = review.strongest.filter(([, push]) => wanted(push));
    if (!words.length) continue;
    const part = element("span", "", `Towards ${name}: `);
    words.forEach(([word, push], i) => {
      part.append(element("bdi", `word ${name}`, word), ` ${signed(push)}${i + 1 < words.length ? ", " : ". "}`);
    });
    line.append(part);
  }
  return line.childNodes.length ? line : null;
}

/** What is known of a review, as short texts. */
function factsOf(review, slicings) {
  const facts = [
    `probability of positive ${review.probability.toFixed(4)}`,
    `${grouped(review.words)} ${review.words === 1 ? "word" : "words"}`,
    `row ${review.row}`,
  ];
  if (review.leak_free === false) facts.push("has a near duplicate in training");
  if (review.leak_free === true) facts.push("leak-free");
  slicings.forEach((slicing, i) => {
    const group = review.groups[i];
    if (slicing.name !== "length" && group >= 0) facts.push(`${slicing.title.toLowerCase()}: ${slicing.groups[group]}`);
  });
  return facts;
}

/** Fold a long text to some lines, with a button that shows all of it. */
function folding(text, id) {
  const button = element("button", "show-all", "Show all");
  button.type = "button";
  text.id = id;
  text.classList.add("collapsed");
  button.setAttribute("aria-controls", id);
  button.setAttribute("aria-expanded", "false");
  button.addEventListener("click", () => {
    const folded = text.classList.toggle("collapsed");
    button.setAttribute("aria-expanded", String(!folded));
    button.textContent = folded ? "Show all" : "Show less";
  });
  return button;
}

/** A review as an article. Matches are [start, end] in its text; one far down opens it. */
function reviewCard(review, place, matches, data) {
  const card = element("article", `review-card ${review.truth === review.predicted ? "right" : "wrong"}`);
  const [truth, predicted] = [CLASSES[review.truth], CLASSES[review.predicted]];
  const confidence = Math.max(review.probability, 1 - review.probability);
  Object.assign(card.dataset, { row: review.row, truth, predicted, confidence, words: review.words });
  const heading = element("h3");
  heading.id = `review-${place}`;
  heading.tabIndex = -1;
  card.setAttribute("aria-labelledby", heading.id);
  heading.append(`${place}. Truly `, element("span", truth, truth), ", predicted ", element("span", predicted, predicted));
  heading.append(` with confidence ${confidence.toFixed(4)}`);
  heading.append(element("span", "outcome-word", review.truth === review.predicted ? " (right)" : " (wrong)"));
  const facts = element("ul", "card-facts");
  facts.append(...factsOf(review, data.slicings).map((fact) => element("li", "", fact)));
  const text = element("div", "card-text");
  text.dir = "auto";
  text.append(reviewNodes(review, data.push_steps, matches));
  const strongest = strongestWords(review);
  card.append(heading, facts, ...(strongest ? [strongest] : []), text);
  const isLong = review.text.length > LONG_REVIEW || review.text.split("\n").length > 6;
  if (isLong && !(matches.length && matches[0][0] > LONG_REVIEW / 2)) card.append(folding(text, `text-${place}`));
  return card;
}
