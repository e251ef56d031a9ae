"use strict";
// What a threshold does, and leaving open below a confidence: counted as pipeline/report/threshold_effects.py does.
{
  const counts = pageData.thresholds;
  const steps = counts.thresholds.length - 1;
  const byId = (id) => document.getElementById(id);
  const block = byId("threshold-controls");
  const thresholdSlider = byId("threshold-slider");
  const abstainSlider = byId("abstain-slider");
  const never = Number(abstainSlider.min);
  const shown = new Map([...block.querySelectorAll("[data-figure]")].map((place) => [place.dataset.figure, place]));

  const pointOf = (step) => String(Number((step / steps).toFixed(6)));

  /** Reviews of a class answered positive and negative, and left open; steps of the grid, null to leave none open. */
  function answersOf(name, threshold, confidence) {
    const { [name]: atLeast } = counts.at_least;
    const positive = atLeast[Math.max(threshold, confidence ?? 0)];
    const highest = confidence === null ? steps : steps - confidence;
    const negative = Math.min(atLeast[0] - atLeast[threshold], counts.at_most[name][highest]);
    return { positive, negative, open: atLeast[0] - positive - negative };
  }

  function effectOf(threshold, confidence) {
    const negative = answersOf("negative", threshold, confidence);
    const positive = answersOf("positive", threshold, confidence);
    const right = positive.positive + negative.negative;
    const wrong = negative.positive + positive.negative;
    const abstained = negative.open + positive.open;
    return {
      true_positive: positive.positive,
      false_positive: negative.positive,
      false_negative: positive.negative,
      true_negative: negative.negative,
      abstained_negative: negative.open,
      abstained_positive: positive.open,
      answered: right + wrong,
      abstained,
      abstained_share: shareOf(abstained, right + wrong + abstained),
      accuracy: shareOf(right, right + wrong),
      precision: shareOf(positive.positive, positive.positive + negative.positive),
      recall: shareOf(positive.positive, positive.positive + positive.negative),
      f1: shareOf(2 * positive.positive, 2 * positive.positive + wrong),
    };
  }

  const SHARES = new Set(["abstained_share", "accuracy", "precision", "recall", "f1"]);

  function showFigures(effect) {
    for (const [name, place] of shown) {
      const value = effect[name];
      place.dataset.value = value === null ? "" : String(value);
      place.textContent = SHARES.has(name) ? percent(value) : grouped(value);
    }
    const all = effect.answered + effect.abstained;
    const right = effect.true_positive + effect.true_negative;
    const parts = { right, open: effect.abstained, wrong: effect.answered - right };
    for (const [name, count] of Object.entries(parts)) {
      block.querySelector(`.outcome-bar .${name}`).style.width = `${(100 * count) / all}%`;
    }
  }

  let announcement = 0;

  /** Say the result once the slider rests: a screen reader is not to read every step. */
  function announce(effect) {
    clearTimeout(announcement);
    announcement = setTimeout(() => {
      byId("threshold-status").textContent =
        `Accuracy of the answered ${percent(effect.accuracy)}, precision ${percent(effect.precision)}, ` +
        `recall ${percent(effect.recall)}, left open ${percent(effect.abstained_share)}.`;
    }, 700);
  }

  function update() {
    const threshold = Number(thresholdSlider.value);
    const confidence = Number(abstainSlider.value) === never ? null : Number(abstainSlider.value);
    const lowest = confidence === null ? "never" : pointOf(confidence);
    byId("threshold-value").textContent = pointOf(threshold);
    byId("abstain-value").textContent = lowest;
    thresholdSlider.setAttribute("aria-valuetext", pointOf(threshold));
    abstainSlider.setAttribute("aria-valuetext", lowest);
    byId("threshold-command").textContent =
      `sentiment score reviews.csv -o scored.csv --threshold ${pointOf(threshold)}` +
      (confidence === null ? "" : ` --abstain-below ${lowest}`);
    byId("threshold-reset").disabled = threshold === Math.floor(steps / 2) && confidence === null;
    const effect = effectOf(threshold, confidence);
    showFigures(effect);
    return effect;
  }

  for (const slider of [thresholdSlider, abstainSlider]) {
    slider.addEventListener("input", () => announce(update()));
  }
  byId("threshold-reset").addEventListener("click", () => {
    thresholdSlider.value = thresholdSlider.defaultValue;
    abstainSlider.value = abstainSlider.defaultValue;
    announce(update());
    thresholdSlider.focus();
  });
  update();
  showControls(block);
}
