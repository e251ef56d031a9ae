"use strict";
// How often a score comes true: the reviews that scored about the same, found as pipeline/report/score_lookup.py does.
{
  const counts = pageData.thresholds;
  const steps = counts.thresholds.length - 1;
  const block = document.getElementById("score-lookup");
  const fewest = Number(block.dataset.fewest);
  const widestRange = Number(block.dataset.widestRange); // that still says something about a score in it
  const widestInterval = Number(block.dataset.widestInterval); // that bears a score out: a wider one fits many
  const input = document.getElementById("score-input");
  const slider = document.getElementById("score-slider");
  const answer = document.getElementById("score-answer");

  // reviews from a point of the grid on; none from the last, so that a probability of 1 lies before it
  const from = (name, step) => (step === steps ? 0 : counts.at_least[name][step]);

  /** The mean probability of the reviews in a range, each taken for the middle of its step of the grid. */
  function mean(low, high, rows) {
    let sum = 0;
    for (let step = low; step < high; step += 1) {
      const inStep = ["negative", "positive"].map((name) => from(name, step) - from(name, step + 1));
      sum += (inStep[0] + inStep[1]) * (step + 0.5);
    }
    return sum / steps / Math.max(rows, 1);
  }

  /** The narrowest range about a score, equally wide on both sides, that holds enough reviews. */
  function neighbourhood(score) {
    const first = Math.floor(score * steps + 1e-6);
    const last = Math.ceil(score * steps - 1e-6);
    let found = null;
    for (let wider = 0; wider <= steps; wider += 1) {
      const low = Math.max(0, first - wider);
      const high = Math.min(steps, last + wider);
      const positive = from("positive", low) - from("positive", high);
      const rows = positive + from("negative", low) - from("negative", high);
      found = { low: low / steps, high: high / steps, rows, positive, mean: mean(low, high, rows) };
      if (rows >= fewest) break;
    }
    return found;
  }

  /** What the reviews say of the scores among them, as score_lookup.py judges it. */
  function worth(found, [least, most]) {
    if (found.rows < fewest) return "few";
    if (found.high - found.low > widestRange + 1e-9) return "wide";
    if (most < found.mean - 0.5 / steps) return "too high";
    if (least > found.mean + 0.5 / steps) return "too low";
    return most - least <= widestInterval ? "holds" : "agrees";
  }

  const words = {
    few: "So few reviews say little about this score.",
    wide: "Few reviews score near it, so this says little about the score itself.",
    holds: "So the score means what it says.",
    agrees: "That agrees with the score, as far as so few reviews can tell.",
    "too low": "So the score is too low: more of such reviews are positive than it says.",
    "too high": "So the score is too high: fewer of such reviews are positive than it says.",
  };

  function sentence(score, found) {
    const interval = wilsonInterval(found.positive, found.rows);
    const share = percent(found.positive / found.rows, 1);
    const negative = percent(1 - found.positive / found.rows, 1);
    return [
      `Of the ${grouped(found.rows)} reviews here that scored from ${found.low} to ${found.high}, `,
      element("strong", "", `${share} were truly positive`),
      ` (95% interval ${percent(interval[0], 1)} to ${percent(interval[1], 1)})` +
        (score < 0.5 ? `, and ${negative} truly negative. ` : ". ") +
        words[worth(found, interval)],
    ];
  }

  function show(score) {
    const found = neighbourhood(score);
    Object.assign(answer.dataset, {
      rows: found.rows,
      positive: found.positive,
      low: found.low,
      high: found.high,
      share: found.positive / found.rows,
      worth: worth(found, wilsonInterval(found.positive, found.rows)),
    });
    slider.setAttribute("aria-valuetext", String(score));
    answer.replaceChildren(...sentence(score, found));
  }

  let announcement = 0;

  /** Say the answer once the slider rests: a screen reader is not to read every step. */
  function announce() {
    clearTimeout(announcement);
    announcement = setTimeout(() => {
      document.getElementById("score-status").textContent = answer.textContent;
    }, 700);
  }

  slider.addEventListener("input", () => {
    input.value = String(Number(slider.value) / 1000);
    input.removeAttribute("aria-invalid");
    show(Number(slider.value) / 1000);
    announce();
  });
  input.addEventListener("input", () => {
    const score = input.value.trim() === "" ? NaN : Number(input.value);
    const valid = score >= 0 && score <= 1;
    if (valid) {
      input.removeAttribute("aria-invalid");
      slider.value = String(Math.round(score * 1000));
      show(score);
    } else {
      input.setAttribute("aria-invalid", "true");
      for (const name of Object.keys(answer.dataset)) delete answer.dataset[name];
      answer.textContent = "A score lies between 0 and 1.";
    }
    announce();
  });
  show(Number(input.value));
  showControls(block);
}
