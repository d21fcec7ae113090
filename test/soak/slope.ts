/** Whether a series of measurements grows: the slope of the least-squares line through it. */

/** One measurement. */
export interface Sample {
  /** Seconds. */
  readonly at: number;
  readonly value: number;
}

/** Slope of the least-squares line, per second; 0 for fewer than two different times. */
export function slopeOf(samples: readonly Sample[]): number {
  const count = samples.length;
  let atSum = 0;
  let valueSum = 0;
  for (const { at, value } of samples) {
    atSum += at;
    valueSum += value;
  }
  const [atMean, valueMean] = [atSum / count, valueSum / count];
  let covariance = 0;
  let variance = 0;
  for (const { at, value } of samples) {
    covariance += (at - atMean) * (value - valueMean);
    variance += (at - atMean) ** 2;
  }
  return variance === 0 ? 0 : covariance / variance;
}
